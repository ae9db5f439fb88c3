#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "nrid/bytes.h"
#include "nrid/job.h"
#include "nrid/plugin.h"
#include "nrid/sync.h"
#include "nrid/update.h"
#include "proto/pballoc.h"

#define SYNC_CHUNK  (1024U * 1024) /* bytes of one message, about */
#define SYNC_MEMORY (32U * 1024 * 1024)
#define SYNC_REST   1024 /* of a call, beside its payload */

/* SynchronizeRequest's fields. */
#define SYNC_PODS 1
#define SYNC_CTRS 2
#define SYNC_MORE 3

struct sync {
	struct plugin *plugin; /* NULL once it is done or gone */
	struct bytes *chunks;
	size_t nchunks, at;
	/* The updates it asks for, at the end. */
	struct pballoc mem;
	Nri__SynchronizeResponse *response;
};

/* An object, in the field number; one that no message has room for is not. */
static void
sync_add(struct sync *s, unsigned int number, const char *id,
    const struct bytes *object)
{
	struct bytes *last = &s->chunks[s->nchunks - 1];

	if (BYTES_FIELD(object->len) + SYNC_REST > TTRPC_MAX) {
		log_warn("NRI plugin %s is not told of %s: too large",
		    s->plugin->name, id);
		return;
	}
	if (last->len > 0 &&
	    last->len + BYTES_FIELD(object->len) > SYNC_CHUNK) {
		s->chunks =
		    realloc(s->chunks, (s->nchunks + 1) * sizeof(*s->chunks));
		if (s->chunks == NULL)
			fatal("realloc");
		last = &s->chunks[s->nchunks++];
		*last = (struct bytes){ 0 };
	}
	bytes_add_field(last, number, object->data, object->len, NULL, 0);
}

static void
sync_collect(struct sync *s)
{
	struct known *k = &s->plugin->nrid->known;
	const struct known_pod *pod;
	const struct known_ctr *c;
	struct bytes object = { 0 };

	s->chunks = nrid_alloc(1, sizeof(*s->chunks));
	s->nchunks = 1;
	LIST_FOREACH(pod, &k->pods, entry) {
		object.len = 0;
		bytes_add(&object, pod->pod.data, pod->pod.len);
		sync_add(s, SYNC_PODS, pod->id, &object);
	}
	LIST_FOREACH(c, &k->ctrs, entry) {
		if (c->front.len == 0)
			continue;
		object.len = 0;
		bytes_add(&object, c->front.data, c->front.len);
		bytes_add(&object, c->execd.data, c->execd.len);
		bytes_add(&object, c->limits.data, c->limits.len);
		sync_add(s, SYNC_CTRS, c->id, &object);
	}
	bytes_clear(&object);
	for (size_t i = 0; i + 1 < s->nchunks; i++)
		bytes_add_number(&s->chunks[i], SYNC_MORE, 1);
}

static void
sync_free(struct sync *s)
{
	for (size_t i = 0; i < s->nchunks; i++)
		bytes_clear(&s->chunks[i]);
	free(s->chunks);
	pballoc_clear(&s->mem);
	free(s);
}

static void
sync_updated(void *arg, const size_t *failed, size_t nfailed,
    const struct cerr *err)
{
	(void)failed;
	(void)nfailed;
	(void)err;
	sync_free(arg);
}

/* Its synchronization is over, well or not. */
static void
sync_leave(struct plugin *p)
{
	struct nrid *n = p->nrid;

	p->sync->plugin = NULL;
	p->sync = NULL;
	if (--n->nsyncing == 0)
		job_release(n);
}

void
sync_forget(struct plugin *p)
{
	struct sync *s = p->sync;

	if (s == NULL)
		return;
	sync_leave(p);
	/* Its call is still in flight, and will be ended. */
}

static void
sync_done(struct sync *s)
{
	struct plugin *p = s->plugin;
	struct nrid *n = p->nrid;

	plugin_set_state(p, PLUGIN_ACTIVE);
	log_info("NRI plugin %s is synchronized, for events 0x%x", p->name,
	    p->events);
	sync_leave(p);
	update_run(n, s->response->update, s->response->n_update, sync_updated,
	    s);
	sync_review(n);
}

static void sync_next(struct sync *s);

static const char *
sync_take(struct sync *s, const uint8_t *payload, size_t len)
{
	bool more = s->at + 1 < s->nchunks;

	pballoc_clear(&s->mem);
	pballoc_init(&s->mem, SYNC_MEMORY);
	s->response = nrid_decode(&s->mem,
	    &nri__synchronize_response__descriptor, payload, len);
	if (s->response == NULL)
		return "a malformed answer to Synchronize";
	if (more && (!s->response->more || s->response->n_update > 0))
		return "it cannot be synchronized in parts";
	return NULL;
}

static void
sync_reply(void *arg, const uint8_t *payload, size_t len,
    const struct cerr *err, bool answered)
{
	struct sync *s = arg;
	const char *wrong;

	(void)answered;
	if (s->plugin == NULL) {
		sync_free(s);
		return;
	}
	wrong = err != NULL ? err->text : sync_take(s, payload, len);
	if (wrong != NULL) {
		struct plugin *p = s->plugin;

		sync_leave(p);
		sync_free(s);
		plugin_drop(p, wrong);
		return;
	}
	if (++s->at < s->nchunks)
		sync_next(s);
	else
		sync_done(s);
}

static void
sync_next(struct sync *s)
{
	const struct bytes *b = &s->chunks[s->at];
	struct plugin *p = s->plugin;
	struct cerr err;

	if (plugin_call_bytes(p, "Synchronize", b->data, b->len, sync_reply, s,
		&err) == 0)
		return;
	sync_leave(p);
	sync_free(s);
	plugin_drop(p, err.text);
}

static void
sync_begin(struct plugin *p)
{
	struct sync *s = nrid_alloc(1, sizeof(*s));

	s->plugin = p;
	p->sync = s;
	pballoc_init(&s->mem, SYNC_MEMORY);
	p->nrid->nsyncing++;
	plugin_set_state(p, PLUGIN_SYNCING);
	sync_collect(s);
	sync_next(s);
}

/* The first that waits, when nothing is under way. */
static struct plugin *
sync_find(struct nrid *n)
{
	struct plugin *p;

	if (!n->told_front || !n->told_execd || n->nactive > 0 ||
	    n->nsyncing > 0)
		return NULL;
	TAILQ_FOREACH(p, &n->plugins, entry) {
		if (p->state == PLUGIN_WAITING)
			return p;
	}
	return NULL;
}

/* If nobody is to be synchronized, what was held for that goes on. */
void
sync_review(struct nrid *n)
{
	struct plugin *p = sync_find(n);

	if (p != NULL)
		sync_begin(p);
	else
		job_release(n);
}
