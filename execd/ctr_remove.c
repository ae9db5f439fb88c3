#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

#include "execd/ctr.h"
#include "execd/mon.h"
#include "imsg/fixed.h"
#include "lib/log.h"

#define CTR_RETRY_MS 10000

/*
 * Removing a container, and undoing one that could not be made, are the same
 * steps: each may be repeated, and finds nothing to do where a step of the
 * making did not happen.
 */
static void ctr_undo_step(struct ctr *c);

static void
ctr_undo_again(evutil_socket_t fd, short what, void *arg)
{
	struct ctr *c = arg;

	(void)fd;
	(void)what;
	if (c->undo == CTR_UNDO_NONE)
		ctr_remove(c);
}

/* The caller of a create that failed, and those who want it removed. */
static void
ctr_undo_tell(struct ctr *c, const struct cerr *err)
{
	if (c->failed != NULL)
		link_refuse(c->failed, c->failed_why);
	free(c->failed_why);
	c->failed = NULL;
	c->failed_why = NULL;
	execd_wait_end(&c->removals, MSG_CTR_REMOVED, err);
}

/* Whoever waits is told; it is tried again even if nobody asks. */
static void
ctr_undo_failed(struct ctr *c, const struct cerr *err)
{
	struct timeval tv = { CTR_RETRY_MS / 1000, 0 };

	log_warn("container %s: cannot be removed yet: %s", c->id, err->text);
	c->undo = CTR_UNDO_NONE;
	ctr_undo_tell(c, err);
	if (c->retry == NULL)
		c->retry =
		    evtimer_new(helper_base(c->x->helper), ctr_undo_again, c);
	if (c->retry == NULL)
		fatalx("evtimer_new");
	(void)evtimer_add(c->retry, &tv);
}

static void
ctr_undo_finish(struct ctr *c)
{
	Criod__LeasePut lease;
	struct cerr err;

	criod__lease_put__init(&lease);
	lease.container_id = c->id;
	/* An imaged that is away hears only of the leases that still are. */
	(void)link_send(execd_imaged(c->x), MSG_LEASE_PUT, &lease, NULL, 0);
	if (execd_remove_dir(c->x, c->id, &err) == -1) {
		ctr_undo_failed(c, &err);
		return;
	}
	log_debug("container %s: removed", c->id);
	ctr_undo_tell(c, NULL);
	ctr_free(c);
}

/* A step ended. */
static void
ctr_undone(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr *c = arg;

	(void)m;
	if (err != NULL && err->code != CERR_NOT_FOUND) {
		ctr_undo_failed(c, err);
		return;
	}
	if (c->undo == CTR_UNDO_ROOTFS) {
		ctr_undo_finish(c);
		return;
	}
	c->undo++;
	ctr_undo_step(c);
}

/* The monitor's answer is of no interest: it ends with the container. */
static void
ctr_quit_sent(void *arg, struct link_msg *m, const struct cerr *err)
{
	(void)err;
	ctr_undone(arg, m, NULL);
}

static void
ctr_undo_step(struct ctr *c)
{
	struct fixed_ctr body = { .runtime = c->runtime };
	struct fixed_none none = { 0 };
	struct mono deadline = mono_after_ms(EXECD_STEP_MS);

	memcpy(body.ctr, c->id, sizeof(body.ctr));
	if (c->undo == CTR_UNDO_QUIT &&
	    (c->mon == NULL || !link_attached(c->mon)))
		c->undo = CTR_UNDO_ROOTFS;
	if (c->undo == CTR_UNDO_QUIT)
		(void)link_request(c->mon, MSG_MON_QUIT, &none, NULL, 0,
		    mono_after_ms(EXECD_MONITOR_MS), ctr_quit_sent, c);
	else if (c->undo == CTR_UNDO_DELETE)
		(void)link_request(execd_launcher(c->x), MSG_L_CTR_DELETE,
		    &body, NULL, 0, deadline, ctr_undone, c);
	else
		(void)link_request(execd_launcher(c->x), MSG_L_ROOTFS_DROP,
		    &body, NULL, 0, deadline, ctr_undone, c);
}

void
ctr_remove(struct ctr *c)
{
	struct cerr err;

	/* A full disk must not keep anything from being removed. */
	if (ctr_set_state(c, CTR_REMOVING, &err) == -1)
		log_debug("container %s: %s", c->id, err.text);
	c->undo = CTR_UNDO_DELETE;
	ctr_undo_step(c);
}

/*
 * While it is being made or started, its removal waits: those steps end, one
 * way or the other, and then look for it.
 */
void
ctr_take_remove(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrId *body = m->body;
	struct cerr err;
	struct ctr *c = ctr_find_or(ctx, body->id, &err);

	/* One of an earlier boot has left a writable layer. */
	if (c == NULL && err.code == CERR_NOT_FOUND) {
		c = ctr_new(ctx, body->id, "");
		c->state = CTR_REMOVING;
	}
	if (c == NULL) {
		link_refuse(call, &err);
		return;
	}
	execd_wait_add(&c->removals, call);
	if (c->undo == CTR_UNDO_NONE && c->create == NULL &&
	    c->state != CTR_STARTING)
		ctr_remove(c);
}
