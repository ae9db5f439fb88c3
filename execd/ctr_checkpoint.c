/* Checkpoints of running containers of one pod, all at one moment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "execd/checkpoint_list.h"
#include "execd/ctr.h"
#include "execd/info.h"
#include "execd/pod.h"
#include "execd/pod_ns.h"
#include "execd/runtime.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "lib/json.h"
#include "lib/log.h"

#define CHECKPOINT_MS	 (600 * 1000)
#define CHECKPOINT_GRACE 90000 /* for the launcher to undo it */
#define CHECKPOINT_TIME	 40

struct ctr_checkpoint {
	struct execd *x;
	struct link_call *call;
	uint32_t request;
	size_t n;
	char ids[CHECKPOINT_MAX][ID_SIZE];
};

/* The list that the launcher gets: items, then texts. */
struct ctr_list_text {
	struct checkpoint_item items[CHECKPOINT_MAX];
	char *texts[2 * CHECKPOINT_MAX];
	size_t ntexts;
};

/* ---- what others read of an archive ---- */

/* RFC 3339, as Go's readers want it. */
static void
checkpoint_time(int64_t ns, char buf[CHECKPOINT_TIME])
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(buf, CHECKPOINT_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		buf[0] = '\0';
}

static char *
checkpoint_config(const struct ctr *c, const Criod__CtrCheckpoint__Item *it)
{
	char made[CHECKPOINT_TIME], now[CHECKPOINT_TIME];
	json_t *o;
	char *text;

	checkpoint_time(it->created_at, made);
	checkpoint_time(wall_now_ns(), now);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id",
	    c->id, "name", it->name, "rootfsImage", c->image, "rootfsImageRef",
	    it->image_ref, "rootfsImageName", it->image, "runtime",
	    runtime_name(c->x, c->runtime), "createdTime", made,
	    "checkpointedTime", now, "restored", 0);
	text = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

/* config.json, and what checkpointctl shows of it. */
static char *
checkpoint_spec(struct ctr *c, const Criod__CtrCheckpoint *r,
    const Criod__CtrCheckpoint__Item *it, struct cerr *err)
{
	CLEANUP_FREE char *text = NULL;
	json_t *o, *names;
	char *out;

	if (info_read(c, &text, err) == -1)
		return NULL;
	o = json_read_bounded("config.json", text, strlen(text),
	    CHECKPOINT_LIST_MAX, err);
	if (o == NULL)
		return NULL;
	names = json_pack("{s:s, s:s, s:s, s:s}", "io.container.manager",
	    "criod", "io.kubernetes.cri.container-name", it->name,
	    "io.kubernetes.cri.sandbox-name", r->pod_name,
	    "io.kubernetes.cri.sandbox-namespace", r->pod_namespace);
	if (json_object_set_new(o, "annotations", names) == -1)
		(void)cerr_set(err, CERR_RESOURCE_EXHAUSTED, "no memory");
	out = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return out;
}

/* ---- the request ---- */

static int
checkpoint_may(struct execd *x, struct ctr *c, struct cerr *err)
{
	const char *why = runtime_no_checkpoint(x, c->runtime);
	struct cerr own;
	struct pod *p;

	if (why != NULL)
		return cerr_set(err, CERR_FAILED_PRECONDITION, "checkpoint: %s",
		    why);
	if (c->state != CTR_RUNNING || c->end.set || c->frozen)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s is not running, or a checkpoint is under way",
		    c->id);
	p = pod_find_ready(x, c->pod, &own);
	if (p == NULL || (p->facts.namespaces & POD_NS_USER) != 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s: a pod with a user namespace cannot be "
		    "checkpointed",
		    c->id);
	return 0;
}

static int
checkpoint_add(struct execd *x, struct ctr_list_text *l, size_t i,
    const Criod__CtrCheckpoint *r, struct cerr *err)
{
	const Criod__CtrCheckpoint__Item *it = r->items[i];
	struct checkpoint_item *out = &l->items[i];
	struct ctr *c = ctr_find_or(x, it->id, err);
	char *config, *spec;

	if (c == NULL || checkpoint_may(x, c, err) == -1)
		return -1;
	if (FIXED_SET_STR(out->file, it->file) == -1)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "name of an archive: too long");
	memcpy(out->ctr, c->id, sizeof(out->ctr));
	out->runtime = c->runtime;
	config = checkpoint_config(c, it);
	l->texts[l->ntexts++] = config;
	spec = checkpoint_spec(c, r, it, err);
	l->texts[l->ntexts++] = spec;
	if (config == NULL || spec == NULL)
		return spec == NULL
			   ? -1
			   : cerr_set(err, CERR_INTERNAL,
				 "container %s cannot be described", c->id);
	out->config_len = (uint32_t)strlen(config);
	out->spec_len = (uint32_t)strlen(spec);
	return 0;
}

static int
checkpoint_memfd(const struct ctr_list_text *l, size_t n, struct cerr *err)
{
	size_t len = n * sizeof(l->items[0]), at = len;
	CLEANUP_FREE char *buf = NULL;
	int fd;

	for (size_t i = 0; i < l->ntexts; i++)
		len += strlen(l->texts[i]);
	if (len > CHECKPOINT_LIST_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "checkpoint: too many containers");
	buf = execd_alloc(1, len);
	memcpy(buf, l->items, at);
	for (size_t i = 0; i < l->ntexts; i++) {
		size_t part = strlen(l->texts[i]);

		memcpy(buf + at, l->texts[i], part);
		at += part;
	}
	fd = fdio_memfd_sealed("checkpoint", buf, len);
	return fd == -1 ? cerr_errno(err, "checkpoint") : fd;
}

static int
checkpoint_list(struct execd *x, const Criod__CtrCheckpoint *r,
    struct cerr *err)
{
	struct ctr_list_text *l;
	int fd = -1, ret = 0;

	if (r->n_items == 0 || r->n_items > CHECKPOINT_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "1 to %d containers at once", CHECKPOINT_MAX);
	l = execd_alloc(1, sizeof(*l));
	for (size_t i = 0; ret == 0 && i < r->n_items; i++)
		ret = checkpoint_add(x, l, i, r, err);
	if (ret == 0)
		fd = checkpoint_memfd(l, r->n_items, err);
	for (size_t i = 0; i < l->ntexts; i++)
		free(l->texts[i]);
	free(l);
	return fd;
}

/* ---- the work ---- */

/* Kept, so that whoever comes after a crash lets it go on. */
static void
checkpoint_mark(struct ctr *c, bool frozen)
{
	struct cerr err;

	c->frozen = frozen;
	if (ctr_set_state(c, c->state, &err) == -1)
		log_warn("container %s: %s", c->id, err.text);
}

static void
checkpoint_mark_all(struct ctr_checkpoint *k, bool frozen)
{
	for (size_t i = 0; i < k->n; i++) {
		struct ctr *c = ctr_find(k->x, k->ids[i]);

		if (c != NULL)
			checkpoint_mark(c, frozen);
	}
}

static void
checkpoint_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_checkpoint *k = arg;
	Criod__Empty body = CRIOD__EMPTY__INIT;

	(void)m;
	/* A launcher that went away undid nothing: see ctr_resume. */
	if (err == NULL || err->code != CERR_UNAVAILABLE)
		checkpoint_mark_all(k, false);
	if (err != NULL)
		link_refuse(k->call, err);
	else
		link_reply(k->call, MSG_CTR_CHECKPOINTED, &body, NULL, 0);
	free(k);
}

static void
checkpoint_ended(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_ref *r = arg;
	struct ctr *c = ctr_find(r->x, r->id);

	(void)m;
	if (err != NULL)
		log_warn("container %s: %s", r->id, err->text);
	if (c != NULL && (err == NULL || err->code != CERR_UNAVAILABLE))
		checkpoint_mark(c, false);
	free(r);
}

void
ctr_checkpoint_end(struct ctr *c)
{
	struct fixed_ctr body = { .runtime = c->runtime };

	memcpy(body.ctr, c->id, sizeof(body.ctr));
	(void)link_request(execd_launcher(c->x), MSG_L_CHECKPOINT_END, &body,
	    NULL, 0, mono_after_ms(EXECD_STEP_MS), checkpoint_ended,
	    ctr_ref_new(c, NULL));
}

/* The launcher undoes what it has begun; asked again, it does no harm. */
static void
checkpoint_cancelled(void *arg)
{
	struct ctr_checkpoint *k = arg;
	struct cerr err;

	link_cancel(execd_launcher(k->x), k->request);
	for (size_t i = 0; i < k->n; i++) {
		struct ctr *c = ctr_find(k->x, k->ids[i]);

		if (c != NULL)
			ctr_checkpoint_end(c);
	}
	(void)cerr_set(&err, CERR_CANCELLED, "cancelled");
	link_refuse(k->call, &err);
	free(k);
}

static int64_t
checkpoint_timeout(const Criod__CtrCheckpoint *r)
{
	return r->timeout_ms > 0 && r->timeout_ms < CHECKPOINT_MS
		   ? r->timeout_ms
		   : CHECKPOINT_MS;
}

static void
checkpoint_send(struct ctr_checkpoint *k, const Criod__CtrCheckpoint *r, int fd)
{
	int64_t ms = checkpoint_timeout(r);
	struct fixed_checkpoint body = { .n = (uint32_t)r->n_items,
		.empty = r->empty ? 1 : 0,
		.timeout_ms = (uint64_t)ms };

	if (FIXED_SET_STR(body.dir, r->directory) == -1)
		fatalx("directory of a checkpoint");
	checkpoint_mark_all(k, true);
	k->request = link_request(execd_launcher(k->x), MSG_L_CHECKPOINT, &body,
	    &fd, 1, mono_after_ms(ms + CHECKPOINT_GRACE), checkpoint_done, k);
	link_call_on_cancel(k->call, checkpoint_cancelled, k);
}

void
ctr_take_checkpoint(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrCheckpoint *r = m->body;
	struct ctr_checkpoint *k;
	struct execd *x = ctx;
	struct cerr err;
	int fd = -1;

	if (strlen(r->directory) >= sizeof(((struct fixed_checkpoint *)0)->dir))
		(void)cerr_set(&err, CERR_INVALID_ARGUMENT, "path: too long");
	else
		fd = checkpoint_list(x, r, &err);
	if (fd == -1) {
		link_refuse(call, &err);
		return;
	}
	k = execd_alloc(1, sizeof(*k));
	k->x = x;
	k->call = call;
	k->n = r->n_items;
	for (size_t i = 0; i < k->n; i++)
		memcpy(k->ids[i], r->items[i]->id, ID_SIZE);
	checkpoint_send(k, r, fd);
}
