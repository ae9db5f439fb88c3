#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ctr_mounts.h"
#include "execd/mount_flags.h"
#include "execd/pod.h"
#include "imsg/fixed.h"
#include "lib/log.h"

#define MOUNTS_SLAVE                                                           \
	RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_HOST_TO_CONTAINER
#define MOUNTS_SHARED RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL

/* What an answer belongs to. */
struct ctr_mount {
	struct ctr_mounts *all;
	const Runtime__V1__Mount *request;
	uint32_t number;
	Criod__Lease *image; /* of an image volume */
	char *real;	     /* its path without links, if rules ask */
};

struct ctr_mounts {
	struct ctr *ctr;
	struct ctr_mount *items;
	size_t n, pending;
	bool userns, failed, ruled;
	const struct ask *ask;
	const struct selinux_labels *labels;
	struct cerr err;
	ctr_mounts_fn done;
	void *arg;
};

struct ctr_mounts *
ctr_mounts_new(struct ctr *c, const Runtime__V1__ContainerConfig *config,
    bool userns, const struct selinux_labels *labels, const struct ask *ask)
{
	struct ctr_mounts *m = execd_alloc(1, sizeof(*m));

	m->ctr = c;
	m->userns = userns;
	m->labels = labels;
	m->ask = ask;
	m->ruled = guard_cares(ask->guard, RULE_PATH);
	m->n = config->n_mounts;
	m->items = execd_alloc(m->n + 1, sizeof(*m->items));
	for (size_t i = 0; i < m->n; i++) {
		m->items[i].all = m;
		m->items[i].request = config->mounts[i];
		m->items[i].number = (uint32_t)i;
	}
	return m;
}

void
ctr_mounts_free(struct ctr_mounts *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++) {
		EXECD_FREE(m->items[i].image);
		free(m->items[i].real);
	}
	free(m->items);
	free(m);
}

/* One of several answers; the first error counts. */
static void
ctr_mounts_answered(struct ctr_mounts *m, const struct cerr *err)
{
	if (err != NULL && !m->failed) {
		m->failed = true;
		m->err = *err;
	}
	if (--m->pending == 0)
		m->done(m->arg, m->failed ? &m->err : NULL);
}

/* In the words that a kubelet looks for. */
static void
ctr_mounts_image_failed(const struct ctr_mount *one, const struct cerr *why,
    struct cerr *err)
{
	(void)cerr_set(err, CERR_UNKNOWN, "ImageVolumeMountFailed: %.256s: %s",
	    one->request->image->image, why->text);
}

/* ---- sources ---- */

static void
ctr_mounts_relabelled(void *arg, struct link_msg *msg, const struct cerr *err)
{
	struct ctr_mount *one = arg;

	(void)msg;
	ctr_mounts_answered(one->all, err);
}

/* One that is bound by its name must have no link in it. */
static int
ctr_mounts_check_real(struct ctr_mount *one, const char *real, struct cerr *err)
{
	const Runtime__V1__Mount *r = one->request;
	char path[POLICY_PATH_MAX];

	one->real = execd_strdup(real);
	if (ask_path(one->all->ask, real, r->readonly, err) == -1)
		return -1;
	if (policy_mount_made(r, true) ||
	    (policy_clean_path("mounts", r->host_path, path, err) == 0 &&
		strcmp(path, real) == 0))
		return 0;
	return cerr_set(err, CERR_PERMISSION_DENIED,
	    "policy: path \"%.256s\" has a symbolic link and is to be shared",
	    r->host_path);
}

/* The volume is there, and may have to get the container's label. */
static void
ctr_mounts_have_path(void *arg, struct link_msg *msg, const struct cerr *err)
{
	struct ctr_mount *one = arg;
	struct ctr_mounts *m = one->all;
	struct fixed_relabel body = { 0 };
	const struct fixed_real_path *real;
	struct cerr own;

	if (err == NULL && m->ruled) {
		real = msg->body;
		if (ctr_mounts_check_real(one, real->path, &own) == -1)
			err = &own;
	}
	if (err != NULL || !one->request->selinux_relabel ||
	    !m->labels->relabel) {
		ctr_mounts_answered(m, err);
		return;
	}
	if (policy_clean_path("mounts", one->request->host_path, body.path,
		NULL) == -1)
		fatalx("mount source");
	memcpy(body.label, m->labels->mount, sizeof(body.label));
	(void)link_request(execd_launcher(m->ctr->x), MSG_L_RELABEL, &body,
	    NULL, 0, mono_after_ms(EXECD_CREATE_MS), ctr_mounts_relabelled,
	    one);
}

static void
ctr_mounts_have_image(void *arg, struct link_msg *msg, const struct cerr *err)
{
	struct ctr_mount *one = arg;
	struct ctr *c = one->all->ctr;
	struct cerr own;

	if (err != NULL) {
		ctr_mounts_image_failed(one, err, &own);
		ctr_mounts_answered(one->all, &own);
		return;
	}
	one->image = execd_copy(msg->body);
	c->volumes =
	    reallocarray(c->volumes, c->nvolumes + 1, sizeof(*c->volumes));
	if (c->volumes == NULL)
		fatal("reallocarray");
	c->volumes[c->nvolumes++] = execd_strdup(one->image->image_id);
	ctr_mounts_answered(one->all, NULL);
}

static void
ctr_mounts_find_image(struct ctr_mount *one)
{
	struct ctr *c = one->all->ctr;
	char ns[POD_NAMESPACE];
	Criod__LeaseGet body;

	criod__lease_get__init(&body);
	(void)snprintf(ns, sizeof(ns), "%s", one->all->ask->who.namespace);
	body.container_id = c->id;
	body.image = one->request->image->image;
	body.name = execd_image_asked(one->request->image);
	body.ns = ns;
	(void)link_request(execd_imaged(c->x), MSG_LEASE_GET, &body, NULL, 0,
	    mono_after_ms(EXECD_LEASE_MS), ctr_mounts_have_image, one);
}

static void
ctr_mounts_find_path(struct ctr_mount *one)
{
	struct fixed_host_path body = { 0 };

	if (policy_clean_path("mounts", one->request->host_path, body.path,
		NULL) == -1)
		fatalx("mount source");
	body.flags = one->all->ruled ? MOUNT_SOURCE_REAL : 0;
	body.propagation =
	    one->request->propagation == MOUNTS_SHARED	? MOUNT_SOURCE_SHARED
	    : one->request->propagation == MOUNTS_SLAVE ? MOUNT_SOURCE_SLAVE
							: MOUNT_SOURCE_ANY;
	(void)link_request(execd_launcher(one->all->ctr->x), MSG_L_HOST_PATH,
	    &body, NULL, 0, mono_after_ms(EXECD_STEP_MS), ctr_mounts_have_path,
	    one);
}

void
ctr_mounts_find(struct ctr_mounts *m, ctr_mounts_fn done, void *arg)
{
	m->done = done;
	m->arg = arg;
	m->pending = m->n + 1;
	for (size_t i = 0; i < m->n; i++) {
		if (policy_mount_image(m->items[i].request))
			ctr_mounts_find_image(&m->items[i]);
		else
			ctr_mounts_find_path(&m->items[i]);
	}
	ctr_mounts_answered(m, NULL);
}

size_t
ctr_mounts_images(const struct ctr_mounts *m, char **ids)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->items[i].image != NULL)
			ids[n++] = m->items[i].image->image_id;
	}
	return n;
}

/* ---- made ---- */

static void
ctr_mounts_made(void *arg, struct link_msg *msg, const struct cerr *err)
{
	struct ctr_mount *one = arg;
	struct cerr own;

	(void)msg;
	if (err != NULL && one->image != NULL) {
		ctr_mounts_image_failed(one, err, &own);
		err = &own;
	}
	ctr_mounts_answered(one->all, err);
}

static int
ctr_mounts_layers(const Criod__Lease *image, struct fixed_mount *body)
{
	if (image->n_layers > sizeof(body->layers) / sizeof(body->layers[0]))
		return -1;
	body->nlayers = (uint32_t)image->n_layers;
	for (size_t i = 0; i < image->n_layers; i++)
		body->layers[i] = image->layers[i];
	return 0;
}

static uint32_t
ctr_mounts_flags(const Runtime__V1__Mount *m)
{
	return (policy_mount_image(m) ? MOUNT_FLAG_IMAGE : 0) |
	       (m->propagation == MOUNTS_SLAVE ? MOUNT_FLAG_SLAVE : 0) |
	       (m->recursive_read_only ? MOUNT_FLAG_RRO : 0);
}

static int
ctr_mounts_source(const struct ctr_mount *one, char path[POLICY_PATH_MAX])
{
	if (one->real == NULL)
		return policy_clean_path("mounts", one->request->host_path,
		    path, NULL);
	(void)snprintf(path, POLICY_PATH_MAX, "%s", one->real);
	return 0;
}

static void
ctr_mounts_make_one(struct ctr_mount *one)
{
	const Runtime__V1__Mount *r = one->request;
	struct ctr *c = one->all->ctr;
	struct fixed_mount body = { .number = one->number,
		.flags = ctr_mounts_flags(r) |
			 (one->real != NULL ? MOUNT_FLAG_REAL : 0) };
	struct cerr err;

	memcpy(body.ctr, c->id, sizeof(body.ctr));
	memcpy(body.label, one->all->labels->mount, sizeof(body.label));
	/* An image's files are seen by all users of the pod as its own. */
	if (r->n_uidmappings > 0 || (one->all->userns && policy_mount_image(r)))
		memcpy(body.userns, c->pod, sizeof(body.userns));
	if (!policy_mount_image(r)) {
		if (ctr_mounts_source(one, body.path) == -1)
			fatalx("mount source");
	} else if (ctr_mounts_layers(one->image, &body) == -1 ||
		   FIXED_SET_STR(body.path, r->image_sub_path) == -1) {
		(void)cerr_set(&err, CERR_FAILED_PRECONDITION,
		    "too many layers, or image_sub_path too long");
		ctr_mounts_made(one, NULL, &err);
		return;
	}
	(void)link_request(execd_launcher(c->x), MSG_L_MOUNT, &body, NULL, 0,
	    mono_after_ms(EXECD_STEP_MS), ctr_mounts_made, one);
}

void
ctr_mounts_make(struct ctr_mounts *m, ctr_mounts_fn done, void *arg)
{
	m->done = done;
	m->arg = arg;
	m->pending = 1;
	for (size_t i = 0; i < m->n; i++) {
		if (!policy_mount_made(m->items[i].request, m->ruled))
			continue;
		m->pending++;
		ctr_mounts_make_one(&m->items[i]);
	}
	ctr_mounts_answered(m, NULL);
}
