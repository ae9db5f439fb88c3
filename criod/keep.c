#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/keep.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "imsg/fixed.h"
#include "imsg/link.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/record.h"

#define KEEP_AFTER_S  1	 /* changes are gathered so long */
#define KEEP_AGAIN_S  30 /* after an error */
#define KEEP_BYTES    (4U * 1024 * 1024)
#define KEEP_SYNC_MS  (600 * 1000)
#define KEEP_MARK     "boot"
#define KEEP_MARK_MAX 64

/* ---- the mark ---- */

/*
 * STATE/front/boot holds the host's boot_id, with a '+' behind it once all
 * copies of an earlier boot were read.
 */
static int
keep_mark(const struct front *front, bool done, struct cerr *err)
{
	char text[KEEP_MARK_MAX];
	int n = snprintf(text, sizeof(text), "%s%s", front->boot->boot,
	    done ? "+" : "");

	return record_write(front->store.dir, KEEP_MARK, KEEP_MARK, text,
	    (size_t)n, false, err);
}

/* What the mark says: this boot, and all read?  -1 with NOT_FOUND: none. */
static int
keep_look(const struct front *front, bool *same, bool *done, struct cerr *err)
{
	size_t len = 0, n = strlen(front->boot->boot);
	CLEANUP_FREE uint8_t *text = NULL;

	if (record_read(front->store.dir, KEEP_MARK, KEEP_MARK, &text, &len,
		err) == -1)
		return -1;
	*same = len >= n && memcmp(text, front->boot->boot, n) == 0;
	*done = *same && len > n && text[n] == '+';
	return 0;
}

/*
 * Without a mark, records are those of a criod that made none: of this boot.
 */
static bool
keep_is_rebooted(const struct front *front)
{
	bool same = false, done = false;
	struct cerr err;

	if (keep_look(front, &same, &done, &err) == -1)
		return front->npods == 0 && front->nctrs == 0 &&
		       LIST_EMPTY(&front->foreigns);
	return !same || !done;
}

/* ---- what is sent ---- */

static void
keep_arm(struct front *front, int seconds)
{
	struct timeval tv = { seconds, 0 };

	if (!evtimer_pending(front->keep.timer, NULL))
		(void)evtimer_add(front->keep.timer, &tv);
}

void
keep_changed(struct front *front)
{
	if (!front->keep.busy && !front->keep.restoring &&
	    front->keep.timer != NULL)
		keep_arm(front, KEEP_AFTER_S);
}

void
keep_dropped(struct front *front, enum keep_kind kind, const char *id)
{
	struct keep *k = &front->keep;

	if (k->ndrops == k->size) {
		k->size = k->size == 0 ? 64 : k->size * 2;
		k->drops = reallocarray(k->drops, k->size, sizeof(*k->drops));
		if (k->drops == NULL)
			fatal("reallocarray");
	}
	k->drops[k->ndrops].kind = kind;
	(void)snprintf(k->drops[k->ndrops++].id, ID_SIZE, "%s", id);
	keep_changed(front);
}

/* Everything there is, and nothing else. */
static void
keep_retain(struct front *front)
{
	Criod__KeepRetain m = CRIOD__KEEP_RETAIN__INIT;
	struct pod *pod;
	struct ctr *c;

	size_t npods = front->npods + foreign_ids(front, KEEP_POD, NULL);
	size_t nctrs = front->nctrs + foreign_ids(front, KEEP_CTR, NULL);

	m.pods = pb_calloc(npods, sizeof(*m.pods));
	m.containers = pb_calloc(nctrs, sizeof(*m.containers));
	m.n_pods = foreign_ids(front, KEEP_POD, m.pods);
	m.n_containers = foreign_ids(front, KEEP_CTR, m.containers);
	TAILQ_FOREACH(pod, &front->pods, entry) {
		m.pods[m.n_pods++] = pod->id;
		pod->kept = false;
	}
	TAILQ_FOREACH(c, &front->ctrs, entry) {
		m.containers[m.n_containers++] = c->id;
		c->kept = false;
	}
	(void)link_send(front->keeper, MSG_KEEP_RETAIN, &m, NULL, 0);
	free(m.pods);
	free(m.containers);
	front->keep.all = false;
	front->keep.ndrops = 0;
}

static void
keep_send_drops(struct front *front)
{
	Criod__KeepRecord m = CRIOD__KEEP_RECORD__INIT;
	struct keep *k = &front->keep;

	for (size_t i = 0; i < k->ndrops; i++) {
		m.kind = k->drops[i].kind;
		m.id = k->drops[i].id;
		(void)link_send(front->keeper, MSG_KEEP_DROP, &m, NULL, 0);
	}
	k->ndrops = 0;
}

/* A part of what changed: bounded in number and bytes. */
struct keep_batch {
	struct front *front;
	size_t n, bytes;
};

static bool
keep_full(const struct keep_batch *b)
{
	return b->n == KEEP_BATCH || b->bytes >= KEEP_BYTES;
}

static void
keep_put(struct keep_batch *b, enum keep_kind kind, char *id, uint8_t *buf,
    size_t len)
{
	Criod__KeepRecord m = CRIOD__KEEP_RECORD__INIT;

	m.kind = kind;
	m.id = id;
	m.data.data = buf;
	m.data.len = len;
	(void)link_send(b->front->keeper, MSG_KEEP_PUT, &m, NULL, 0);
	free(buf);
	b->n++;
	b->bytes += len;
}

static void
keep_send_changed(struct front *front)
{
	struct keep_batch b = { front, 0, 0 };
	struct pod *pod;
	struct ctr *c;
	uint8_t *buf;
	size_t len;

	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (pod->kept || keep_full(&b))
			continue;
		pod->kept = true;
		len = store_pack_pod(pod, &buf);
		keep_put(&b, KEEP_POD, pod->id, buf, len);
	}
	TAILQ_FOREACH(c, &front->ctrs, entry) {
		if (c->kept || keep_full(&b))
			continue;
		c->kept = true;
		len = store_pack_ctr(c, true, &buf);
		keep_put(&b, KEEP_CTR, c->id, buf, len);
	}
}

static bool
keep_more(const struct front *front)
{
	const struct pod *pod;
	const struct ctr *c;

	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (!pod->kept)
			return true;
	}
	TAILQ_FOREACH(c, &front->ctrs, entry) {
		if (!c->kept)
			return true;
	}
	return front->keep.ndrops > 0;
}

/*
 * A keeper that is away will be told everything anew; one that could not
 * write (a full disk), too, a while later.
 */
static void
keep_synced(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct front *front = arg;
	struct keep *k = &front->keep;

	(void)m;
	k->busy = false;
	if (err != NULL && err->code == CERR_UNAVAILABLE) {
		keep_arm(front, KEEP_AFTER_S);
		return;
	}
	if (err == NULL) {
		if (k->broken)
			log_info("records are copied to disk again");
		k->broken = false;
		if (keep_more(front))
			keep_arm(front, KEEP_AFTER_S);
		return;
	}
	if (!k->broken)
		log_error("records are not copied to disk: %s; pods that are "
			  "made now are forgotten by a reboot",
		    err->text);
	k->broken = true;
	k->all = true;
	keep_arm(front, KEEP_AGAIN_S);
}

static void
keep_send(struct front *front)
{
	struct fixed_none none = { 0 };

	if (front->keep.all)
		keep_retain(front);
	keep_send_drops(front);
	keep_send_changed(front);
	front->keep.busy = true;
	(void)link_request(front->keeper, MSG_KEEP_SYNC, &none, NULL, 0,
	    mono_after_ms(KEEP_SYNC_MS), keep_synced, front);
}

/* ---- what is read back ---- */

static void keep_ask(struct front *front);

static void
keep_restored(struct front *front)
{
	struct cerr err;

	front->keep.restoring = false;
	store_rebooted(front);
	if (keep_mark(front, true, &err) == -1)
		log_error("mark of this boot: %s", err.text);
	front->keep.all = true;
	keep_changed(front);
	front->keep.ready(front);
}

static void
keep_got(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct front *front = arg;
	struct keep *k = &front->keep;
	const Criod__KeepGot *got;

	k->busy = false;
	if (err != NULL) {
		log_warn("records of the last boot cannot be read yet: %s",
		    err->text);
		keep_arm(front, KEEP_AFTER_S);
		return;
	}
	got = m->body;
	for (size_t i = 0; i < got->n_records; i++) {
		store_take_kept(front, k->kind, got->records[i]);
		(void)snprintf(k->after, sizeof(k->after), "%s",
		    got->records[i]->id);
	}
	if (got->n_records == 0) {
		k->after[0] = '\0';
		k->kind++;
	}
	if (k->kind == KEEP_KINDS)
		keep_restored(front);
	else
		keep_ask(front);
}

static void
keep_ask(struct front *front)
{
	Criod__KeepRecord m = CRIOD__KEEP_RECORD__INIT;

	if (front->keep.busy)
		return;
	front->keep.busy = true;
	m.kind = front->keep.kind;
	m.id = front->keep.after;
	(void)link_request(front->keeper, MSG_KEEP_GET, &m, NULL, 0,
	    mono_after_ms(FRONT_QUERY_MS), keep_got, front);
}

static void
keep_timer(evutil_socket_t fd, short what, void *arg)
{
	struct front *front = arg;

	(void)fd;
	(void)what;
	if (!link_attached(front->keeper))
		return;
	if (front->keep.restoring)
		keep_ask(front);
	else if (!front->keep.busy)
		keep_send(front);
}

void
keep_attached(struct front *front)
{
	front->keep.all = true;
	if (front->keep.restoring)
		keep_ask(front);
	else
		keep_changed(front);
}

int
keep_open(struct front *front, void (*ready)(struct front *front),
    struct cerr *err)
{
	struct keep *k = &front->keep;
	bool same = false, done = false;

	k->ready = ready;
	k->timer = evtimer_new(front->base, keep_timer, front);
	if (k->timer == NULL)
		fatalx("evtimer_new");
	k->rebooted = k->restoring = keep_is_rebooted(front);
	/* Not written without need: the disk may be full by now. */
	if (keep_look(front, &same, &done, NULL) == 0 && same &&
	    done == !k->restoring)
		return 0;
	return keep_mark(front, !k->restoring, err);
}
