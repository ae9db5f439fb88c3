#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criod/check.h"
#include "criod/ctr.h"
#include "criod/figures.h"
#include "criod/front.h"
#include "criod/op.h"
#include "criod/nri.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "imsg/link.h"
#include "lib/log.h"

static const char *const ctr_state_names[] = {
	[CTR_NEW] = "NEW",
	[CTR_CREATED] = "CREATED",
	[CTR_RUNNING] = "RUNNING",
	[CTR_EXITED] = "EXITED",
};

/* From each state, those that may follow. */
static const unsigned int ctr_transitions[] = {
	[CTR_NEW] = 1U << CTR_CREATED,
	[CTR_CREATED] = 1U << CTR_RUNNING | 1U << CTR_EXITED |
			1U << CTR_NEW, /* nobody took it */
	[CTR_RUNNING] = 1U << CTR_EXITED,
	[CTR_EXITED] = 0,
};

bool
ctr_visible(const struct ctr *c)
{
	return !c->parked && c->state != CTR_NEW;
}

struct ctr *
ctr_new(struct front *front, const char *id, struct pod *pod,
    Runtime__V1__ContainerConfig *config)
{
	struct ctr *c = pb_calloc(1, sizeof(*c));

	c->front = front;
	c->pod = pod;
	c->seq = ++front->seq;
	(void)snprintf(c->id, sizeof(c->id), "%s", id);
	(void)snprintf(c->pod_id, sizeof(c->pod_id), "%s", pod->id);
	c->state = CTR_NEW;
	c->config = config;
	wait_init(&c->create_waits);
	wait_init(&c->start_waits);
	wait_init(&c->stop_waits);
	wait_init(&c->remove_waits);
	TAILQ_INIT(&c->updates);
	TAILQ_INSERT_TAIL(&front->ctrs, c, entry);
	front->nctrs++;
	return c;
}

static void
ctr_free_event(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

void
ctr_free(struct ctr *c)
{
	ctr_update_drop(c);
	TAILQ_REMOVE(&c->front->ctrs, c, entry);
	c->front->nctrs--;
	if (c->signal_request != 0)
		link_cancel(c->front->execd, c->signal_request);
	ctr_free_event(c->park_timer);
	ctr_free_event(c->stop_timer);
	pb_free(c->config);
	pb_free(c->made);
	free(c->image_name);
	free(c->image_id);
	free(c->checkpoint);
	free(c->target_id);
	free(c->reason);
	free(c->message);
	free(c);
}

void
ctr_set_state(struct ctr *c, enum ctr_state state)
{
	if ((ctr_transitions[c->state] & 1U << state) == 0)
		log_error("container %s: %s follows %s", c->id,
		    ctr_state_names[state], ctr_state_names[c->state]);
	log_debug("container %s: %s", c->id, ctr_state_names[state]);
	c->state = state;
}

void
ctr_set_text(char **where, const char *text)
{
	free(*where);
	*where = pb_strdup(text);
}

void
ctr_save(struct ctr *c)
{
	struct cerr err;

	if (store_write_ctr(c, &err) == -1)
		log_error("container %s: %s", c->id, err.text);
}

struct ctr *
ctr_by_id(struct front *front, const char *id)
{
	struct ctr *c;

	TAILQ_FOREACH(c, &front->ctrs, entry) {
		if (strcmp(c->id, id) == 0)
			return c;
	}
	return NULL;
}

struct ctr *
ctr_find(struct front *front, const char *id, struct cerr *err)
{
	size_t len = strlen(id);
	struct ctr *c, *found = NULL;

	if (len == 0) {
		(void)cerr_set(err, CERR_INVALID_ARGUMENT,
		    "container_id: must not be empty");
		return NULL;
	}
	TAILQ_FOREACH(c, &front->ctrs, entry) {
		if (!ctr_visible(c) || strncmp(c->id, id, len) != 0)
			continue;
		if (found != NULL) {
			(void)cerr_set(err, CERR_INVALID_ARGUMENT,
			    "container_id: %s is the beginning of several", id);
			return NULL;
		}
		found = c;
	}
	if (found == NULL)
		(void)cerr_set(err, CERR_NOT_FOUND, "container %.*s: not found",
		    ID_LEN, id);
	return found;
}

/* ---- how it ended ---- */

static const char *
ctr_reason(const Criod__CtrExited *e)
{
	if (e->unknown)
		return "Unknown";
	if (e->oom_killed)
		return "OOMKilled";
	return e->exit_code == 0 ? "Completed" : "Error";
}

static void
ctr_set_end(struct ctr *c, int32_t code, int64_t at, const char *reason,
    const char *message)
{
	c->exit_code = code;
	c->finished_at = at > c->started_at ? at : c->started_at;
	ctr_set_text(&c->reason, reason);
	ctr_set_text(&c->message, message);
	ctr_set_state(c, CTR_EXITED);
	ctr_save(c);
}

/* The record is written before anybody can be told. */
static void
ctr_end(struct ctr *c, int32_t code, int64_t at, const char *reason,
    const char *message)
{
	Runtime__V1__StopContainerResponse resp =
	    RUNTIME__V1__STOP_CONTAINER_RESPONSE__INIT;

	ctr_set_end(c, code, at, reason, message);
	if (!c->starting)
		events_ctr_stopped(c);
	nri_ctr_tell(c, NRI__EVENT__STOP_CONTAINER);
	c->plan.on = false;
	if (c->stop_timer != NULL)
		(void)evtimer_del(c->stop_timer);
	(void)wait_end(&c->stop_waits, NULL, &resp);
}

static bool
ctr_may_end(const struct ctr *c)
{
	return c->state == CTR_CREATED || c->state == CTR_RUNNING;
}

/* In a namespace that is not its own the end of the first ends no other. */
static bool
ctr_leaves_rest(const struct ctr *c)
{
	const Runtime__V1__NamespaceOption *ns =
	    check_ctr_namespaces(c->config);

	return ns == NULL || ns->pid != RUNTIME__V1__NAMESPACE_MODE__CONTAINER;
}

void
ctr_exited(struct ctr *c, const Criod__CtrExited *e)
{
	if (!ctr_may_end(c))
		return;
	if (e->oom_killed)
		figures_oom(c->front);
	ctr_end(c, e->unknown ? 255 : e->exit_code,
	    e->finished_at > 0 ? e->finished_at : wall_now_ns(), ctr_reason(e),
	    e->unknown ? "the process ended, but nobody saw how" : "");
	if (ctr_leaves_rest(c))
		ctr_kill_rest(c);
}

void
ctr_lost(struct ctr *c, const char *why)
{
	if (ctr_may_end(c))
		ctr_end(c, 255, wall_now_ns(), "Unknown", why);
}

/* Nobody is told: none has asked yet. */
void
ctr_rebooted(struct ctr *c)
{
	if (ctr_may_end(c))
		ctr_set_end(c, 255, wall_now_ns(), "NodeRestarted",
		    "the node was restarted; how the container ended is not "
		    "known");
}

void
ctr_start_failed(struct ctr *c, const struct cerr *err)
{
	if (ctr_may_end(c))
		ctr_end(c, 128, wall_now_ns(), "StartError", err->text);
}
