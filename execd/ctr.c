#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ctr.h"
#include "execd/mon.h"
#include "execd/runtime.h"
#include "execd/stream.h"
#include "execd/stats.h"
#include "lib/fdio.h"
#include "lib/log.h"

static const char *const ctr_state_names[] = {
	[CTR_CREATING] = "creating",
	[CTR_CREATED] = "created",
	[CTR_STARTING] = "starting",
	[CTR_RUNNING] = "running",
	[CTR_EXITED] = "exited",
	[CTR_REMOVING] = "removing",
};

/* What may follow a state, as bits. */
#define CTR_TO(state) (1U << (state))
static const unsigned int ctr_next[] = {
	[CTR_CREATING] = CTR_TO(CTR_CREATED) | CTR_TO(CTR_REMOVING),
	[CTR_CREATED] =
	    CTR_TO(CTR_STARTING) | CTR_TO(CTR_EXITED) | CTR_TO(CTR_REMOVING),
	[CTR_STARTING] =
	    CTR_TO(CTR_CREATED) | CTR_TO(CTR_RUNNING) | CTR_TO(CTR_EXITED),
	[CTR_RUNNING] = CTR_TO(CTR_EXITED) | CTR_TO(CTR_REMOVING),
	[CTR_EXITED] = CTR_TO(CTR_EXITED) | CTR_TO(CTR_REMOVING),
	[CTR_REMOVING] = CTR_TO(CTR_REMOVING),
};

struct ctr *
ctr_find(struct execd *x, const char *id)
{
	struct ctr *c = NULL;

	LIST_FOREACH(c, &x->ctrs, entry) {
		if (strcmp(c->id, id) == 0)
			return c;
	}
	return NULL;
}

struct ctr *
ctr_find_or(struct execd *x, const char *id, struct cerr *err)
{
	struct ctr *c = id_valid(id) ? ctr_find(x, id) : NULL;

	if (!id_valid(id))
		(void)cerr_set(err, CERR_INVALID_ARGUMENT,
		    "not a container id");
	else if (c == NULL)
		(void)cerr_set(err, CERR_NOT_FOUND, "no container %s", id);
	else if (c->foreign)
		(void)cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s is a newer version's", id);
	return c == NULL || c->foreign ? NULL : c;
}

bool
ctr_alive(const struct ctr *c)
{
	return !c->end.set &&
	       (c->state == CTR_CREATED || c->state == CTR_STARTING ||
		   c->state == CTR_RUNNING);
}

bool
ctr_any_alive(struct execd *x, const char *pod)
{
	struct ctr *c = NULL;

	LIST_FOREACH(c, &x->ctrs, entry) {
		if (strcmp(c->pod, pod) == 0 &&
		    (ctr_alive(c) || c->state == CTR_CREATING))
			return true;
	}
	return false;
}

struct ctr *
ctr_new(struct execd *x, const char *id, const char *pod)
{
	struct ctr *c = execd_alloc(1, sizeof(*c));

	c->x = x;
	(void)snprintf(c->id, sizeof(c->id), "%s", id);
	(void)snprintf(c->pod, sizeof(c->pod), "%s", pod);
	SIMPLEQ_INIT(&c->removals);
	SIMPLEQ_INIT(&c->reopens);
	LIST_INSERT_HEAD(&x->ctrs, c, entry);
	return c;
}

void
ctr_free(struct ctr *c)
{
	LIST_REMOVE(c, entry);
	mon_close(c);
	if (c->retry != NULL)
		event_free(c->retry);
	stats_free(&c->stats);
	free(c->image);
	for (size_t i = 0; i < c->nvolumes; i++)
		free(c->volumes[i]);
	free(c->volumes);
	free(c->log_dir);
	free(c->log_name);
	free(c);
}

struct ctr_ref *
ctr_ref_new(struct ctr *c, struct link_call *call)
{
	struct ctr_ref *r = execd_alloc(1, sizeof(*r));

	r->x = c->x;
	memcpy(r->id, c->id, sizeof(r->id));
	r->call = call;
	return r;
}

int
ctr_open_dir(struct ctr *c)
{
	return execd_open_dir(c->x, c->id);
}

/* The record borrows everything. */
static int
ctr_save(struct ctr *c, struct cerr *err)
{
	static char empty[] = "";
	Criod__ExecdCtr rec;
	Criod__CtrExited end;
	CLEANUP_FREE char *runtime =
	    execd_strdup(runtime_name(c->x, c->runtime));
	CLEANUP_FD int dir = ctr_open_dir(c);

	if (dir == -1)
		return cerr_errno(err, "open bundle %s", c->id);
	criod__execd_ctr__init(&rec);
	criod__ctr_exited__init(&end);
	rec.state = c->state;
	rec.pod_id = c->pod;
	rec.image_id = c->image != NULL ? c->image : empty;
	rec.volumes = c->volumes;
	rec.n_volumes = c->nvolumes;
	rec.runtime = runtime;
	rec.pid = c->pid;
	rec.start_time = c->start_time;
	rec.started_at = c->started_at;
	rec.log_dir = c->log_dir != NULL ? c->log_dir : empty;
	rec.log_name = c->log_name != NULL ? c->log_name : empty;
	end.exit_code = (int32_t)c->end.code;
	end.finished_at = c->end.finished_at;
	end.oom_killed = c->end.oom;
	end.unknown = c->end.unknown;
	rec.frozen = c->frozen;
	rec.exit = c->end.set ? &end : NULL;
	return execd_record_write(dir, CTR_STATE_FILE, c->id, &rec, err);
}

int
ctr_set_state(struct ctr *c, enum ctr_state state, struct cerr *err)
{
	if (c->state != state) {
		if ((ctr_next[c->state] & CTR_TO(state)) == 0)
			fatalx("container %s: %s after %s", c->id,
			    ctr_state_names[state], ctr_state_names[c->state]);
		log_debug("container %s: %s", c->id, ctr_state_names[state]);
	}
	c->state = state;
	return ctr_save(c, err);
}

static void
ctr_tell(struct ctr *c)
{
	Criod__CtrExited body;

	criod__ctr_exited__init(&body);
	body.id = c->id;
	body.exit_code = (int32_t)c->end.code;
	body.finished_at = c->end.finished_at;
	body.oom_killed = c->end.oom;
	body.unknown = c->end.unknown;
	/* If front is away it asks for CTR_LIST when it is back. */
	(void)link_send(execd_front(c->x), MSG_CTR_EXITED, &body, NULL, 0);
}

/*
 * While the start is not answered the end waits: front is to hear of the
 * start first.  ctr_ops.c calls again.
 */
void
ctr_ended(struct ctr *c, const struct ctr_end *end)
{
	struct cerr err;

	if (c->end.set && end != &c->end)
		return;
	c->end = *end;
	stream_ctr_ended(c, end->code);
	if (c->state != CTR_CREATED && c->state != CTR_RUNNING)
		return;
	log_info("container %s: ended with %u%s%s", c->id, end->code,
	    end->oom ? ", out of memory" : "",
	    end->unknown ? ", its monitor was gone" : "");
	if (ctr_set_state(c, CTR_EXITED, &err) == -1)
		log_warn("container %s: %s", c->id, err.text);
	ctr_tell(c);
}
