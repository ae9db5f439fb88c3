/*
 * RestorePod: a pod, then its containers one after the other, each from its
 * archive and none started.  When one fails, or nobody waits for the answer,
 * the pod is removed with all that is in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criod/check.h"
#include "criod/checkpoint.h"
#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/op.h"
#include "criod/pb.h"
#include "criod/pod.h"

#define RESTORE_MAX 64

struct restore {
	struct front *front;
	struct op *op;
	Runtime__V1__RestorePodRequest *r; /* NULL: only to be undone */
	char pod[ID_SIZE];		   /* or empty */
	char ids[RESTORE_MAX][ID_SIZE];
	size_t n; /* containers that are there */
	struct wait_list waits;
};

static const struct op_def restore_def;

static void
restore_free(struct restore *k)
{
	pb_free(k->r);
	free(k);
}

/* ---- the pod ---- */

static void
restore_have_pod(void *arg, const struct cerr *err)
{
	struct restore *k = arg;

	if (err != NULL)
		k->pod[0] = '\0'; /* it is undone */
	op_next(k->op, err);
}

static void
restore_step_pod(void *ctx, struct op *op)
{
	Runtime__V1__RunPodSandboxRequest r =
	    RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;
	struct restore *k = ctx;
	struct pod *pod;
	struct cerr err;

	r.config = k->r->config;
	r.runtime_handler = k->r->runtime_handler;
	pod = pod_run_restoring(k->front, &r, &err);
	if (pod == NULL) {
		op_next(op, &err);
		return;
	}
	memcpy(k->pod, pod->id, sizeof(k->pod));
	wait_add_fn(&pod->create_waits, restore_have_pod, k);
}

static void
restore_removed(void *arg, const struct cerr *err)
{
	struct restore *k = arg;

	op_next(k->op, err);
}

static void
restore_undo_pod(void *ctx, struct op *op)
{
	struct restore *k = ctx;
	struct pod *pod = pod_by_id(k->front, k->pod);

	k->op = op;
	if (pod == NULL || pod->state == POD_GONE)
		op_next(op, NULL);
	else
		pod_remove(pod, restore_removed, k);
}

/* ---- its containers ---- */

static void restore_next(struct restore *k);

static void
restore_have_ctr(void *arg, const struct cerr *err)
{
	struct restore *k = arg;

	if (err != NULL) {
		op_next(k->op, err);
		return;
	}
	k->n++;
	restore_next(k);
}

static struct ctr *
restore_ctr(struct restore *k, struct pod *pod, struct cerr *err)
{
	const Runtime__V1__ContainerConfig *config =
	    k->r->container_configs[k->n];
	char *path = NULL;
	struct ctr *c;

	if (pod == NULL) {
		(void)cerr_set(err, CERR_ABORTED,
		    "the pod sandbox was removed while it was restored");
		return NULL;
	}
	if (asprintf(&path, "%s/%s" CHECKPOINT_EXTENSION, k->r->checkpoint_path,
		config->metadata->name) == -1)
		path = pb_strdup("/");
	c = ctr_restore(pod, config, path, err);
	free(path);
	return c;
}

static void
restore_next(struct restore *k)
{
	struct ctr *c;
	struct cerr err;

	if (k->n == k->r->n_container_configs) {
		op_next(k->op, NULL);
		return;
	}
	c = restore_ctr(k, pod_by_id(k->front, k->pod), &err);
	if (c == NULL) {
		op_next(k->op, &err);
		return;
	}
	memcpy(k->ids[k->n], c->id, ID_SIZE);
	wait_add_fn(&c->create_waits, restore_have_ctr, k);
}

static void
restore_step_ctrs(void *ctx, struct op *op)
{
	(void)op;
	restore_next(ctx);
}

static const struct op_step restore_steps[] = {
	{ "pod", restore_step_pod, restore_undo_pod },
	{ "containers", restore_step_ctrs, NULL },
};

/* ---- the end ---- */

static size_t
restore_answer(struct restore *k)
{
	Runtime__V1__RestorePodResponse resp =
	    RUNTIME__V1__RESTORE_POD_RESPONSE__INIT;
	Runtime__V1__RestoredContainer rows[RESTORE_MAX], *list[RESTORE_MAX];

	for (size_t i = 0; i < k->n; i++) {
		runtime__v1__restored_container__init(&rows[i]);
		rows[i].name = k->r->container_configs[i]->metadata->name;
		rows[i].container_id = k->ids[i];
		list[i] = &rows[i];
	}
	resp.pod_sandbox_id = k->pod;
	resp.restored_containers = list;
	resp.n_restored_containers = k->n;
	return wait_end(&k->waits, NULL, &resp);
}

static void
restore_done(void *ctx, const struct cerr *err)
{
	struct restore *k = ctx;
	struct pod *pod = pod_by_id(k->front, k->pod);

	if (err != NULL) {
		(void)wait_end(&k->waits, err, NULL);
		return;
	}
	if (restore_answer(k) == 0) {
		(void)op_undo(k->front->base, &restore_def, k);
		return;
	}
	if (pod != NULL) {
		pod->restoring = false;
		pod_save(pod);
	}
	restore_free(k);
}

static void
restore_undone(void *ctx)
{
	restore_free(ctx);
}

static const struct op_def restore_def = {
	"RestorePod",
	restore_steps,
	sizeof(restore_steps) / sizeof(restore_steps[0]),
	restore_done,
	restore_undone,
};

void
pod_restore_undo(struct pod *pod)
{
	struct restore *k = pb_calloc(1, sizeof(*k));

	k->front = pod->front;
	wait_init(&k->waits);
	memcpy(k->pod, pod->id, sizeof(k->pod));
	k->op = op_undo(pod->front->base, &restore_def, k);
}

/* ---- the call ---- */

static int
restore_check_ctr(const Runtime__V1__RestorePodRequest *r, size_t i,
    struct cerr *err)
{
	Runtime__V1__CreateContainerRequest c =
	    RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;
	const Runtime__V1__ContainerConfig *config = r->container_configs[i];
	char pod[] = "pod";

	c.pod_sandbox_id = pod;
	c.config = r->container_configs[i];
	c.sandbox_config = r->config;
	if (check_create_container(&c, err) == -1 ||
	    check_ctr_fits_pod(config, r->config, err) == -1 ||
	    checkpoint_file("container_configs", config->metadata->name, err) ==
		-1)
		return -1;
	for (size_t j = 0; j < i; j++) {
		if (strcmp(r->container_configs[j]->metadata->name,
			config->metadata->name) == 0)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "container_configs: \"%.64s\" is there twice",
			    config->metadata->name);
	}
	return 0;
}

static int
restore_check(const struct front *front,
    const Runtime__V1__RestorePodRequest *r, struct cerr *err)
{
	Runtime__V1__RunPodSandboxRequest p =
	    RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;

	p.config = r->config;
	p.runtime_handler = r->runtime_handler;
	if (checkpoint_path("checkpoint_path", r->checkpoint_path, err) == -1 ||
	    check_run_pod(&p, front->boot, err) == -1)
		return -1;
	if (r->n_options > 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "options: \"%.64s\" is not known", pb_key(r->options[0]));
	if (r->n_container_configs == 0 || r->n_container_configs > RESTORE_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "container_configs: 1 to %d must be given", RESTORE_MAX);
	for (size_t i = 0; i < r->n_container_configs; i++) {
		if (restore_check_ctr(r, i, err) == -1)
			return -1;
	}
	return 0;
}

void
pod_handle_restore(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__RestorePodRequest *r = request_;
	struct front *front = ctx;
	struct restore *k;
	struct cerr err;

	if (!front->boot->restore) {
		(void)cerr_set(&err, CERR_UNIMPLEMENTED,
		    "checkpoint/restore support not available: criod.conf "
		    "does not allow it");
		grpc_fail(call, &err);
		return;
	}
	if (restore_check(front, r, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	k = pb_calloc(1, sizeof(*k));
	k->front = front;
	k->r = pb_copy(r);
	wait_init(&k->waits);
	wait_add_call(&k->waits, call);
	k->op = op_start(front->base, &restore_def, k);
}
