#include <stdlib.h>
#include <string.h>

#include "criod/check.h"
#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/nri.h"
#include "criod/nri_msg.h"
#include "criod/pb.h"
#include "criod/resources.h"
#include "imsg/link.h"

#define UPDATES_MAX 16 /* of one container, waiting for each other */

/* Each starts from what the one before it left. */
struct ctr_update {
	TAILQ_ENTRY(ctr_update) entry;
	struct front *front;
	char id[ID_SIZE];
	struct grpc_call *call;	  /* NULL: the client left, or a plugin asks */
	struct link_call *plugin; /* nrid's, or NULL */
	Runtime__V1__LinuxContainerResources *change, *merged;
	bool sent;
};

static void ctr_update_next(struct ctr *c);

static void
ctr_update_free(struct ctr_update *u)
{
	pb_free(u->change);
	pb_free(u->merged);
	free(u);
}

static void
ctr_update_end(struct ctr_update *u, const struct cerr *err)
{
	Runtime__V1__UpdateContainerResourcesResponse resp =
	    RUNTIME__V1__UPDATE_CONTAINER_RESOURCES_RESPONSE__INIT;
	Criod__Empty none = CRIOD__EMPTY__INIT;

	if (u->call != NULL) {
		grpc_on_cancel(u->call, NULL, NULL);
		if (err != NULL)
			grpc_fail(u->call, err);
		else
			grpc_reply(u->call, &resp);
	}
	if (u->plugin != NULL && err != NULL)
		link_refuse(u->plugin, err);
	else if (u->plugin != NULL)
		link_reply(u->plugin, MSG_NRI_UPDATED, &none, NULL, 0);
	ctr_update_free(u);
}

/* One that is under way goes on: what it did must be known. */
static void
ctr_update_left(void *arg)
{
	struct ctr_update *u = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	grpc_fail(u->call, &err);
	u->call = NULL;
}

static void
ctr_update_keep(struct ctr *c, struct ctr_update *u)
{
	Runtime__V1__LinuxContainerConfig none =
	    RUNTIME__V1__LINUX_CONTAINER_CONFIG__INIT;

	if (c->config->linux == NULL)
		c->config->linux = pb_copy(&none);
	pb_free(c->config->linux->resources);
	c->config->linux->resources = u->merged;
	u->merged = NULL;
	ctr_save(c);
}

static void
ctr_update_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_update *u = arg;
	struct ctr *c = ctr_by_id(u->front, u->id);

	(void)m;
	if (c == NULL) {
		ctr_update_end(u, err);
		return;
	}
	TAILQ_REMOVE(&c->updates, u, entry);
	c->nupdates--;
	if (err == NULL) {
		ctr_update_keep(c, u);
		if (u->plugin == NULL)
			nri_ctr_tell(c, NRI__EVENT__POST_UPDATE_CONTAINER);
	}
	ctr_update_end(u, err);
	ctr_update_next(c);
}

static int
ctr_update_may(const struct ctr *c, struct cerr *err)
{
	if (c->state == CTR_RUNNING || c->state == CTR_CREATED)
		return front_need(c->front->execd, err);
	return cerr_set(err, CERR_FAILED_PRECONDITION,
	    "container %s is neither created nor running", c->id);
}

static void
ctr_update_send(struct ctr *c, struct ctr_update *u)
{
	const Runtime__V1__LinuxContainerConfig *l = c->config->linux;
	Runtime__V1__LinuxContainerResources step;
	Criod__CtrUpdate body = CRIOD__CTR_UPDATE__INIT;

	u->merged = resources_merge(l == NULL ? NULL : l->resources, u->change);
	resources_step(&step, u->merged, u->change);
	body.id = c->id;
	body.resources = &step;
	u->sent = true;
	(void)link_request(c->front->execd, MSG_CTR_UPDATE, &body, NULL, 0,
	    mono_after_ms(FRONT_CTR_MS), ctr_update_done, u);
}

/* Plugins made something else of it. */
static int
ctr_update_adjust(struct ctr_update *u, const Nri__LinuxResources *r,
    struct cerr *err)
{
	Runtime__V1__UpdateContainerResourcesRequest check =
	    RUNTIME__V1__UPDATE_CONTAINER_RESOURCES_REQUEST__INIT;

	if (r == NULL)
		return 0;
	check.linux = nri_msg_change(r, err);
	if (check.linux == NULL)
		return -1;
	check.linux->oom_score_adj = u->change->oom_score_adj;
	pb_free(u->change);
	u->change = check.linux;
	return check_update_container(&check, err);
}

/* The answer of the plugins; it is as if it had been sent. */
static void
ctr_update_asked(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_update *u = arg;
	struct ctr *c = ctr_by_id(u->front, u->id);
	const Criod__NriDone *done = err == NULL ? m->body : NULL;
	struct cerr why;

	if (c == NULL) {
		(void)cerr_set(&why, CERR_NOT_FOUND, "container %s: removed",
		    u->id);
		ctr_update_end(u, &why);
		return;
	}
	if (done != NULL &&
	    (ctr_update_adjust(u, done->resources, &why) == -1 ||
		ctr_update_may(c, &why) == -1))
		err = &why;
	if (err != NULL)
		ctr_update_done(u, NULL, err);
	else
		ctr_update_send(c, u);
}

static void
ctr_update_begin(struct ctr *c, struct ctr_update *u)
{
	u->sent = true;
	if (u->plugin != NULL ||
	    !nri_ctr_update(c, u->change, ctr_update_asked, u))
		ctr_update_send(c, u);
}

static void
ctr_update_next(struct ctr *c)
{
	struct ctr_update *u;
	struct cerr err = { 0 };

	while ((u = TAILQ_FIRST(&c->updates)) != NULL && !u->sent) {
		if ((u->call != NULL || u->plugin != NULL) &&
		    ctr_update_may(c, &err) == 0) {
			ctr_update_begin(c, u);
			return;
		}
		TAILQ_REMOVE(&c->updates, u, entry);
		c->nupdates--;
		ctr_update_end(u, &err);
	}
}

/* The one under way finds no container any more when it ends. */
void
ctr_update_drop(struct ctr *c)
{
	struct ctr_update *u, *next;
	struct cerr err;

	(void)cerr_set(&err, CERR_NOT_FOUND, "container %s: removed", c->id);
	for (u = TAILQ_FIRST(&c->updates); u != NULL; u = next) {
		next = TAILQ_NEXT(u, entry);
		TAILQ_REMOVE(&c->updates, u, entry);
		if (!u->sent)
			ctr_update_end(u, &err);
	}
}

static int
ctr_update_check(const struct ctr *c,
    const Runtime__V1__UpdateContainerResourcesRequest *r, struct cerr *err)
{
	if (check_update_container(r, err) == -1 ||
	    ctr_update_may(c, err) == -1)
		return -1;
	if (c->nupdates < UPDATES_MAX)
		return 0;
	return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
	    "too many updates of container %s at once", c->id);
}

/* Takes change. */
static struct ctr_update *
ctr_update_new(struct ctr *c, Runtime__V1__LinuxContainerResources *change)
{
	struct ctr_update *u = pb_calloc(1, sizeof(*u));

	u->front = c->front;
	u->change = change;
	memcpy(u->id, c->id, sizeof(u->id));
	TAILQ_INSERT_TAIL(&c->updates, u, entry);
	c->nupdates++;
	return u;
}

/* A plugin wants it. */
void
ctr_nri_update(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Nri__ContainerUpdate *r = m->body;
	Runtime__V1__UpdateContainerResourcesRequest check =
	    RUNTIME__V1__UPDATE_CONTAINER_RESOURCES_REQUEST__INIT;
	struct cerr err;
	struct ctr *c = ctr_find(ctx, r->container_id, &err);

	if (c != NULL && r->linux != NULL && r->linux->resources != NULL)
		check.linux = nri_msg_change(r->linux->resources, &err);
	else if (c != NULL)
		(void)cerr_set(&err, CERR_INVALID_ARGUMENT,
		    "NRI update of nothing");
	if (check.linux == NULL || ctr_update_check(c, &check, &err) == -1) {
		pb_free(check.linux);
		link_refuse(call, &err);
		return;
	}
	ctr_update_new(c, check.linux)->plugin = call;
	ctr_update_next(c);
}

void
ctr_handle_update(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__UpdateContainerResourcesRequest *r = request_;
	Runtime__V1__LinuxContainerResources none =
	    RUNTIME__V1__LINUX_CONTAINER_RESOURCES__INIT;
	struct front *front = ctx;
	struct ctr_update *u;
	struct cerr err;
	struct ctr *c = ctr_find(front, r->container_id, &err);

	if (c == NULL || ctr_update_check(c, r, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	u = ctr_update_new(c, pb_copy(r->linux == NULL ? &none : r->linux));
	u->call = call;
	grpc_on_cancel(call, ctr_update_left, u);
	ctr_update_next(c);
}
