#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

#include "execd/ctr.h"
#include "execd/pod.h"
#include "execd/stats.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/metric.h"

#define STATS_READ_MS	  3000 /* for the launcher to read one batch */
#define STATS_BATCHES_MAX 4    /* at once */
#define STATS_ROUNDS	  2
/* A walk through a large layer takes its time, and the disk's. */
#define STATS_WALKS_MAX	  2
#define STATS_WALK_MS	  600000
#define STATS_WALK_AGE_MS 10000
#define STATS_WALK_REST	  20  /* times what the walk took */
#define STATS_FIRST_MS	  200 /* that an answer waits for a first walk */
#define STATS_RATE_NS	  (MONO_NS_PER_S / 2)

_Static_assert(sizeof(((struct fixed_stats *)0)->names) ==
		   STAT_NAME_SIZE * STAT_NAMES_MAX + 1,
    "names of one message");

struct stats_call {
	TAILQ_ENTRY(stats_call) entry;
	struct execd *x;
	struct link_call *call;
	Criod__StatsGet *request;
	struct mono began;
	size_t batches; /* not answered yet */
	unsigned int rounds;
	struct event *timer; /* NULL once it waits for no walk */
};

struct stats_wait {
	SIMPLEQ_ENTRY(stats_wait) entry;
	struct stats_call *call;
};

/* One message to the launcher; queued while enough are on their way. */
struct stats_batch {
	TAILQ_ENTRY(stats_batch) entry;
	struct execd *x;
	struct fixed_stats body;
	size_t n;
	SIMPLEQ_HEAD(, stats_wait) waits;
};

struct stats_state {
	TAILQ_HEAD(, stats_call) calls;
	TAILQ_HEAD(stats_batches, stats_batch) queue;
	size_t running, walks;
};

static void stats_call_step(struct stats_call *k);

struct stats_state *
stats_new(struct execd *x)
{
	struct stats_state *s = execd_alloc(1, sizeof(*s));

	(void)x;
	TAILQ_INIT(&s->calls);
	TAILQ_INIT(&s->queue);
	return s;
}

void
stats_free(struct stats **s)
{
	if (*s != NULL)
		stat_clear(&(*s)->now);
	free(*s);
	*s = NULL;
}

static struct stats *
stats_of(struct stats **s)
{
	if (*s == NULL)
		*s = execd_alloc(1, sizeof(**s));
	return *s;
}

/* "cID" or "@ID"; NULL if it is gone. */
static struct stats *
stats_by_name(struct execd *x, const char *name)
{
	struct ctr *c = name[0] == 'c' ? ctr_find(x, name + 1) : NULL;
	struct pod *p = name[0] == '@' ? pod_find(x, name + 1) : NULL;

	if (c != NULL)
		return c->stats;
	return p != NULL ? p->stats : NULL;
}

/* ---- one sample ---- */

static void
stats_rate(struct stats *s)
{
	const struct stat_sample *n = &s->now;
	uint64_t cpu = n->v[STAT_CPU_USAGE], at = n->v[STAT_MONO];

	if (!n->has[STAT_CPU_USAGE] || !n->has[STAT_MONO])
		return;
	if (s->base_mono != 0 && at < s->base_mono + STATS_RATE_NS)
		return;
	if (s->base_mono != 0 && cpu >= s->base_cpu) {
		s->rate = (uint64_t)((double)(cpu - s->base_cpu) /
				     (double)(at - s->base_mono) *
				     (double)MONO_NS_PER_S);
		s->rate_set = true;
	}
	s->base_cpu = cpu;
	s->base_mono = at;
}

/* Takes what sample owns. */
static void
stats_put(struct stats *s, struct stat_sample *sample, uint32_t what)
{
	if (!sample->has[STAT_WALL])
		return;
	stat_clear(&s->now);
	s->now = *sample;
	memset(sample, 0, sizeof(*sample));
	s->what = what;
	s->taken = mono_now();
	stats_rate(s);
}

/* ---- batches ---- */

static void
stats_batch_text(struct stats_batch *b, size_t i, char *name)
{
	memcpy(name, b->body.names + i * STAT_NAME_SIZE, STAT_NAME_SIZE);
	name[STAT_NAME_SIZE] = '\0';
}

static void
stats_batch_take(struct stats_batch *b, struct link_msg *m)
{
	struct stat_sample samples[STAT_NAMES_MAX];
	CLEANUP_FREE uint8_t *buf = NULL;
	CLEANUP_FD int fd = link_take_fd(m, 0);
	char name[STAT_NAME_SIZE + 1];
	size_t len;

	memset(samples, 0, sizeof(samples));
	if (fdio_memfd_read(fd, STAT_TOTAL_MAX, &buf, &len) == -1 ||
	    stat_parse(buf, len, samples, b->n) == -1)
		log_warn("execlaunch gave numbers that cannot be read");
	for (size_t i = 0; i < b->n; i++) {
		struct stats *s;

		stats_batch_text(b, i, name);
		s = stats_by_name(b->x, name);
		if (s != NULL && s->batch == b)
			stats_put(s, &samples[i], b->body.what);
		stat_clear(&samples[i]);
	}
}

static void stats_batch_next(struct execd *x);

static void
stats_batch_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct stats_batch *b = arg;
	struct execd *x = b->x;
	char name[STAT_NAME_SIZE + 1];
	struct stats_wait *w;

	x->stats->running--;
	if (err != NULL)
		log_info("numbers of %zu containers: %s", b->n, err->text);
	else
		stats_batch_take(b, m);
	for (size_t i = 0; i < b->n; i++) {
		struct stats *s;

		stats_batch_text(b, i, name);
		s = stats_by_name(x, name);
		if (s != NULL && s->batch == b)
			s->batch = NULL;
	}
	stats_batch_next(x);
	while ((w = SIMPLEQ_FIRST(&b->waits)) != NULL) {
		SIMPLEQ_REMOVE_HEAD(&b->waits, entry);
		w->call->batches--;
		stats_call_step(w->call);
		free(w);
	}
	free(b);
}

static void
stats_batch_next(struct execd *x)
{
	struct stats_state *st = x->stats;
	struct stats_batch *b;

	while (st->running < STATS_BATCHES_MAX &&
	       (b = TAILQ_FIRST(&st->queue)) != NULL) {
		TAILQ_REMOVE(&st->queue, b, entry);
		st->running++;
		(void)link_request(execd_launcher(x), MSG_L_STATS, &b->body,
		    NULL, 0, mono_after_ms(STATS_READ_MS), stats_batch_done, b);
	}
}

static void
stats_batch_wait(struct stats_batch *b, struct stats_call *k)
{
	struct stats_wait *w;

	SIMPLEQ_FOREACH(w, &b->waits, entry)
	{
		if (w->call == k)
			return;
	}
	w = execd_alloc(1, sizeof(*w));
	w->call = k;
	k->batches++;
	SIMPLEQ_INSERT_TAIL(&b->waits, w, entry);
}

/* The newest that is not on its way yet, has room, and reads the same. */
static struct stats_batch *
stats_batch_open(struct execd *x, uint32_t what)
{
	struct stats_batch *b = TAILQ_LAST(&x->stats->queue, stats_batches);

	if (b != NULL && b->n < STAT_NAMES_MAX && b->body.what == what)
		return b;
	b = execd_alloc(1, sizeof(*b));
	b->x = x;
	b->body.what = what;
	SIMPLEQ_INIT(&b->waits);
	TAILQ_INSERT_TAIL(&x->stats->queue, b, entry);
	return b;
}

static bool
stats_fresh(const struct stats_call *k, const struct stats *s, uint32_t what)
{
	int64_t oldest =
	    mono_now().ns - (int64_t)k->x->boot->stats_age_ms * MONO_NS_PER_MS;

	if ((s->what & what) != what)
		return false;
	return s->taken.ns >= oldest || s->taken.ns >= k->began.ns;
}

static void
stats_want(struct stats_call *k, struct stats *s, char kind, const char *id,
    uint32_t what)
{
	struct stats_batch *b = s->batch;

	if (stats_fresh(k, s, what))
		return;
	if (b == NULL) {
		b = stats_batch_open(k->x, what);
		b->body.names[b->n * STAT_NAME_SIZE] = kind;
		memcpy(b->body.names + b->n * STAT_NAME_SIZE + 1, id, ID_LEN);
		b->n++;
		s->batch = b;
	}
	stats_batch_wait(b, k);
}

/* ---- writable layers ---- */

static void stats_walk_next(struct execd *x);

static void
stats_walk_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_ref *r = arg;
	struct execd *x = r->x;
	struct ctr *c = ctr_find(x, r->id);
	struct stats_call *k, *next;

	x->stats->walks--;
	if (c != NULL && c->stats != NULL) {
		struct stats *s = c->stats;
		int64_t took =
		    (mono_now().ns - s->usage_began.ns) / MONO_NS_PER_MS;

		s->usage_running = false;
		s->usage_next =
		    mono_after_ms(took * STATS_WALK_REST > STATS_WALK_AGE_MS
				      ? took * STATS_WALK_REST
				      : STATS_WALK_AGE_MS);
		if (err == NULL) {
			s->usage = *(const struct fixed_usage *)m->body;
			s->usage_at = wall_now_ns();
		} else {
			log_info("container %s: %s", c->id, err->text);
		}
	}
	free(r);
	stats_walk_next(x);
	for (k = TAILQ_FIRST(&x->stats->calls); k != NULL; k = next) {
		next = TAILQ_NEXT(k, entry);
		if (k->batches == 0)
			stats_call_step(k);
	}
}

static void
stats_walk(struct ctr *c)
{
	struct fixed_ctr body = { .runtime = c->runtime };

	c->stats->usage_wanted = false;
	c->stats->usage_running = true;
	c->stats->usage_began = mono_now();
	c->x->stats->walks++;
	memcpy(body.ctr, c->id, sizeof(body.ctr));
	(void)link_request(execd_launcher(c->x), MSG_L_USAGE, &body, NULL, 0,
	    mono_after_ms(STATS_WALK_MS), stats_walk_done,
	    ctr_ref_new(c, NULL));
}

static void
stats_walk_next(struct execd *x)
{
	struct ctr *c = NULL;

	LIST_FOREACH(c, &x->ctrs, entry) {
		if (x->stats->walks >= STATS_WALKS_MAX)
			return;
		if (c->stats != NULL && c->stats->usage_wanted)
			stats_walk(c);
	}
}

static void
stats_want_usage(struct stats *s)
{
	if (!s->usage_running &&
	    (!mono_is_set(s->usage_next) || mono_passed(s->usage_next)))
		s->usage_wanted = true;
}

/* ---- calls ---- */

static void
stats_call_free(struct stats_call *k)
{
	TAILQ_REMOVE(&k->x->stats->calls, k, entry);
	if (k->timer != NULL)
		event_free(k->timer);
	EXECD_FREE(k->request);
	free(k);
}

/* Those whose numbers can be read at all; others have their layer's alone. */
static struct ctr *
stats_ctr(struct execd *x, const char *id)
{
	struct ctr *c = id_valid(id) ? ctr_find(x, id) : NULL;

	return c == NULL || c->state == CTR_CREATING || c->state == CTR_REMOVING
		   ? NULL
		   : c;
}

static uint32_t
stats_what(uint32_t metrics, uint32_t what)
{
	return (metrics & METRIC_IN_PROCESS) != 0 &&
		       (what & STAT_WANT_CGROUP) != 0
		   ? what | STAT_WANT_PROCESSES
		   : what;
}

static void
stats_call_pods(struct stats_call *k, char *const *ids, size_t n, uint32_t what)
{
	for (size_t i = 0; i < n; i++) {
		struct pod *p =
		    id_valid(ids[i]) ? pod_find(k->x, ids[i]) : NULL;

		if (p != NULL && p->state == POD_READY)
			stats_want(k, stats_of(&p->stats), '@', p->id, what);
	}
}

static void
stats_call_collect(struct stats_call *k)
{
	const Criod__StatsGet *r = k->request;

	k->rounds++;
	for (size_t i = 0; i < r->n_containers; i++) {
		struct ctr *c = stats_ctr(k->x, r->containers[i]);

		if (c == NULL)
			continue;
		stats_want_usage(stats_of(&c->stats));
		if (ctr_alive(c) && !r->layers)
			stats_want(k, c->stats, 'c', c->id,
			    stats_what(r->metrics, STAT_WANT_CGROUP));
	}
	stats_call_pods(k, r->pods, r->n_pods,
	    stats_what(r->metrics, STAT_WANT_CGROUP | STAT_WANT_NET));
	stats_call_pods(k, r->networks, r->n_networks, STAT_WANT_NET);
	stats_batch_next(k->x);
	stats_walk_next(k->x);
}

/* Has every layer been counted once, if that can be done? */
static bool
stats_call_counted(const struct stats_call *k)
{
	for (size_t i = 0; i < k->request->n_containers; i++) {
		struct ctr *c = stats_ctr(k->x, k->request->containers[i]);
		const struct stats *s = c == NULL ? NULL : c->stats;

		if (s != NULL && s->usage_at == 0 && !s->usage_late &&
		    (s->usage_wanted || s->usage_running))
			return false;
	}
	return true;
}

static size_t
stats_answer_ctrs(const struct stats_call *k, struct stats_view **views,
    Criod__StatsItem **items)
{
	size_t n = 0;

	for (size_t i = 0; i < k->request->n_containers; i++) {
		struct ctr *c = stats_ctr(k->x, k->request->containers[i]);

		if (c == NULL || c->stats == NULL)
			continue;
		/* What it was before its end is not what it is. */
		if (!ctr_alive(c))
			c->stats->what = 0;
		views[n] =
		    stats_view_new(k->x, c->id, c->stats, k->request->metrics);
		items[n] = stats_view_item(views[n]);
		n++;
	}
	return n;
}

static size_t
stats_answer_pods(const struct stats_call *k, char *const *ids, size_t nids,
    struct stats_view **views, Criod__StatsItem **items)
{
	size_t n = 0;

	for (size_t i = 0; i < nids; i++) {
		struct pod *p =
		    id_valid(ids[i]) ? pod_find(k->x, ids[i]) : NULL;

		if (p == NULL || p->stats == NULL)
			continue;
		views[n] =
		    stats_view_new(k->x, p->id, p->stats, k->request->metrics);
		items[n] = stats_view_item(views[n]);
		n++;
	}
	return n;
}

static void
stats_call_answer(struct stats_call *k)
{
	const Criod__StatsGet *r = k->request;
	size_t max = r->n_containers + r->n_pods + r->n_networks + 1, all;
	struct stats_view **views = execd_alloc(max, sizeof(*views));
	Criod__StatsItem **items = execd_alloc(max, sizeof(*items));
	Criod__Stats body;

	criod__stats__init(&body);
	body.containers = items;
	body.n_containers = stats_answer_ctrs(k, views, items);
	all = body.n_containers;
	body.pods = items + all;
	body.n_pods =
	    stats_answer_pods(k, r->pods, r->n_pods, views + all, items + all);
	all += body.n_pods;
	body.n_pods += stats_answer_pods(k, r->networks, r->n_networks,
	    views + all, items + all);
	all = body.n_containers + body.n_pods;
	link_reply(k->call, MSG_STATS, &body, NULL, 0);
	for (size_t i = 0; i < all; i++)
		stats_view_free(views[i]);
	free(views);
	free(items);
	stats_call_free(k);
}

/* Nothing more to wait for from the launcher: again, on, or the end. */
static void
stats_call_step(struct stats_call *k)
{
	if (k->batches > 0)
		return;
	if (k->rounds < STATS_ROUNDS) {
		stats_call_collect(k);
		if (k->batches > 0)
			return;
	}
	if (k->timer != NULL && !stats_call_counted(k))
		return;
	stats_call_answer(k);
}

static void
stats_call_late(evutil_socket_t fd, short what, void *arg)
{
	struct stats_call *k = arg;

	(void)fd;
	(void)what;
	event_free(k->timer);
	k->timer = NULL;
	for (size_t i = 0; i < k->request->n_containers; i++) {
		struct ctr *c = stats_ctr(k->x, k->request->containers[i]);

		if (c != NULL && c->stats != NULL && c->stats->usage_at == 0)
			c->stats->usage_late = true;
	}
	stats_call_step(k);
}

void
stats_take_get(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct execd *x = ctx;
	struct stats_call *k = execd_alloc(1, sizeof(*k));
	struct timeval tv = { 0, STATS_FIRST_MS * 1000 };

	k->x = x;
	k->call = call;
	k->request = execd_copy(m->body);
	k->began = mono_now();
	TAILQ_INSERT_TAIL(&x->stats->calls, k, entry);
	k->timer = evtimer_new(helper_base(x->helper), stats_call_late, k);
	if (k->timer != NULL)
		(void)evtimer_add(k->timer, &tv);
	stats_call_step(k);
}
