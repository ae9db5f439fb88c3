#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/id.h"
#include "lib/log.h"
#include "nrid/bytes.h"
#include "nrid/job.h"
#include "nrid/merge.h"
#include "nrid/plugin.h"
#include "nrid/sync.h"
#include "nrid/update.h"
#include "proto/pballoc.h"

#define JOB_MEMORY (32U * 1024 * 1024) /* all that plugins answer to one */

enum job_form {
	JOB_POD,	/* the pod */
	JOB_POD_UPDATE, /* and its resources */
	JOB_CTR,	/* pod and container */
	JOB_CREATE,	/* likewise; answered with an adjustment */
	JOB_UPDATE,	/* and new resources; answered with updates */
	JOB_STOP,	/* pod and container; answered with updates */
};

struct job_kind {
	Nri__Event event;
	const char *method;
	enum job_form form;
	bool legacy; /* old plugins know it as a StateChange */
};

static const struct job_kind job_kinds[] = {
	{ NRI__EVENT__RUN_POD_SANDBOX, "RunPodSandbox", JOB_POD, true },
	{ NRI__EVENT__STOP_POD_SANDBOX, "StopPodSandbox", JOB_POD, true },
	{ NRI__EVENT__REMOVE_POD_SANDBOX, "RemovePodSandbox", JOB_POD, true },
	{ NRI__EVENT__UPDATE_POD_SANDBOX, "UpdatePodSandbox", JOB_POD_UPDATE,
	    false },
	{ NRI__EVENT__POST_UPDATE_POD_SANDBOX, "PostUpdatePodSandbox", JOB_POD,
	    true },
	{ NRI__EVENT__CREATE_CONTAINER, "CreateContainer", JOB_CREATE, false },
	{ NRI__EVENT__POST_CREATE_CONTAINER, "PostCreateContainer", JOB_CTR,
	    true },
	{ NRI__EVENT__START_CONTAINER, "StartContainer", JOB_CTR, true },
	{ NRI__EVENT__POST_START_CONTAINER, "PostStartContainer", JOB_CTR,
	    true },
	{ NRI__EVENT__UPDATE_CONTAINER, "UpdateContainer", JOB_UPDATE, false },
	{ NRI__EVENT__POST_UPDATE_CONTAINER, "PostUpdateContainer", JOB_CTR,
	    true },
	{ NRI__EVENT__STOP_CONTAINER, "StopContainer", JOB_STOP, false },
	{ NRI__EVENT__REMOVE_CONTAINER, "RemoveContainer", JOB_CTR, true },
};

struct job {
	TAILQ_ENTRY(job) entry; /* in held, or in a plugin's waiting */
	struct nrid *nrid;
	const struct job_kind *kind;
	struct link_call *call;
	char id[ID_SIZE], pod_id[ID_SIZE]; /* id: of the container, if any */
	struct bytes pod, ctr; /* as they were known when it began */
	uint64_t order;	       /* of the plugin that was asked last */
	struct plugin *plugin; /* whose answer or turn is awaited */
	bool held;
	bool validating;
	struct pballoc mem;
	struct merge merge; /* of JOB_CREATE, _UPDATE, _STOP */
	Nri__PodSandbox *pod_seen;
	Nri__Container *pristine;		   /* before any adjustment */
	Nri__LinuxResources *overhead, *resources; /* of a pod's update */
};

static void job_go(struct job *j);

static const struct job_kind *
job_kind(Nri__Event event)
{
	for (size_t i = 0; i < sizeof(job_kinds) / sizeof(job_kinds[0]); i++) {
		if (job_kinds[i].event == event)
			return &job_kinds[i];
	}
	return NULL;
}

/* ---- the end ---- */

static void
job_free(struct job *j)
{
	struct nrid *n = j->nrid;

	n->njobs--;
	n->nactive--;
	bytes_clear(&j->pod);
	bytes_clear(&j->ctr);
	pballoc_clear(&j->mem);
	free(j);
	sync_review(n);
}

/* What is gone is forgotten, whatever plugins said. */
static void
job_forget(struct job *j)
{
	if (j->kind->event == NRI__EVENT__REMOVE_POD_SANDBOX)
		known_drop_pod(&j->nrid->known, j->pod_id);
	else if (j->kind->event == NRI__EVENT__REMOVE_CONTAINER)
		known_drop_ctr(&j->nrid->known, j->id);
}

static void
job_fail(struct job *j, const struct cerr *err)
{
	log_warn("%s of %s: %s", j->kind->method,
	    j->id[0] != '\0' ? j->id : j->pod_id, err->text);
	job_forget(j);
	link_refuse(j->call, err);
	job_free(j);
}

static void
job_succeed(struct job *j)
{
	Criod__NriDone done = CRIOD__NRI_DONE__INIT;
	struct known_ctr *c;

	job_forget(j);
	c = known_ctr(&j->nrid->known, j->id);
	if (j->kind->form == JOB_CREATE) {
		(void)known_set_execd(&j->nrid->known, j->id, j->pod_id,
		    j->merge.view);
		link_reply(j->call, MSG_NRI_CREATED, j->merge.adjust, NULL, 0);
	} else {
		if (j->merge.asked != NULL && c != NULL)
			known_ask_limits(c, j->merge.asked);
		done.resources = j->merge.asked;
		link_reply(j->call, MSG_NRI_DONE, &done, NULL, 0);
	}
	job_free(j);
}

/* ---- what plugins answer ---- */

static int
job_malformed(struct job *j, struct cerr *err)
{
	(void)j;
	return cerr_set(err, CERR_INVALID_ARGUMENT, "a malformed answer");
}

static int
job_take_created(struct job *j, struct plugin *p, const uint8_t *buf,
    size_t len, bool *broken, struct cerr *err)
{
	Nri__CreateContainerResponse *r = nrid_decode(&j->mem,
	    &nri__create_container_response__descriptor, buf, len);

	if (r == NULL) {
		*broken = true;
		return job_malformed(j, err);
	}
	update_evict(j->nrid, r->evict, r->n_evict, p->name);
	if (merge_adjust(&j->merge, p->name, r->adjust, err) == -1)
		return -1;
	return merge_updates(&j->merge, p->name, r->update, r->n_update, err);
}

static int
job_take_updated(struct job *j, struct plugin *p, const uint8_t *buf,
    size_t len, bool *broken, struct cerr *err)
{
	Nri__UpdateContainerResponse *r = nrid_decode(&j->mem,
	    &nri__update_container_response__descriptor, buf, len);

	if (r == NULL) {
		*broken = true;
		return job_malformed(j, err);
	}
	update_evict(j->nrid, r->evict, r->n_evict, p->name);
	return merge_updates(&j->merge, p->name, r->update, r->n_update, err);
}

static int
job_take_validated(struct job *j, struct plugin *p, const uint8_t *buf,
    size_t len, bool *broken, struct cerr *err)
{
	Nri__ValidateContainerAdjustmentResponse *r = nrid_decode(&j->mem,
	    &nri__validate_container_adjustment_response__descriptor, buf, len);

	if (r == NULL) {
		*broken = true;
		return job_malformed(j, err);
	}
	if (!r->reject)
		return 0;
	return cerr_set(err, CERR_PERMISSION_DENIED,
	    "NRI plugin %s rejects the adjustment: %.512s", p->name, r->reason);
}

static int
job_take(struct job *j, struct plugin *p, const uint8_t *buf, size_t len,
    bool *broken, struct cerr *err)
{
	*broken = false;
	if (j->validating)
		return job_take_validated(j, p, buf, len, broken, err);
	switch (j->kind->form) {
	case JOB_CREATE:
		return job_take_created(j, p, buf, len, broken, err);
	case JOB_UPDATE:
	case JOB_STOP:
		/* A stop's answer has the same first field, and no other. */
		return job_take_updated(j, p, buf, len, broken, err);
	case JOB_POD:
	case JOB_POD_UPDATE:
	case JOB_CTR:
	default:
		return 0;
	}
}

/* ---- what they are asked ---- */

/* All plugins that were asked, for validators. */
static int
job_instances(struct job *j, Nri__ValidateContainerAdjustmentRequest *r)
{
	struct plugin *p;

	r->plugins =
	    merge_alloc(&j->mem, j->nrid->nplugins, sizeof(*r->plugins));
	if (r->plugins == NULL)
		return -1;
	TAILQ_FOREACH(p, &j->nrid->plugins, entry) {
		Nri__PluginInstance *i;

		if (p->state != PLUGIN_ACTIVE)
			continue;
		i = merge_alloc(&j->mem, 1, sizeof(*i));
		if (i == NULL)
			return -1;
		nri__plugin_instance__init(i);
		i->name = p->base;
		i->index = p->idx;
		r->plugins[r->n_plugins++] = i;
	}
	return 0;
}

static void job_reply(void *arg, const uint8_t *payload, size_t len,
    const struct cerr *err, bool answered);

static int
job_ask_validate(struct job *j, struct plugin *p, struct cerr *err)
{
	Nri__ValidateContainerAdjustmentRequest r;

	nri__validate_container_adjustment_request__init(&r);
	r.pod = j->pod_seen;
	r.container = j->pristine;
	r.adjust = j->merge.adjust;
	r.update = j->merge.updates;
	r.n_update = j->merge.nupdates;
	r.owners = merge_owners(&j->merge);
	if (r.owners == NULL || job_instances(j, &r) == -1)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED, "no memory");
	return plugin_call(p, "ValidateContainerAdjustment", &r, job_reply, j,
	    err);
}

static int
job_ask_create(struct job *j, struct plugin *p, struct cerr *err)
{
	Nri__ContainerRequest r;

	nri__container_request__init(&r);
	r.pod = j->pod_seen;
	r.container = j->merge.view;
	return plugin_call(p, j->kind->method, &r, job_reply, j, err);
}

static int
job_ask_update(struct job *j, struct plugin *p, struct cerr *err)
{
	Nri__UpdateContainerRequest r;

	nri__update_container_request__init(&r);
	r.pod = j->pod_seen;
	r.container = j->pristine;
	r.linux_resources = j->merge.asked;
	return plugin_call(p, j->kind->method, &r, job_reply, j, err);
}

static int
job_ask_pod_update(struct job *j, struct plugin *p, struct cerr *err)
{
	Nri__UpdatePodSandboxRequest r;

	nri__update_pod_sandbox_request__init(&r);
	r.pod = j->pod_seen;
	r.overhead_linux_resources = j->overhead;
	r.linux_resources = j->resources;
	return plugin_call(p, j->kind->method, &r, job_reply, j, err);
}

/* Pod and container as they are known, in the fields from first on. */
static int
job_ask_bytes(struct job *j, struct plugin *p, bool legacy, struct cerr *err)
{
	struct bytes b = { 0 };
	unsigned int first = legacy ? 2 : 1;
	int rv;

	if (legacy)
		bytes_add_number(&b, 1, j->kind->event);
	bytes_add_field(&b, first, j->pod.data, j->pod.len, NULL, 0);
	if (j->id[0] != '\0')
		bytes_add_field(&b, first + 1, j->ctr.data, j->ctr.len, NULL,
		    0);
	rv = plugin_call_bytes(p, legacy ? "StateChange" : j->kind->method,
	    b.data, b.len, job_reply, j, err);
	bytes_clear(&b);
	return rv;
}

static int
job_ask_form(struct job *j, struct plugin *p, struct cerr *err)
{
	if (j->validating)
		return job_ask_validate(j, p, err);
	switch (j->kind->form) {
	case JOB_CREATE:
		return job_ask_create(j, p, err);
	case JOB_UPDATE:
		return job_ask_update(j, p, err);
	case JOB_POD_UPDATE:
		return job_ask_pod_update(j, p, err);
	case JOB_POD:
	case JOB_CTR:
	case JOB_STOP:
	default:
		return job_ask_bytes(j, p, p->legacy && j->kind->legacy, err);
	}
}

/* False: that plugin is no more.  What cannot be put to it fails the job. */
static bool
job_ask(struct job *j, struct plugin *p)
{
	struct cerr err;

	p->busy = j;
	j->plugin = p;
	if (job_ask_form(j, p, &err) == 0)
		return true;
	p->busy = NULL;
	j->plugin = NULL;
	if (err.code != CERR_UNAVAILABLE) {
		job_fail(j, &err);
		return true;
	}
	plugin_drop(p, err.text);
	return false;
}

/* ---- one plugin after the other ---- */

static void
job_updated(void *arg, const size_t *failed, size_t nfailed,
    const struct cerr *err)
{
	struct job *j = arg;

	(void)failed;
	(void)nfailed;
	if (err != NULL)
		job_fail(j, err);
	else
		job_succeed(j);
}

static bool
job_has_required(const struct job *j, const char *name)
{
	struct plugin *p;

	TAILQ_FOREACH(p, &j->nrid->plugins, entry) {
		if (p->state == PLUGIN_ACTIVE && strcmp(p->base, name) == 0)
			return true;
	}
	return false;
}

/* Plugins that there must be, for a container to be made. */
static int
job_required(const struct job *j, struct cerr *err)
{
	const Criod__BootNrid *boot = j->nrid->boot;

	for (size_t i = 0; i < boot->n_required; i++) {
		if (!job_has_required(j, boot->required[i]))
			return cerr_set(err, CERR_FAILED_PRECONDITION,
			    "the NRI plugin %.64s is required and is not there",
			    boot->required[i]);
	}
	return 0;
}

static void
job_all_asked(struct job *j)
{
	struct cerr err;

	if (j->kind->form == JOB_CREATE && !j->validating) {
		if (job_required(j, &err) == -1) {
			job_fail(j, &err);
			return;
		}
		j->validating = true;
		j->order = 0;
		job_go(j);
		return;
	}
	if (j->merge.nupdates > 0)
		update_run(j->nrid, j->merge.updates, j->merge.nupdates,
		    job_updated, j);
	else
		job_succeed(j);
}

static void
job_go(struct job *j)
{
	struct plugin *p;
	Nri__Event event = j->validating
			       ? NRI__EVENT__VALIDATE_CONTAINER_ADJUSTMENT
			       : j->kind->event;

	while ((p = plugin_next(j->nrid, j->order, event)) != NULL) {
		j->order = p->order;
		if (p->busy != NULL) {
			j->plugin = p;
			TAILQ_INSERT_TAIL(&p->waiting, j, entry);
			return;
		}
		if (job_ask(j, p))
			return;
	}
	job_all_asked(j);
}

void
job_turn(struct plugin *p)
{
	struct job *j;

	while (p->state == PLUGIN_ACTIVE && p->busy == NULL &&
	       (j = TAILQ_FIRST(&p->waiting)) != NULL) {
		TAILQ_REMOVE(&p->waiting, j, entry);
		j->plugin = NULL;
		if (!job_ask(j, p))
			job_go(j);
	}
}

void
job_plugin_gone(struct plugin *p)
{
	struct job *j;

	while ((j = TAILQ_FIRST(&p->waiting)) != NULL) {
		TAILQ_REMOVE(&p->waiting, j, entry);
		j->plugin = NULL;
		job_go(j);
	}
}

/* Without an answer the plugin goes; a validator's silence is a no. */
static void
job_silent(struct job *j, struct plugin *p, const struct cerr *err)
{
	struct cerr why;

	(void)cerr_set(&why, CERR_UNAVAILABLE, "NRI plugin %s, %s: %.512s",
	    p->name, j->validating ? "a validator" : j->kind->method,
	    err->text);
	plugin_drop(p, why.text);
	if (j->validating)
		job_fail(j, &why);
	else
		job_go(j);
}

static void
job_refused(struct job *j, struct plugin *p, const struct cerr *err)
{
	struct cerr why;

	if (err->code == CERR_UNIMPLEMENTED && j->kind->legacy && !p->legacy) {
		log_debug("NRI plugin %s is told by StateChange", p->name);
		p->legacy = true;
		if (!job_ask(j, p))
			job_go(j);
		return;
	}
	(void)cerr_set(&why, err->code, "NRI plugin %s: %.512s", p->name,
	    err->text);
	job_turn(p);
	job_fail(j, &why);
}

static void
job_reply(void *arg, const uint8_t *payload, size_t len, const struct cerr *err,
    bool answered)
{
	struct job *j = arg;
	struct plugin *p = j->plugin;
	struct cerr why;
	bool broken;

	p->busy = NULL;
	j->plugin = NULL;
	if (err != NULL && !answered) {
		job_silent(j, p, err);
	} else if (err != NULL) {
		job_refused(j, p, err);
	} else if (job_take(j, p, payload, len, &broken, &why) == 0) {
		job_turn(p);
		job_go(j);
	} else if (broken) {
		job_silent(j, p, &why);
	} else {
		job_turn(p);
		job_fail(j, &why);
	}
}

/* ---- the beginning ---- */

static bool
job_must_wait(const struct nrid *n)
{
	const struct plugin *p;

	if (n->nsyncing > 0)
		return true;
	TAILQ_FOREACH(p, &n->plugins, entry) {
		if (p->state == PLUGIN_WAITING && n->told_front &&
		    n->told_execd)
			return true;
		/* An installed one is there from the start. */
		if (p->preset && p->state < PLUGIN_WAITING)
			return true;
	}
	return false;
}

static void
job_start(struct job *j)
{
	struct nrid *n = j->nrid;

	if (job_must_wait(n)) {
		TAILQ_INSERT_TAIL(&n->held, j, entry);
		return;
	}
	n->nactive++;
	job_go(j);
}

void
job_release(struct nrid *n)
{
	struct job_list now;
	struct job *j;

	if (job_must_wait(n))
		return;
	TAILQ_INIT(&now);
	TAILQ_CONCAT(&now, &n->held, entry);
	while ((j = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, j, entry);
		n->nactive++;
		job_go(j);
	}
}

static struct job *
job_new(struct nrid *n, const struct job_kind *kind, struct link_call *call,
    const char *pod_id, const char *id)
{
	struct job *j = nrid_alloc(1, sizeof(*j));

	j->nrid = n;
	j->kind = kind;
	j->call = call;
	(void)snprintf(j->pod_id, sizeof(j->pod_id), "%s", pod_id);
	(void)snprintf(j->id, sizeof(j->id), "%s", id);
	pballoc_init(&j->mem, JOB_MEMORY);
	n->njobs++;
	return j;
}

/* Copies of what is known now, and decoded where plugins may change it. */
static int
job_see(struct job *j, const struct known_pod *pod, const struct known_ctr *c,
    struct cerr *err)
{
	bytes_add(&j->pod, pod->pod.data, pod->pod.len);
	if (c != NULL) {
		bytes_add(&j->ctr, c->front.data, c->front.len);
		bytes_add(&j->ctr, c->execd.data, c->execd.len);
		bytes_add(&j->ctr, c->limits.data, c->limits.len);
	}
	j->pod_seen =
	    (void *)protobuf_c_message_unpack(&nri__pod_sandbox__descriptor,
		&j->mem.alloc, j->pod.len, j->pod.data);
	if (c != NULL && j->kind->form != JOB_CTR)
		j->pristine = (void *)
		    protobuf_c_message_unpack(&nri__container__descriptor,
			&j->mem.alloc, j->ctr.len, j->ctr.data);
	if (j->pod_seen == NULL ||
	    (c != NULL && j->kind->form != JOB_CTR && j->pristine == NULL) ||
	    merge_init(&j->merge, &j->mem, j->id) == -1)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "no memory for what NRI plugins are told");
	return 0;
}

/* Deep, in the job's arena; NULL for NULL. */
static void *
job_copy(struct job *j, const void *message)
{
	const ProtobufCMessage *m = message;
	struct known_bytes b;
	void *copy;

	if (m == NULL)
		return NULL;
	b.len = protobuf_c_message_get_packed_size(m);
	b.data = nrid_alloc(1, b.len + 1);
	(void)protobuf_c_message_pack(m, b.data);
	copy = protobuf_c_message_unpack(m->descriptor, &j->mem.alloc, b.len,
	    b.data);
	free(b.data);
	return copy;
}

static void
job_refuse(struct job *j, const struct cerr *err)
{
	j->nrid->nactive++; /* for job_free */
	link_refuse(j->call, err);
	job_free(j);
}

/* What the front says is kept.  NULL: there is nobody to be told. */
static struct known_ctr *
job_learn(struct nrid *n, const Criod__NriEvent *e, const char *pod_id)
{
	const Nri__Container *c = e->container;
	struct known_ctr *known;

	if (known_pod(&n->known, pod_id) != NULL ||
	    e->event == NRI__EVENT__RUN_POD_SANDBOX)
		(void)known_set_pod(&n->known, pod_id, e->pod);
	if (c == NULL || known_pod(&n->known, pod_id) == NULL)
		return NULL;
	if (e->event == NRI__EVENT__REMOVE_CONTAINER &&
	    known_ctr(&n->known, c->id) == NULL)
		return NULL;
	known = known_set_front(&n->known, c->id, pod_id, c);
	if (e->event == NRI__EVENT__POST_UPDATE_CONTAINER)
		known_set_limits(known, NULL);
	return known;
}

static int
job_check_event(const struct nrid *n, const Criod__NriEvent *e,
    const struct job_kind **kind, struct cerr *err)
{
	*kind = job_kind(e->event);
	if (*kind == NULL || (*kind)->form == JOB_CREATE)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "not an event");
	if (e->pod == NULL || !id_valid(e->pod->id) ||
	    (e->container != NULL && !id_valid(e->container->id)))
		return cerr_set(err, CERR_INVALID_ARGUMENT, "not an id");
	if ((e->container == NULL) !=
	    ((*kind)->form == JOB_POD || (*kind)->form == JOB_POD_UPDATE))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "an event of something else");
	if (n->njobs >= NRID_JOBS_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "NRI plugins have %d events before them", NRID_JOBS_MAX);
	return 0;
}

void
job_take_event(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__NriEvent *e = m->body;
	const struct job_kind *kind;
	struct nrid *n = ctx;
	const struct known_pod *pod;
	const struct known_ctr *c;
	Criod__NriDone done = CRIOD__NRI_DONE__INIT;
	struct cerr err;
	struct job *j;

	if (job_check_event(n, e, &kind, &err) == -1) {
		link_refuse(call, &err);
		return;
	}
	c = job_learn(n, e, e->pod->id);
	pod = known_pod(&n->known, e->pod->id);
	if (pod == NULL || (e->container != NULL && c == NULL)) {
		done.resources = e->resources;
		link_reply(call, MSG_NRI_DONE, &done, NULL, 0);
		return;
	}
	j = job_new(n, kind, call, pod->id, c != NULL ? c->id : "");
	if (job_see(j, pod, c, &err) == -1) {
		job_refuse(j, &err);
		return;
	}
	if (kind->form == JOB_UPDATE)
		j->merge.asked = job_copy(j, e->resources);
	j->resources = job_copy(j, e->resources);
	j->overhead = job_copy(j, e->overhead);
	job_start(j);
}

void
job_take_create(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Nri__Container *body = m->body;
	struct nrid *n = ctx;
	const struct known_pod *pod = NULL;
	struct known_ctr made = { 0 };
	struct cerr err;
	struct job *j;

	(void)cerr_set(&err, CERR_UNAVAILABLE,
	    "NRI plugins know nothing of pod %.64s yet", body->pod_sandbox_id);
	if (id_valid(body->id) && n->njobs < NRID_JOBS_MAX)
		pod = known_pod(&n->known, body->pod_sandbox_id);
	if (pod == NULL) {
		link_refuse(call, &err);
		return;
	}
	j = job_new(n, job_kind(NRI__EVENT__CREATE_CONTAINER), call, pod->id,
	    body->id);
	made.execd.len =
	    protobuf_c_message_get_packed_size((const ProtobufCMessage *)body);
	made.execd.data = nrid_alloc(1, made.execd.len + 1);
	(void)protobuf_c_message_pack((const ProtobufCMessage *)body,
	    made.execd.data);
	if (job_see(j, pod, &made, &err) == -1 ||
	    (j->merge.view = job_copy(j, body)) == NULL) {
		(void)cerr_set(&err, CERR_RESOURCE_EXHAUSTED,
		    "no memory for what NRI plugins are told");
		job_refuse(j, &err);
	} else
		job_start(j);
	free(made.execd.data);
}
