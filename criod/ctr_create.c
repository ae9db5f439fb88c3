#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

#include "criod/check.h"
#include "criod/check_value.h"
#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/nri.h"
#include "criod/op.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "imsg/link.h"
#include "lib/log.h"
#include "lib/mono.h"

static struct ctr *
ctr_by_name(const struct pod *pod, const Runtime__V1__ContainerMetadata *m)
{
	struct ctr *c;

	TAILQ_FOREACH(c, &pod->front->ctrs, entry) {
		if (c->pod == pod && !c->released &&
		    c->config->metadata->attempt == m->attempt &&
		    strcmp(c->config->metadata->name, m->name) == 0)
			return c;
	}
	return NULL;
}

/* Later than any other's of this pod, whatever the clock did. */
static int64_t
ctr_created_at(const struct ctr *c)
{
	int64_t at = wall_now_ns();
	const struct ctr *o;

	TAILQ_FOREACH(o, &c->front->ctrs, entry) {
		if (o != c && o->pod == c->pod && o->created_at >= at)
			at = o->created_at + 1;
	}
	return at;
}

/* ---- a result that nobody took ---- */

static void
ctr_park_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctr *c = arg;

	(void)fd;
	(void)what;
	log_info("container %s: nobody asked for it again", c->id);
	if (c->state != CTR_CREATED || c->remove != NULL) {
		ctr_remove(c, NULL, NULL);
		return;
	}
	c->parked = false;
	ctr_set_state(c, CTR_NEW);
	ctr_save(c);
	ctr_undo(c);
}

static void
ctr_park(struct ctr *c)
{
	struct timeval tv = { FRONT_PARK_S, 0 };

	c->parked = true;
	c->park_timer = evtimer_new(c->front->base, ctr_park_timer, c);
	if (c->park_timer == NULL)
		fatalx("evtimer_new");
	(void)evtimer_add(c->park_timer, &tv);
}

static void
ctr_unpark(struct ctr *c)
{
	if (!c->parked)
		return;
	c->parked = false;
	event_free(c->park_timer);
	c->park_timer = NULL;
}

/* ---- the steps ---- */

/* What to call the image: as asked for, or by a tag if asked for by id. */
static const char *
ctr_image_name(const struct ctr *c, const Runtime__V1__Image *image)
{
	const Runtime__V1__ImageSpec *spec = c->config->image;

	if (strcmp(spec->image, image->id) != 0)
		return spec->image;
	if (spec->user_specified_image[0] != '\0')
		return spec->user_specified_image;
	if (image->n_repo_tags > 0)
		return image->repo_tags[0];
	return spec->image;
}

static void
ctr_take_image(void *ctx, const void *body)
{
	const Runtime__V1__ImageStatusResponse *m = body;
	struct ctr *c = ctx;

	if (m->image == NULL || m->image->id[0] == '\0')
		return;
	ctr_set_text(&c->image_id, m->image->id);
	ctr_set_text(&c->image_name, ctr_image_name(c, m->image));
}

static void
ctr_step_image(void *ctx, struct op *op)
{
	struct ctr *c = ctx;
	Runtime__V1__ImageStatusRequest m =
	    RUNTIME__V1__IMAGE_STATUS_REQUEST__INIT;

	m.image = c->config->image;
	op_request(op, c->front->imaged, MSG_IMG_STATUS, &m, FRONT_QUERY_MS,
	    ctr_take_image);
}

static void
ctr_step_record(void *ctx, struct op *op)
{
	struct ctr *c = ctx;
	struct cerr err;

	if (c->image_id == NULL)
		(void)cerr_set(&err, CERR_NOT_FOUND, "image %.512s: not found",
		    c->config->image->image);
	else if (store_write_ctr(c, &err) == 0) {
		op_next(op, NULL);
		return;
	}
	op_next(op, &err);
}

/* An image has one name in a status: its id. */
static void
ctr_name_volumes(struct ctr *c)
{
	size_t next = 0;

	for (size_t i = 0; i < c->config->n_mounts; i++) {
		Runtime__V1__Mount *m = c->config->mounts[i];

		if (m->image != NULL && m->image->image[0] != '\0' &&
		    next < c->made->n_volumes)
			ctr_set_text(&m->image->image,
			    c->made->volumes[next++]);
	}
}

static void
ctr_take_made(void *ctx, const void *body)
{
	struct ctr *c = ctx;

	c->made = pb_copy(body);
	ctr_name_volumes(c);
}

static void
ctr_step_create(void *ctx, struct op *op)
{
	struct ctr *c = ctx;
	Criod__CtrCreate m = CRIOD__CTR_CREATE__INIT;

	m.id = c->id;
	m.pod_id = c->pod_id;
	m.config = c->config;
	m.pod_config = c->pod->config;
	m.runtime = c->pod->runtime;
	m.image = c->image_id;
	if (c->checkpoint != NULL)
		m.checkpoint = c->checkpoint;
	m.target_id = c->target_id;
	op_request(op, c->front->execd, MSG_CTR_CREATE, &m, FRONT_CTR_MS,
	    ctr_take_made);
}

static void
ctr_step_created(void *ctx, struct op *op)
{
	struct ctr *c = ctx;
	struct cerr err;

	ctr_set_state(c, CTR_CREATED);
	if (store_write_ctr(c, &err) == 0) {
		op_next(op, NULL);
		return;
	}
	ctr_set_state(c, CTR_NEW);
	op_next(op, &err);
}

static void
ctr_step_nri(void *ctx, struct op *op)
{
	nri_ctr_may(ctx, op, NRI__EVENT__POST_CREATE_CONTAINER);
}

static void
ctr_undo_nri(void *ctx, struct op *op)
{
	nri_ctr_may(ctx, op, NRI__EVENT__REMOVE_CONTAINER);
}

static const struct op_step ctr_create_steps[] = {
	{ "image", ctr_step_image, NULL },
	{ "record", ctr_step_record, ctr_step_forget },
	{ "forget", NULL, ctr_undo_nri },
	{ "container", ctr_step_create, ctr_step_remove },
	{ "created", ctr_step_created, NULL },
	{ "nri", ctr_step_nri, NULL },
};

static void
ctr_create_done(void *ctx, const struct cerr *err)
{
	Runtime__V1__CreateContainerResponse resp =
	    RUNTIME__V1__CREATE_CONTAINER_RESPONSE__INIT;
	struct ctr *c = ctx;
	size_t takers;

	resp.container_id = c->id;
	c->released = err != NULL;
	if (err == NULL)
		c->create = NULL;
	else
		log_warn("container %s %s: %s", c->id,
		    c->config->metadata->name, err->text);
	takers = wait_end(&c->create_waits, err, &resp);
	if (err == NULL && takers == 0 && !c->restoring)
		ctr_park(c);
	else if (err == NULL)
		events_ctr_created(c);
}

static void
ctr_create_undone(void *ctx)
{
	ctr_free(ctx);
}

static const struct op_def ctr_create_def = {
	"CreateContainer",
	ctr_create_steps,
	sizeof(ctr_create_steps) / sizeof(ctr_create_steps[0]),
	ctr_create_done,
	ctr_create_undone,
};

void
ctr_undo(struct ctr *c)
{
	c->released = true;
	c->create = op_undo(c->front->base, &ctr_create_def, c);
}

void
ctr_abort(struct ctr *c)
{
	struct cerr err;

	(void)cerr_set(&err, CERR_FAILED_PRECONDITION,
	    "pod sandbox %s is being stopped", c->pod_id);
	op_abort(c->create, &err);
}

/* ---- the call ---- */

static void
ctr_create_join(struct ctr *c, struct grpc_call *call)
{
	Runtime__V1__CreateContainerResponse resp =
	    RUNTIME__V1__CREATE_CONTAINER_RESPONSE__INIT;
	struct cerr err;

	if (c->create != NULL) {
		wait_add_call(&c->create_waits, call);
		return;
	}
	if (c->remove != NULL) {
		(void)cerr_set(&err, CERR_ALREADY_EXISTS,
		    "container %s has this name and attempt and is being "
		    "removed",
		    c->id);
		grpc_fail(call, &err);
		return;
	}
	if (c->parked) {
		ctr_unpark(c);
		events_ctr_created(c);
	}
	resp.container_id = c->id;
	grpc_reply(call, &resp);
}

static int
ctr_find_target(struct pod *pod, const Runtime__V1__ContainerConfig *config,
    const char **id, struct cerr *err)
{
	const Runtime__V1__NamespaceOption *ns = check_ctr_namespaces(config);
	const struct ctr *target;
	struct cerr why;

	*id = NULL;
	if (ns == NULL || ns->pid != RUNTIME__V1__NAMESPACE_MODE__TARGET)
		return 0;
	target = ctr_find(pod->front, ns->target_id, &why);
	if (target == NULL || target->pod != pod ||
	    target->state != CTR_RUNNING)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "config.linux.security_context.namespace_options."
		    "target_id: no running container of this pod sandbox");
	*id = target->id;
	return 0;
}

static int
ctr_create_may(struct pod *pod, const Runtime__V1__CreateContainerRequest *r,
    const char **target, struct cerr *err)
{
	struct front *front = pod->front;

	if (pod->state != POD_READY || pod->stop != NULL || pod->remove != NULL)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "pod sandbox %s is not ready", pod->id);
	if (check_ctr_fits_pod(r->config, pod->config, err) == -1 ||
	    ctr_find_target(pod, r->config, target, err) == -1)
		return -1;
	if (front->nctrs >= FRONT_CTRS_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "there are %d containers already", FRONT_CTRS_MAX);
	if (front_need(front->imaged, err) == -1)
		return -1;
	return front_need(front->execd, err);
}

static struct ctr *
ctr_create_begin(struct pod *pod, const Runtime__V1__ContainerConfig *config,
    const char *target, const char *checkpoint)
{
	char id[ID_SIZE];
	struct ctr *c;

	id_new(id);
	c = ctr_new(pod->front, id, pod, pb_copy(config));
	c->created_at = ctr_created_at(c);
	if (target != NULL)
		c->target_id = pb_strdup(target);
	if (checkpoint != NULL)
		c->checkpoint = pb_strdup(checkpoint);
	c->create = op_start(pod->front->base, &ctr_create_def, c);
	return c;
}

struct ctr *
ctr_restore(struct pod *pod, const Runtime__V1__ContainerConfig *config,
    const char *checkpoint, struct cerr *err)
{
	Runtime__V1__CreateContainerRequest r =
	    RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;
	const char *target = NULL;
	struct ctr *c;

	r.config = pb_copy(config);
	if (ctr_create_may(pod, &r, &target, err) == -1) {
		pb_free(r.config);
		return NULL;
	}
	c = ctr_create_begin(pod, config, target, checkpoint);
	c->restoring = true;
	pb_free(r.config);
	return c;
}

/* checkpoint: of an archive to make it from, or NULL. */
static void
ctr_create_call(struct front *front, struct grpc_call *call,
    const Runtime__V1__CreateContainerRequest *r, const char *checkpoint)
{
	const char *target = NULL;
	struct pod *pod;
	struct ctr *c;
	struct cerr err;

	if (check_create_container(r, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	pod = pod_find(front, r->pod_sandbox_id, &err);
	c = pod == NULL ? NULL : ctr_by_name(pod, r->config->metadata);
	if (c != NULL)
		ctr_create_join(c, call);
	else if (pod == NULL || ctr_create_may(pod, r, &target, &err) == -1)
		grpc_fail(call, &err);
	else
		wait_add_call(&ctr_create_begin(pod, r->config, target,
				  checkpoint)
				   ->create_waits,
		    call);
}

/*
 * An image that is a path is a checkpoint's archive; which image that was made
 * of is the request's to say, and no archive's.
 */
static void
ctr_create_restore(struct front *front, struct grpc_call *call,
    const Runtime__V1__CreateContainerRequest *r)
{
	Runtime__V1__CreateContainerRequest *copy = pb_copy(r);
	Runtime__V1__ImageSpec *image = copy->config->image;
	const char *checkpoint = r->config->image->image;
	const char *why = check_value_path(checkpoint);
	struct cerr err;

	ctr_set_text(&image->image, image->user_specified_image);
	if (why == NULL && image->image[0] != '\0') {
		ctr_create_call(front, call, copy, checkpoint);
		pb_free(copy);
		return;
	}
	if (why != NULL)
		(void)cerr_set(&err, CERR_INVALID_ARGUMENT,
		    "config.image.image: %s", why);
	else
		(void)cerr_set(&err, CERR_INVALID_ARGUMENT,
		    "config.image.user_specified_image: must name the image "
		    "of the checkpoint");
	pb_free(copy);
	grpc_fail(call, &err);
}

void
ctr_handle_create(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__CreateContainerRequest *r = request_;
	struct front *front = ctx;

	if (front->boot->restore && r->config != NULL &&
	    r->config->image != NULL && r->config->image->image[0] == '/')
		ctr_create_restore(front, call, r);
	else
		ctr_create_call(front, call, r, NULL);
}
