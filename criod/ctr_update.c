#include <stdlib.h>
#include <string.h>

#include "criod/check.h"
#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "criod/resources.h"
#include "imsg/link.h"

#define UPDATES_MAX 16 /* of one container, waiting for each other */

/* Each starts from what the one before it left. */
struct ctr_update {
	TAILQ_ENTRY(ctr_update) entry;
	struct front *front;
	char id[ID_SIZE];
	struct grpc_call *call; /* NULL: the client left */
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

	if (u->call != NULL) {
		grpc_on_cancel(u->call, NULL, NULL);
		if (err != NULL)
			grpc_fail(u->call, err);
		else
			grpc_reply(u->call, &resp);
	}
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
	if (err == NULL)
		ctr_update_keep(c, u);
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

static void
ctr_update_next(struct ctr *c)
{
	struct ctr_update *u;
	struct cerr err = { 0 };

	while ((u = TAILQ_FIRST(&c->updates)) != NULL && !u->sent) {
		if (u->call != NULL && ctr_update_may(c, &err) == 0) {
			ctr_update_send(c, u);
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
	u = pb_calloc(1, sizeof(*u));
	u->front = front;
	u->call = call;
	u->change = pb_copy(r->linux == NULL ? &none : r->linux);
	memcpy(u->id, c->id, sizeof(u->id));
	TAILQ_INSERT_TAIL(&c->updates, u, entry);
	c->nupdates++;
	grpc_on_cancel(call, ctr_update_left, u);
	ctr_update_next(c);
}
