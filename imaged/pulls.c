#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/guard.h"
#include "imsg/link.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"

#include "imaged/auth.h"
#include "imaged/authask.h"
#include "imaged/authfile.h"
#include "imaged/import.h"
#include "imaged/pull.h"
#include "imaged/pulls.h"
#include "imaged/regconf.h"
#include "imaged/registry.h"
#include "imaged/regnow.h"

struct pulls_wait {
	TAILQ_ENTRY(pulls_wait) entry;
	struct pulls_job *job;
	struct link_call *call;
};

struct pulls_job {
	TAILQ_ENTRY(pulls_job) entry;
	struct pulls *pulls;
	char key[DIGEST_SIZE]; /* of reference, namespace, credentials; "":
				  import */
	struct pull *pull;
	enum msg_type answer;
	/* What a short name may be: one after the other. */
	struct ref refs[REGISTRY_CANDIDATES_MAX];
	size_t nrefs, next;
	struct auth_creds *creds; /* one reference; NULL: import */
	char *ns;		  /* the pod's namespace, or "" */
	/*
	 * Before all else directories about hosts, and files of credentials,
	 * are asked for.
	 */
	struct regnow_ask *files; /* NULL */
	struct regconf *conf;	  /* one reference */
	char namespace[64], name[REF_TEXT_SIZE];
	struct authask *asked; /* NULL */
	struct authfile *auths[REGISTRY_AUTHS];
	size_t nauths;
	struct cerr err; /* what stopped those before */
	TAILQ_HEAD(, pulls_wait) waits;
};

/* A request that was understood. */
struct pulls_want {
	const char *text;
	struct ref plain; /* text as if there were no aliases */
	struct ref refs[REGISTRY_CANDIDATES_MAX];
	size_t nrefs;
	const char *namespace; /* to look for credentials for; "" */
	const char *ns;	       /* the pod's, for policies; "" */
	struct auth_creds *creds;
};

struct pulls {
	struct pulls_def def;
	const struct pull_env *env;
	TAILQ_HEAD(, pulls_job) jobs;
	size_t count;
	bool warned; /* that helpers are not run */
};

struct pulls *
pulls_new(const struct pulls_def *def)
{
	struct pulls *ps = calloc(1, sizeof(*ps));

	if (ps == NULL)
		fatal("pulls: calloc");
	ps->def = *def;
	ps->env = def->env;
	TAILQ_INIT(&ps->jobs);
	return ps;
}

static void
pulls_job_free(struct pulls_job *job)
{
	TAILQ_REMOVE(&job->pulls->jobs, job, entry);
	job->pulls->count--;
	auth_creds_unref(job->creds);
	regnow_cancel(job->files);
	regconf_unref(job->conf);
	authask_cancel(job->asked);
	for (size_t i = 0; i < job->nauths; i++)
		authfile_free(job->auths[i]);
	free(job->ns);
	free(job);
}

static void
pulls_answer(struct link_call *call, enum msg_type type, const char *id)
{
	Runtime__V1__PullImageResponse r;
	char text[DIGEST_SIZE];

	runtime__v1__pull_image_response__init(&r);
	(void)snprintf(text, sizeof(text), "%s", id);
	r.image_ref = text;
	link_reply(call, type, &r, NULL, 0);
}

/* The first error is told by its code, the others by their text. */
static void
pulls_note(struct pulls_job *job, const struct cerr *err)
{
	char text[CERR_TEXT_MAX];

	log_info("%s", err->text);
	if (job->err.text[0] == '\0') {
		job->err = *err;
		return;
	}
	memcpy(text, job->err.text, sizeof(text));
	(void)cerr_set(&job->err, job->err.code, "%s; %s", text, err->text);
}

/* With the image's id, or without because of what was noted. */
static void
pulls_end(struct pulls_job *job, const char *id)
{
	struct pulls_wait *w;

	while ((w = TAILQ_FIRST(&job->waits)) != NULL) {
		TAILQ_REMOVE(&job->waits, w, entry);
		if (id == NULL)
			link_refuse(w->call, &job->err);
		else
			pulls_answer(w->call, job->answer, id);
		free(w);
	}
	pulls_job_free(job);
}

static bool pulls_try(struct pulls_job *job);

static void
pulls_done(void *arg, const struct cerr *err, const char *id)
{
	struct pulls_job *job = arg;

	job->pull = NULL;
	if (err != NULL)
		pulls_note(job, err);
	if (err == NULL || !pulls_try(job))
		pulls_end(job, id);
}

/* A caller has left. */
static void
pulls_cancelled(void *arg)
{
	struct pulls_wait *w = arg;
	struct pulls_job *job = w->job;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the pull was cancelled");
	TAILQ_REMOVE(&job->waits, w, entry);
	link_refuse(w->call, &err);
	free(w);
	if (!TAILQ_EMPTY(&job->waits))
		return;
	pull_cancel(job->pull);
	pulls_job_free(job);
}

static void
pulls_join(struct pulls_job *job, struct link_call *call)
{
	struct pulls_wait *w = calloc(1, sizeof(*w));

	if (w == NULL)
		fatal("pulls: calloc");
	w->job = job;
	w->call = call;
	TAILQ_INSERT_TAIL(&job->waits, w, entry);
	link_call_on_cancel(call, pulls_cancelled, w);
}

static struct pulls_job *
pulls_find(struct pulls *ps, const char *key)
{
	struct pulls_job *job;

	TAILQ_FOREACH(job, &ps->jobs, entry) {
		if (strcmp(job->key, key) == 0)
			return job;
	}
	return NULL;
}

static struct pulls_job *
pulls_job_new(struct pulls *ps, const char *key, enum msg_type answer,
    struct cerr *err)
{
	struct pulls_job *job;

	if (ps->count >= PULLS_MAX) {
		(void)cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "%d pulls are at work already", PULLS_MAX);
		return NULL;
	}
	job = calloc(1, sizeof(*job));
	if (job == NULL)
		fatal("pulls: calloc");
	job->pulls = ps;
	(void)snprintf(job->key, sizeof(job->key), "%s", key);
	job->answer = answer;
	TAILQ_INIT(&job->waits);
	TAILQ_INSERT_TAIL(&ps->jobs, job, entry);
	ps->count++;
	return job;
}

static void
pulls_key(const struct pulls_want *w, char key[DIGEST_SIZE])
{
	struct digest *d = digest_new();

	digest_update(d, w->text, strlen(w->text) + 1);
	digest_update(d, w->ns, strlen(w->ns) + 1);
	digest_update(d, w->creds->key, strlen(w->creds->key) + 1);
	digest_final(d, key);
	digest_free(d);
}

/* The next that can be begun; what stops the others is told in the end. */
static bool
pulls_try(struct pulls_job *job)
{
	struct cerr err;

	while (job->next < job->nrefs) {
		job->pull = pull_start(job->pulls->env, job->conf,
		    &job->refs[job->next++], job->ns, job->creds, job->auths,
		    pulls_done, job, &err);
		if (job->pull != NULL)
			return true;
		pulls_note(job, &err);
	}
	return false;
}

static void pulls_authorized(void *arg, struct authfile *auth,
    const struct cerr *err);

/* A namespace's file, then the node's; NULL stands for one that is not. */
static void
pulls_authorize(struct pulls_job *job)
{
	const struct pulls_def *ps = &job->pulls->def;
	char label[128];
	struct authask_def def = { .parent = ps->parent,
		.label = label,
		.name = job->name,
		.namespace = job->namespace,
		.done = pulls_authorized,
		.arg = job };

	(void)snprintf(label, sizeof(label), "credentials of namespace %s",
	    job->namespace);
	if (job->nauths == 0 && job->namespace[0] == '\0')
		job->nauths++;
	if (job->nauths == 1) {
		def.label = ps->auth_file;
		def.namespace = "";
	}
	if (job->nauths == 1 && ps->auth_file[0] == '\0')
		job->nauths++;
	if (job->nauths < REGISTRY_AUTHS)
		job->asked = authask_start(&def);
	else if (!pulls_try(job))
		pulls_end(job, NULL);
}

static void
pulls_authorized(void *arg, struct authfile *auth, const struct cerr *err)
{
	struct pulls_job *job = arg;

	job->asked = NULL;
	if (err != NULL) {
		pulls_note(job, err);
		pulls_end(job, NULL);
		return;
	}
	if (auth != NULL && authfile_helpers(auth) && !job->pulls->warned) {
		log_warn("files of credentials: programs that know some "
			 "(credHelpers, credsStore) are not run");
		job->pulls->warned = true;
	}
	job->auths[job->nauths++] = auth;
	pulls_authorize(job);
}

static void
pulls_files_came(void *arg, struct regconf *conf, const struct cerr *err)
{
	struct pulls_job *job = arg;

	job->files = NULL;
	job->conf = regconf_ref(conf);
	if (err == NULL) {
		pulls_authorize(job);
		return;
	}
	pulls_note(job, err);
	pulls_end(job, NULL);
}

/* Who asks for the same, for the same namespace, waits for the same. */
static int
pulls_begin(struct pulls *ps, struct link_call *call,
    const struct pulls_want *want, struct cerr *err)
{
	struct pulls_job *job;
	char key[DIGEST_SIZE];

	pulls_key(want, key);
	job = pulls_find(ps, key);
	if (job != NULL) {
		pulls_join(job, call);
		return 0;
	}
	job = pulls_job_new(ps, key, MSG_IMG_PULLED, err);
	if (job == NULL)
		return -1;
	pulls_join(job, call);
	job->creds = auth_creds_ref(want->creds);
	job->ns = strdup(want->ns);
	if (job->ns == NULL)
		fatal("pulls: strdup");
	memcpy(job->refs, want->refs, sizeof(job->refs));
	job->nrefs = want->nrefs;
	ref_name(&want->plain, job->name);
	(void)snprintf(job->namespace, sizeof(job->namespace), "%s",
	    want->namespace);
	job->files = regnow_start(ps->def.regnow, pulls_files_came, job);
	return 0;
}

/* The message is freed by who knows whom: its secrets go now. */
static void
pulls_wipe(const Runtime__V1__AuthConfig *a)
{
	char *const secrets[] = { a->username, a->password, a->auth,
		a->identity_token, a->registry_token };

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (secrets[i] != NULL && secrets[i][0] != '\0')
			explicit_bzero(secrets[i], strlen(secrets[i]));
	}
}

static int
pulls_creds(const Runtime__V1__AuthConfig *a, struct auth_creds **creds,
    struct cerr *err)
{
	struct auth_given none = { 0 };
	struct auth_given given;
	int rc;

	if (a == NULL)
		return auth_creds_new(&none, creds, err);
	given = (struct auth_given){
		.username = a->username,
		.password = a->password,
		.auth = a->auth,
		.server_address = a->server_address,
		.identity_token = a->identity_token,
		.registry_token = a->registry_token,
	};
	rc = auth_creds_new(&given, creds, err);
	pulls_wipe(a);
	return rc;
}

/* An import, too, puts an image under that name. */
static int
pulls_check_policy(const struct pulls *ps, const struct ref *ref,
    const Runtime__V1__PodSandboxConfig *pod, struct cerr *err)
{
	char name[REF_TEXT_SIZE];
	struct rule_ask ask = { .what = RULE_REGISTRY, .value = name };
	struct guard_for who = { "", "", "" };

	if (pod != NULL && pod->metadata != NULL)
		who.namespace = pod->metadata->namespace_;
	ref_name(ref, name);
	return guard_check(ps->env->guard, &who, &ask, err);
}

/* A label, or nothing: it becomes part of a file's name. */
static const char *
pulls_namespace(const struct pulls *ps,
    const Runtime__V1__PullImageRequest *req)
{
	static const char label[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const Runtime__V1__PodSandboxConfig *c = req->sandbox_config;
	const char *s;

	if (!ps->def.namespaced || c == NULL || c->metadata == NULL)
		return "";
	s = c->metadata->namespace_;
	return strlen(s) < 64 && s[strspn(s, label)] == '\0' ? s : "";
}

/* Whatever it is: only that of a policy's file is equal to one. */
static const char *
pulls_pod_namespace(const Runtime__V1__PullImageRequest *req)
{
	const Runtime__V1__PodSandboxConfig *c = req->sandbox_config;

	return c == NULL || c->metadata == NULL ? "" : c->metadata->namespace_;
}

static int
pulls_want(struct pulls *ps, const Runtime__V1__PullImageRequest *req,
    struct pulls_want *w, struct cerr *err)
{
	if (req->image == NULL || req->image->image[0] == '\0')
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "image.image is empty");
	w->text = req->image->image;
	w->namespace = pulls_namespace(ps, req);
	w->ns = pulls_pod_namespace(req);
	if (ref_parse(w->text, &w->plain, err) == -1)
		return -1;
	if (registry_candidates(regnow_base(ps->def.regnow), w->text, true,
		w->refs, &w->nrefs, err) == -1)
		return -1;
	for (size_t i = 0; i < w->nrefs; i++) {
		if (pulls_check_policy(ps, &w->refs[i], req->sandbox_config,
			err) == -1)
			return -1;
	}
	return 0;
}

void
pulls_take_pull(struct pulls *ps, struct link_call *call,
    const Runtime__V1__PullImageRequest *req)
{
	struct pulls_want want = { .creds = NULL };
	struct cerr err;
	int rc = pulls_creds(req->auth, &want.creds, &err);

	if (rc == 0)
		rc = pulls_want(ps, req, &want, &err);
	if (rc == 0)
		rc = pulls_begin(ps, call, &want, &err);
	auth_creds_unref(want.creds);
	if (rc == -1)
		link_refuse(call, &err);
}

void
pulls_take_import(struct pulls *ps, struct link_call *call,
    const Criod__ImgImport *req)
{
	struct pulls_job *job = NULL;
	struct ref ref;
	struct cerr err;
	int rc = ref_parse(req->reference, &ref, &err);

	if (rc == 0 && !digest_valid(req->manifest_digest))
		rc = cerr_set(&err, CERR_INVALID_ARGUMENT, "manifest: %s",
		    digest_problem(req->manifest_digest));
	if (rc == 0 && ref.digest[0] != '\0' &&
	    strcmp(ref.digest, req->manifest_digest) != 0)
		rc = cerr_set(&err, CERR_INVALID_ARGUMENT,
		    "the reference has another digest than the image");
	if (rc == 0)
		rc = pulls_check_policy(ps, &ref, NULL, &err);
	if (rc == 0)
		job = pulls_job_new(ps, "", MSG_IMG_IMPORTED, &err);
	if (job == NULL) {
		link_refuse(call, &err);
		return;
	}
	pulls_join(job, call);
	job->pull =
	    pull_import(ps->env, &ref, req->manifest_digest, pulls_done, job);
}

void
pulls_take_blob(struct pulls *ps, const Criod__ImgBlob *blob, int fd)
{
	if (digest_valid(blob->digest)) {
		import_add(ps->env->import, blob->digest, fd);
		return;
	}
	log_warn("a blob was passed with a digest that is not valid");
	fdio_close(&fd);
}

/* ---- how far they are ---- */

static void
pulls_fill_task(Criod__ImgTask *t, const struct pull *p)
{
	struct pull_progress pp;

	pull_progress(p, &pp);
	criod__img_task__init(t);
	memcpy(&t->reference, &pp.reference, sizeof(t->reference));
	memcpy(&t->stage, &pp.stage, sizeof(t->stage));
	t->layers = (uint32_t)pp.layers;
	t->layers_done = (uint32_t)pp.layers_done;
	t->bytes = pp.bytes;
	t->bytes_done = pp.bytes_done;
}

void
pulls_take_tasks(struct pulls *ps, struct link_call *call)
{
	Criod__ImgTask tasks[PULLS_MAX];
	Criod__ImgTask *list[PULLS_MAX];
	Criod__ImgTasksAre body = CRIOD__IMG_TASKS_ARE__INIT;
	struct pulls_job *job;

	body.tasks = list;
	TAILQ_FOREACH(job, &ps->jobs, entry) {
		if (job->pull == NULL || body.n_tasks == PULLS_MAX)
			continue;
		pulls_fill_task(&tasks[body.n_tasks], job->pull);
		list[body.n_tasks] = &tasks[body.n_tasks];
		body.n_tasks++;
	}
	link_reply(call, MSG_IMG_TASKS_ARE, &body, NULL, 0);
}
