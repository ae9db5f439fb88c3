/* CheckpointContainer and CheckpointPod. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criod/check_value.h"
#include "criod/checkpoint.h"
#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "imsg/link.h"
#include "lib/mono.h"

#define CHECKPOINT_MAX	    64
#define CHECKPOINT_SECONDS  600
#define CHECKPOINT_SPARE_MS 120000 /* for what was begun to be undone */

struct checkpoint {
	struct front *front;
	struct grpc_call *call;
	uint32_t request;
	bool pod;
};

static void
checkpoint_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	Runtime__V1__CheckpointContainerResponse ctr =
	    RUNTIME__V1__CHECKPOINT_CONTAINER_RESPONSE__INIT;
	Runtime__V1__CheckpointPodResponse pod =
	    RUNTIME__V1__CHECKPOINT_POD_RESPONSE__INIT;
	struct checkpoint *k = arg;

	(void)m;
	grpc_on_cancel(k->call, NULL, NULL);
	if (err != NULL)
		grpc_fail(k->call, err);
	else if (k->pod)
		grpc_reply(k->call, &pod);
	else
		grpc_reply(k->call, &ctr);
	free(k);
}

/* Nobody waits: what was begun is undone, and the containers go on. */
static void
checkpoint_left(void *arg)
{
	struct checkpoint *k = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	link_cancel(k->front->execd, k->request);
	grpc_fail(k->call, &err);
	free(k);
}

static void
checkpoint_send(struct front *front, struct grpc_call *call,
    const Criod__CtrCheckpoint *m, bool pod)
{
	struct checkpoint *k = pb_calloc(1, sizeof(*k));

	k->front = front;
	k->call = call;
	k->pod = pod;
	k->request = link_request(front->execd, MSG_CTR_CHECKPOINT, m, NULL, 0,
	    mono_after_ms(m->timeout_ms + CHECKPOINT_SPARE_MS), checkpoint_done,
	    k);
	grpc_on_cancel(call, checkpoint_left, k);
}

/* ---- what may be asked for ---- */

static int
checkpoint_allowed(const struct front *front, struct cerr *err)
{
	if (!front->boot->checkpoint)
		return cerr_set(err, CERR_UNIMPLEMENTED,
		    "checkpoint/restore support not available: criod.conf "
		    "does not allow it");
	return front_need(front->execd, err);
}

int
checkpoint_path(const char *field, const char *path, struct cerr *err)
{
	const char *why = check_value_path(path);

	return why == NULL
		   ? 0
		   : cerr_set(err, CERR_INVALID_ARGUMENT, "%s: %s", field, why);
}

int
checkpoint_file(const char *field, const char *name, struct cerr *err)
{
	return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL &&
		       strlen(name) <= CHECKPOINT_NAME_MAX
		   ? 0
		   : cerr_set(err, CERR_INVALID_ARGUMENT,
			 "%s: \"%.64s\" cannot be a file's name", field, name);
}

static int
checkpoint_running(const struct ctr *c, struct cerr *err)
{
	return c->state == CTR_RUNNING
		   ? 0
		   : cerr_set(err, CERR_FAILED_PRECONDITION,
			 "container %s is not running", c->id);
}

static void
checkpoint_item(Criod__CtrCheckpoint__Item *it, const struct ctr *c,
    const char *file)
{
	criod__ctr_checkpoint__item__init(it);
	it->id = pb_str(c->id);
	it->file = pb_str(file);
	it->name = c->config->metadata->name;
	it->image = pb_str(c->image_name != NULL ? c->image_name : "");
	it->image_ref = pb_str(c->made != NULL ? c->made->image_ref : "");
	it->created_at = c->created_at;
}

static void
checkpoint_message(Criod__CtrCheckpoint *m, const struct pod *pod)
{
	criod__ctr_checkpoint__init(m);
	m->pod_name = pod->config->metadata->name;
	m->pod_namespace = pod->config->metadata->namespace_;
	m->timeout_ms = CHECKPOINT_SECONDS * 1000;
}

/* ---- one container ---- */

static int
checkpoint_check_ctr(const Runtime__V1__CheckpointContainerRequest *r,
    struct cerr *err)
{
	if (checkpoint_path("location", r->location, err) == -1)
		return -1;
	if (r->timeout < 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "timeout: must not be negative");
	return checkpoint_file("location", strrchr(r->location, '/') + 1, err);
}

static void
checkpoint_one(struct front *front, struct grpc_call *call, const struct ctr *c,
    const Runtime__V1__CheckpointContainerRequest *r)
{
	char *dir = pb_strdup(r->location), *slash = strrchr(dir, '/');
	char root[] = "/";
	Criod__CtrCheckpoint__Item item, *items[] = { &item };
	Criod__CtrCheckpoint m;

	*slash = '\0';
	checkpoint_message(&m, c->pod);
	checkpoint_item(&item, c, slash + 1);
	m.directory = slash == dir ? root : dir;
	m.items = items;
	m.n_items = 1;
	if (r->timeout > 0 && r->timeout < CHECKPOINT_SECONDS)
		m.timeout_ms = r->timeout * 1000;
	checkpoint_send(front, call, &m, false);
	free(dir);
}

void
checkpoint_handle_ctr(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__CheckpointContainerRequest *r = request_;
	struct front *front = ctx;
	struct ctr *c = NULL;
	struct cerr err;

	if (checkpoint_allowed(front, &err) == 0 &&
	    checkpoint_check_ctr(r, &err) == 0)
		c = ctr_find(front, r->container_id, &err);
	if (c == NULL || checkpoint_running(c, &err) == -1)
		grpc_fail(call, &err);
	else
		checkpoint_one(front, call, c, r);
}

/* ---- a pod ---- */

struct checkpoint_list {
	Criod__CtrCheckpoint m;
	Criod__CtrCheckpoint__Item rows[CHECKPOINT_MAX];
	Criod__CtrCheckpoint__Item *items[CHECKPOINT_MAX];
	char files[CHECKPOINT_MAX]
		  [CHECKPOINT_NAME_MAX + sizeof(CHECKPOINT_EXTENSION)];
};

static int
checkpoint_check_pod(const Runtime__V1__CheckpointPodRequest *r,
    struct cerr *err)
{
	if (checkpoint_path("output_path", r->output_path, err) == -1)
		return -1;
	if (r->n_options > 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "options: \"%.64s\" is not known", pb_key(r->options[0]));
	if (r->n_container_ids == 0 || r->n_container_ids > CHECKPOINT_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "container_ids: 1 to %d must be given", CHECKPOINT_MAX);
	return 0;
}

static int
checkpoint_add(struct checkpoint_list *l, const struct pod *pod, const char *id,
    struct cerr *err)
{
	const struct ctr *c = ctr_find(pod->front, id, err);
	size_t i = l->m.n_items;

	if (c == NULL || checkpoint_running(c, err) == -1 ||
	    checkpoint_file("container_ids", c->config->metadata->name, err) ==
		-1)
		return -1;
	if (c->pod != pod)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "container_ids: %s is of another pod sandbox", c->id);
	for (size_t j = 0; j < i; j++) {
		if (strcmp(l->rows[j].name, c->config->metadata->name) == 0)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "container_ids: \"%.64s\" is there twice",
			    l->rows[j].name);
	}
	(void)snprintf(l->files[i], sizeof(l->files[i]),
	    "%s" CHECKPOINT_EXTENSION, c->config->metadata->name);
	checkpoint_item(&l->rows[i], c, l->files[i]);
	l->items[i] = &l->rows[i];
	l->m.n_items++;
	return 0;
}

static int
checkpoint_fill(struct checkpoint_list *l, const struct pod *pod,
    const Runtime__V1__CheckpointPodRequest *r, struct cerr *err)
{
	checkpoint_message(&l->m, pod);
	l->m.directory = r->output_path;
	l->m.empty = true;
	l->m.items = l->items;
	for (size_t i = 0; i < r->n_container_ids; i++) {
		if (checkpoint_add(l, pod, r->container_ids[i], err) == -1)
			return -1;
	}
	return 0;
}

void
checkpoint_handle_pod(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__CheckpointPodRequest *r = request_;
	struct checkpoint_list *l = pb_calloc(1, sizeof(*l));
	struct front *front = ctx;
	struct pod *pod = NULL;
	struct cerr err;

	if (checkpoint_allowed(front, &err) == 0 &&
	    checkpoint_check_pod(r, &err) == 0)
		pod = pod_find(front, r->pod_sandbox_id, &err);
	if (pod == NULL || checkpoint_fill(l, pod, r, &err) == -1)
		grpc_fail(call, &err);
	else
		checkpoint_send(front, call, &l->m, true);
	free(l);
}
