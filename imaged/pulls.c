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
#include "imaged/import.h"
#include "imaged/pull.h"
#include "imaged/pulls.h"

struct pulls_wait {
	TAILQ_ENTRY(pulls_wait) entry;
	struct pulls_job *job;
	struct link_call *call;
};

struct pulls_job {
	TAILQ_ENTRY(pulls_job) entry;
	struct pulls *pulls;
	char key[DIGEST_SIZE]; /* of reference and credentials; "": import */
	struct pull *pull;
	enum msg_type answer;
	TAILQ_HEAD(, pulls_wait) waits;
};

struct pulls {
	const struct pull_env *env;
	TAILQ_HEAD(, pulls_job) jobs;
	size_t count;
};

struct pulls *
pulls_new(const struct pull_env *env)
{
	struct pulls *ps = calloc(1, sizeof(*ps));

	if (ps == NULL)
		fatal("pulls: calloc");
	ps->env = env;
	TAILQ_INIT(&ps->jobs);
	return ps;
}

static void
pulls_job_free(struct pulls_job *job)
{
	TAILQ_REMOVE(&job->pulls->jobs, job, entry);
	job->pulls->count--;
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

static void
pulls_done(void *arg, const struct cerr *err, const char *id)
{
	struct pulls_job *job = arg;
	struct pulls_wait *w;

	if (err != NULL)
		log_info("%s", err->text);
	while ((w = TAILQ_FIRST(&job->waits)) != NULL) {
		TAILQ_REMOVE(&job->waits, w, entry);
		if (err != NULL)
			link_refuse(w->call, err);
		else
			pulls_answer(w->call, job->answer, id);
		free(w);
	}
	pulls_job_free(job);
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
pulls_key(const struct ref *ref, const struct auth_creds *creds,
    char key[DIGEST_SIZE])
{
	char text[REF_TEXT_SIZE + DIGEST_SIZE];
	size_t n;

	ref_text(ref, text);
	n = strlen(text) + 1;
	memcpy(text + n, creds->key, DIGEST_SIZE);
	digest_of(text, n + DIGEST_SIZE, key);
}

static int
pulls_begin(struct pulls *ps, struct link_call *call, const struct ref *ref,
    struct auth_creds *creds, struct cerr *err)
{
	char key[DIGEST_SIZE];
	struct pulls_job *job;

	pulls_key(ref, creds, key);
	job = pulls_find(ps, key);
	if (job == NULL) {
		job = pulls_job_new(ps, key, MSG_IMG_PULLED, err);
		if (job == NULL)
			return -1;
		job->pull =
		    pull_start(ps->env, ref, creds, pulls_done, job, err);
		if (job->pull == NULL) {
			pulls_job_free(job);
			return -1;
		}
	}
	pulls_join(job, call);
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

void
pulls_take_pull(struct pulls *ps, struct link_call *call,
    const Runtime__V1__PullImageRequest *req)
{
	struct auth_creds *creds = NULL;
	struct ref ref;
	struct cerr err;
	int rc = pulls_creds(req->auth, &creds, &err);

	if (rc == 0 && (req->image == NULL || req->image->image[0] == '\0'))
		rc = cerr_set(&err, CERR_INVALID_ARGUMENT,
		    "image.image is empty");
	if (rc == 0)
		rc = ref_parse(req->image->image, &ref, &err);
	if (rc == 0)
		rc = pulls_check_policy(ps, &ref, req->sandbox_config, &err);
	if (rc == 0)
		rc = pulls_begin(ps, call, &ref, creds, &err);
	auth_creds_unref(creds);
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
		rc = cerr_set(&err, CERR_INVALID_ARGUMENT,
		    "manifest_digest is not sha256: and 64 hexadecimal "
		    "digits");
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
