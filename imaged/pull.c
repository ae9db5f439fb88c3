#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#include "imaged/auth.h"
#include "imaged/gate.h"
#include "imaged/import.h"
#include "imaged/share.h"
#include "imaged/manifest.h"
#include "imaged/pull.h"
#include "imaged/session.h"
#include "imaged/store.h"
#include "imaged/judge.h"

enum pull_state {
	PULL_MANIFEST = 0, /* the document the reference names, or below it */
	PULL_TRUST,	   /* whether the policy accepts it */
	PULL_CONFIG,
	PULL_LAYERS,
	PULL_COMMIT,
	PULL_OVER,
	PULL_NSTATES,
};

static const struct {
	const char *name;
	unsigned int next; /* 1 << state */
} pull_states[PULL_NSTATES] = {
	[PULL_MANIFEST] = { "manifest",
	    1U << PULL_MANIFEST | 1U << PULL_TRUST | 1U << PULL_OVER },
	[PULL_TRUST] = { "trust",
	    1U << PULL_CONFIG | 1U << PULL_LAYERS | 1U << PULL_OVER },
	[PULL_CONFIG] = { "config", 1U << PULL_LAYERS | 1U << PULL_OVER },
	[PULL_LAYERS] = { "layers", 1U << PULL_COMMIT | 1U << PULL_OVER },
	[PULL_COMMIT] = { "commit", 1U << PULL_OVER },
	[PULL_OVER] = { "over", 0 },
};

struct pull_doc {
	uint8_t *data;
	size_t len;
};

struct pull_layer {
	struct pull *pull;
	struct share_wait *wait;
	size_t at;	 /* which session */
	uint64_t number; /* held; 0: not yet */
};

struct pull {
	const struct pull_env *env;
	enum pull_state state;
	struct ref ref;
	char text[REF_TEXT_SIZE];
	bool import;
	char *ns; /* the namespace of the pod it is for, or "" */
	struct gate *gate;
	pull_done_fn done;
	void *arg;
	/* where to read from; at is what answered last */
	struct session *sessions[REGISTRY_ENDPOINTS_MAX];
	size_t nsessions, at;
	char notes[512]; /* what mirrors said */
	/* the document being read */
	struct session_call *call;
	struct event *tick;	/* import: it is there, told from the loop */
	struct event *total;	/* no pull takes longer */
	char want[DIGEST_SIZE]; /* tag or digest */
	const struct manifest_desc *desc; /* that named it; NULL: the ref */
	unsigned int depth;
	/* what came */
	char top[DIGEST_SIZE], digest[DIGEST_SIZE];  /* first, chosen */
	char top_sum[DIGEST_SIZE], sum[DIGEST_SIZE]; /* by sha256 */
	char id[DIGEST_SIZE];			     /* what it will be */
	struct pull_doc manifest, config;
	struct manifest m;
	struct manifest_desc chosen; /* m.chosen, while m is parsed anew */
	struct manifest_config c;
	struct pull_layer layers[MANIFEST_LAYERS_MAX];
	struct store_settled *settling;	 /* additional stores may have them */
	char *urls[MANIFEST_LAYERS_MAX]; /* of foreign layers; NULL */
	size_t next, active, complete;
};

static void pull_read(struct pull *p, size_t at);
static void pull_doc_failed(struct pull *p, const struct cerr *err);

static void
pull_set_state(struct pull *p, enum pull_state state)
{
	if ((pull_states[p->state].next & 1U << state) == 0)
		fatalx("pull: %s to %s", pull_states[p->state].name,
		    pull_states[state].name);
	log_debug("pull %s: %s", p->text, pull_states[state].name);
	p->state = state;
}

static void
pull_doc_free(struct pull_doc *d)
{
	free(d->data);
	d->data = NULL;
	d->len = 0;
}

static void
pull_drop_import(struct pull *p)
{
	struct import *im = p->env->import;

	import_drop(im, p->top);
	import_drop(im, p->digest);
	import_drop(im, p->m.config.digest);
	for (size_t i = 0; i < p->m.nlayers; i++)
		import_drop(im, p->m.layers[i].digest);
}

/* The holds go back, the commit has its own. */
static void
pull_free(struct pull *p)
{
	if (p->import)
		pull_drop_import(p);
	session_cancel(p->call);
	store_settled_cancel(p->settling);
	gate_free(p->gate);
	event_free(p->tick);
	event_free(p->total);
	for (size_t i = 0; i < p->m.nlayers; i++) {
		share_cancel(p->layers[i].wait);
		if (p->layers[i].number != 0)
			store_layer_drop(p->env->store, p->layers[i].number);
	}
	for (size_t i = 0; i < p->nsessions; i++)
		session_unref(p->sessions[i]);
	pull_doc_free(&p->manifest);
	pull_doc_free(&p->config);
	foreign_free(p->urls);
	free(p->ns);
	free(p);
}

void
pull_cancel(struct pull *p)
{
	if (p == NULL)
		return;
	log_debug("pull %s: nobody waits for it any more", p->text);
	pull_free(p);
}

/* UNAVAILABLE, as sessions say it, would tell clients to ask again at once. */
static enum cerr_code
pull_code(enum cerr_code code)
{
	return code == CERR_UNAVAILABLE ? CERR_RESOURCE_EXHAUSTED : code;
}

static void
pull_end(struct pull *p, const struct cerr *err)
{
	pull_set_state(p, PULL_OVER);
	p->done(p->arg, err, NULL);
	pull_free(p);
}

/*
 * The kubelet knows an unreachable registry by the text's beginning and code
 * UNKNOWN, which sessions give for nothing else.
 */
static void
pull_fail(struct pull *p, const struct cerr *why)
{
	struct cerr err;

	(void)cerr_set(&err, pull_code(why->code), "%s%s %s: %s%s",
	    why->code == CERR_UNKNOWN ? "RegistryUnavailable: " : "",
	    p->import ? "import" : "pull", p->text, why->text, p->notes);
	pull_end(p, &err);
}

/* A mirror's failure is told only if nothing after it does better. */
static void
pull_note(struct pull *p, const struct cerr *err)
{
	size_t used = strlen(p->notes);

	(void)snprintf(p->notes + used, sizeof(p->notes) - used, "; %s",
	    err->text);
}

/* ---- commit ---- */

static size_t
pull_names(struct pull *p, char names[3][REF_TEXT_SIZE])
{
	size_t n = 0;

	/* NAME:TAG@DIGEST says nothing about the tag. */
	if (p->ref.digest[0] == '\0')
		ref_tagged(&p->ref, names[n++]);
	ref_at_digest(&p->ref, p->top, names[n++]);
	if (strcmp(p->top, p->digest) != 0)
		ref_at_digest(&p->ref, p->digest, names[n++]);
	return n;
}

/* They are kept by the repository that they came from. */
static void
pull_commit_signatures(const struct pull *p, char source[REF_TEXT_SIZE],
    struct store_new_image *image)
{
	if (p->gate == NULL)
		return;
	ref_name(&p->ref, source);
	image->source = source;
	image->signatures = gate_signatures(p->gate, &image->signatures_len);
}

static void
pull_commit(struct pull *p)
{
	char text[3][REF_TEXT_SIZE];
	const char *names[3] = { text[0], text[1], text[2] };
	uint64_t layers[MANIFEST_LAYERS_MAX];
	struct store_new_image image = {
		.id = p->id,
		.config = p->config.data,
		.config_len = p->config.len,
		.manifest_digest = p->digest,
		.manifest = p->manifest.data,
		.manifest_len = p->manifest.len,
		.names = names,
		.nnames = pull_names(p, text),
		.layers = layers,
		.nlayers = p->m.nlayers,
	};
	char source[REF_TEXT_SIZE];
	struct cerr err;

	pull_set_state(p, PULL_COMMIT);
	for (size_t i = 0; i < p->m.nlayers; i++)
		layers[i] = p->layers[i].number;
	pull_commit_signatures(p, source, &image);
	if (store_image_commit(p->env->store, &image, &err) == -1) {
		pull_fail(p, &err);
		return;
	}
	log_info("%s %s: %s", p->import ? "imported" : "pulled", p->text,
	    image.id);
	pull_set_state(p, PULL_OVER);
	p->done(p->arg, NULL, image.id);
	pull_free(p);
}

/* ---- layers ---- */

/* The first place from number at on that may be asked for content. */
static size_t
pull_next_source(const struct pull *p, size_t at)
{
	while (at < p->nsessions && !session_pulls(p->sessions[at]))
		at++;
	return at;
}

/* Where content is read from: what answered last, if it gives any. */
static size_t
pull_source(const struct pull *p)
{
	return p->import || session_pulls(p->sessions[p->at])
		   ? p->at
		   : pull_next_source(p, 0);
}

/* What another place may do better: not a full disk. */
static bool
pull_may_move(const struct pull *p, size_t next, const struct cerr *err)
{
	return !p->import && next < p->nsessions &&
	       err->code != CERR_RESOURCE_EXHAUSTED;
}

static void pull_layer_done(void *arg, const struct cerr *err, uint64_t layer);
static void pull_known_artifact(struct pull *p);

/* Where a layer is read from: one reference; NULL: from what was passed. */
static struct session *
pull_layer_session(const struct pull *p, size_t i)
{
	struct session *s = p->import ? NULL : p->sessions[p->layers[i].at];

	if (s == NULL)
		return NULL;
	return p->urls[i] != NULL ? session_new_url(s, p->urls[i])
				  : session_ref(s);
}

static int
pull_layer_start(struct pull *p, size_t i, struct cerr *err)
{
	struct pull_layer *l = &p->layers[i];
	struct share_want want = {
		.blob = &p->m.layers[i],
		.diff_id = p->c.diff_ids[i],
		.session = NULL,
		.fd = -1,
		.done = pull_layer_done,
		.arg = l,
	};

	if (p->import) {
		want.fd = import_open(p->env->import, want.blob->digest, err);
		if (want.fd == -1)
			return -1;
	}
	p->active++;
	want.session = pull_layer_session(p, i);
	l->wait = share_get(p->env->shares, &want);
	session_unref(want.session);
	return 0;
}

/* As many at once as allowed; then the commit. */
static void
pull_layers(struct pull *p)
{
	struct cerr err;

	while (p->next < p->m.nlayers && p->active < p->env->parallel) {
		p->layers[p->next].pull = p;
		p->layers[p->next].at = pull_source(p);
		if (pull_layer_start(p, p->next++, &err) == -1) {
			pull_fail(p, &err);
			return;
		}
	}
	if (p->complete == p->m.nlayers)
		pull_commit(p);
}

static void
pull_settled(void *arg)
{
	struct pull *p = arg;

	p->settling = NULL;
	if (p->m.kind == MANIFEST_ARTIFACT)
		pull_known_artifact(p);
	pull_layers(p);
}

static void
pull_find_layers(struct pull *p)
{
	struct store_settled *w;

	pull_set_state(p, PULL_LAYERS);
	w = store_when_settled(p->env->store, pull_settled, p);
	if (w != NULL) /* else p may be gone */
		p->settling = w;
}

static void
pull_layer_done(void *arg, const struct cerr *err, uint64_t layer)
{
	struct pull_layer *l = arg;
	struct pull *p = l->pull;
	size_t next = pull_next_source(p, l->at + 1);

	l->wait = NULL;
	l->number = layer;
	p->active--;
	if (err == NULL) {
		p->complete++;
		pull_layers(p);
	} else if (p->urls[l - p->layers] == NULL &&
		   pull_may_move(p, next, err)) {
		pull_note(p, err);
		l->at = next;
		(void)pull_layer_start(p, (size_t)(l - p->layers), NULL);
	} else {
		pull_fail(p, err);
	}
}

/* ---- documents ---- */

static void
pull_want(struct pull *p, const struct manifest_desc *desc, const char *name)
{
	p->desc = desc;
	(void)snprintf(p->want, sizeof(p->want), "%s", name);
}

static int
pull_take_config(struct pull *p, struct cerr *err)
{
	if (manifest_config_parse(p->config.data, p->config.len, p->m.nlayers,
		&p->c, err) == -1)
		return -1;
	if (p->c.arch[0] != '\0' &&
	    strcmp(p->c.arch, p->env->platform->arch) != 0)
		log_warn("pull %s: an image for %s on %s", p->text, p->c.arch,
		    p->env->platform->arch);
	pull_find_layers(p);
	return 0;
}

/* An image that is here already: its configuration need not come again. */
static bool
pull_known_config(struct pull *p)
{
	const struct store_image *image =
	    store_image_find(p->env->store, p->m.config.digest);

	if (image == NULL ||
	    store_image_config(p->env->store, p->m.config.digest,
		&p->config.data, &p->config.len, NULL) == -1)
		return false;
	memcpy(p->id, p->m.config.digest, sizeof(p->id));
	return true;
}

/* All of an artifact that is here already: none of it need come again. */
static void
pull_known_artifact(struct pull *p)
{
	const struct store_image *image =
	    store_image_find(p->env->store, p->id);

	if (image == NULL || image->nlayers != p->m.nlayers)
		return;
	for (size_t i = 0; i < p->m.nlayers; i++) {
		p->layers[i].number =
		    store_layer_hold(p->env->store, image->layers[i]);
		p->complete += p->layers[i].number != 0;
	}
	if (p->complete == p->m.nlayers) {
		p->next = p->m.nlayers;
		return;
	}
	for (size_t i = 0; i < p->m.nlayers; i++) {
		if (p->layers[i].number != 0)
			store_layer_drop(p->env->store, p->layers[i].number);
		p->layers[i].number = 0;
	}
	p->complete = 0;
}

/*
 * An artifact has no configuration that anybody could run: its manifest stands
 * in for one, and so the digest of that is its id.
 */
static int
pull_take_artifact(struct pull *p, struct cerr *err)
{
	p->config.data = malloc(p->manifest.len + 1);
	if (p->config.data == NULL)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED, "no memory");
	memcpy(p->config.data, p->manifest.data, p->manifest.len);
	p->config.len = p->manifest.len;
	memcpy(p->id, p->sum, sizeof(p->id));
	pull_find_layers(p);
	return 0;
}

static int
pull_want_config(struct pull *p, struct cerr *err)
{
	if (p->m.kind == MANIFEST_ARTIFACT)
		return pull_take_artifact(p, err);
	pull_set_state(p, PULL_CONFIG);
	pull_want(p, &p->m.config, p->m.config.digest);
	if (pull_known_config(p))
		return pull_take_config(p, err);
	pull_read(p, pull_source(p));
	return 0;
}

static void
pull_trusted(void *arg, const struct cerr *err)
{
	struct pull *p = arg;
	struct cerr why;

	if (err != NULL &&
	    strncmp(err->text, JUDGE_PREFIX, strlen(JUDGE_PREFIX)) == 0)
		pull_end(p, err);
	else if (err != NULL)
		pull_fail(p, err);
	else if (pull_want_config(p, &why) == -1)
		pull_doc_failed(p, &why);
}

/* What an administrator imports was not signed for anybody: see LEASE_GET. */
static void
pull_ask_gate(struct pull *p)
{
	struct gate_def def = { .base = p->env->base,
		.http = p->env->session.http,
		.judge = p->env->judge,
		.ref = &p->ref,
		.ns = p->ns,
		.digest = p->sum,
		.top = p->top_sum,
		.fn = pull_trusted,
		.arg = p };

	if (p->import) {
		pull_trusted(p, NULL);
		return;
	}
	def.session = p->sessions[p->at];
	p->gate = gate_start(&def);
}

static int
pull_take_manifest(struct pull *p, const char *type, struct cerr *err)
{
	const char *expected = p->desc == NULL ? NULL : p->desc->type;

	if (manifest_parse(p->manifest.data, p->manifest.len, type, expected,
		p->env->platform, &p->m, err) == -1)
		return -1;
	if (p->m.kind == MANIFEST_INDEX) {
		if (++p->depth > MANIFEST_DEPTH_MAX)
			return cerr_set(err, CERR_DATA_LOSS,
			    "indexes in indexes, more than 4 deep");
		p->chosen = p->m.chosen;
		if (p->chosen.size > MANIFEST_MAX)
			return cerr_set(err, CERR_DATA_LOSS,
			    "a manifest over 4 MiB");
		pull_doc_free(&p->manifest);
		pull_want(p, &p->chosen, p->chosen.digest);
		pull_set_state(p, PULL_MANIFEST);
		pull_read(p, pull_source(p));
		return 0;
	}
	/* What an import brings along is fetched from nowhere. */
	if (!p->import &&
	    foreign_choose(&p->env->foreign, &p->ref, &p->m, p->manifest.data,
		p->manifest.len, p->urls, err) == -1)
		return -1;
	pull_set_state(p, PULL_TRUST);
	pull_ask_gate(p);
	return 0;
}

/*
 * Whether the bytes are what a digest or descriptor asked for; got is their
 * digest by the algorithm that asked.
 */
static int
pull_check_doc(struct pull *p, const void *buf, size_t len, const char *header,
    char got[DIGEST_SIZE], struct cerr *err)
{
	const char *asked = p->desc != NULL ? p->desc->digest
			    : p->import	    ? p->want
					    : p->ref.digest;
	char said[DIGEST_SIZE];

	digest_of_like(buf, len, asked, got);
	digest_of_like(buf, len, header, said);
	if (asked[0] != '\0' && strcmp(asked, got) != 0)
		return cerr_set(err, CERR_DATA_LOSS,
		    "%s: its content has another digest, %s", asked, got);
	if (p->desc != NULL && len != p->desc->size)
		return cerr_set(err, CERR_DATA_LOSS,
		    "%s: its size is not what was said", asked);
	if (header[0] != '\0' && strcmp(header, said) != 0)
		return cerr_set(err, CERR_DATA_LOSS,
		    "Docker-Content-Digest is not the content's digest, %s",
		    said);
	return 0;
}

/*
 * A tag is resolved: who may only serve, and was passed over for that, comes
 * before who may do both.
 */
static void
pull_resolved(struct pull *p)
{
	for (size_t i = 0; i < p->at && p->ref.digest[0] == '\0'; i++) {
		if (session_pulls(p->sessions[i]) &&
		    !session_resolves(p->sessions[i])) {
			p->at = i;
			return;
		}
	}
}

/* Takes a whole document; type is NULL if a client passed it. */
static int
pull_take_doc(struct pull *p, const void *buf, size_t len, const char *type,
    const char *header, struct cerr *err)
{
	struct pull_doc *d =
	    p->state == PULL_CONFIG ? &p->config : &p->manifest;
	char got[DIGEST_SIZE], sum[DIGEST_SIZE];

	if (pull_check_doc(p, buf, len, header, got, err) == -1)
		return -1;
	pull_doc_free(d);
	d->data = malloc(len + 1);
	if (d->data == NULL)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED, "no memory");
	memcpy(d->data, buf, len);
	d->len = len;
	if (!p->import)
		session_set_tries(p->sessions[p->at], SESSION_TRIES_MAX);
	digest_of(buf, len, sum);
	if (p->state == PULL_CONFIG) {
		memcpy(p->id, sum, sizeof(p->id));
		return pull_take_config(p, err);
	}
	memcpy(p->digest, got, sizeof(p->digest));
	memcpy(p->sum, sum, sizeof(p->sum));
	if (p->depth == 0) {
		memcpy(p->top, got, sizeof(p->top));
		memcpy(p->top_sum, sum, sizeof(p->top_sum));
		pull_resolved(p);
	}
	return pull_take_manifest(p, type, err);
}

/* The first place from number at on that may be asked for the document. */
static size_t
pull_next_place(const struct pull *p, size_t at)
{
	if (p->desc != NULL || p->ref.digest[0] != '\0')
		return pull_next_source(p, at);
	while (at < p->nsessions && !session_resolves(p->sessions[at]))
		at++;
	return at;
}

static void
pull_doc_failed(struct pull *p, const struct cerr *err)
{
	size_t next = pull_next_place(p, p->at + 1);

	if (!pull_may_move(p, next, err)) {
		pull_fail(p, err);
		return;
	}
	pull_note(p, err);
	pull_read(p, next);
}

static void
pull_got(void *arg, const struct http_reply *r, const struct cerr *err)
{
	struct pull *p = arg;
	struct cerr why;

	p->call = NULL;
	if (err != NULL) {
		pull_doc_failed(p, err);
	} else if (pull_take_doc(p, r->body, r->len,
		       p->state == PULL_CONFIG ? NULL : r->type, r->digest,
		       &why) == -1) {
		struct cerr named;

		(void)cerr_set(&named, why.code, "%s: %s",
		    session_host(p->sessions[p->at]), why.text);
		pull_doc_failed(p, &named);
	}
}

/* Import: the document is in a file that a client passed. */
static void
pull_tick(evutil_socket_t fd, short what, void *arg)
{
	struct pull *p = arg;
	uint8_t *buf = NULL;
	size_t len;
	struct cerr err;
	int rc;

	(void)fd;
	(void)what;
	rc = import_read(p->env->import, p->want,
	    p->state == PULL_CONFIG ? MANIFEST_CONFIG_MAX : MANIFEST_MAX, &buf,
	    &len, &err);
	if (rc == 0) {
		rc = pull_take_doc(p, buf, len, NULL, "", &err);
		free(buf);
	}
	if (rc == -1)
		pull_fail(p, &err);
}

/* Reads what is wanted now from the session numbered at. */
static void
pull_read(struct pull *p, size_t at)
{
	struct timeval now = { 0, 0 };
	bool config = p->state == PULL_CONFIG;
	struct session_request r = {
		.kind = config ? "blobs" : "manifests",
		.name = p->want,
		.accept = config ? NULL : manifest_accept,
		.body_max = config ? MANIFEST_CONFIG_MAX : MANIFEST_MAX,
		.done = pull_got,
		.arg = p,
	};

	p->at = at;
	if (p->import) /* read by pull_tick */
		(void)evtimer_add(p->tick, &now);
	else
		p->call = session_get(p->sessions[at], &r);
}

static void
pull_too_long(evutil_socket_t fd, short what, void *arg)
{
	struct pull *p = arg;
	struct cerr err;

	(void)fd;
	(void)what;
	(void)cerr_set(&err, CERR_DEADLINE_EXCEEDED,
	    "not done within %u seconds", p->env->total);
	pull_fail(p, &err);
}

static struct pull *
pull_new(const struct pull_env *env, const struct ref *ref, const char *ns,
    pull_done_fn done, void *arg)
{
	struct pull *p = calloc(1, sizeof(*p));

	if (p == NULL)
		fatal("pull: calloc");
	p->env = env;
	p->ref = *ref;
	p->ns = strdup(ns);
	ref_text(ref, p->text);
	p->done = done;
	p->arg = arg;
	p->tick = evtimer_new(env->base, pull_tick, p);
	p->total = evtimer_new(env->base, pull_too_long, p);
	if (p->tick == NULL || p->total == NULL || p->ns == NULL)
		fatalx("pull: evtimer_new");
	return p;
}

/*
 * What a place may be shown: those of the request are the registry's own, or of
 * the host that they name; other places have those that files give for them.
 */
static struct auth_creds *
pull_creds(const struct registry_endpoint *e, const struct ref *ref,
    struct auth_creds *given)
{
	if (auth_creds_any(given) && auth_creds_for(given, e->host) &&
	    (given->server[0] != '\0' || registry_is_own(e, ref)))
		return auth_creds_ref(given);
	return e->creds != NULL ? auth_creds_ref(e->creds) : auth_creds_none();
}

/* A mirror that does not answer must not hold up the next. */
static struct session *
pull_session(struct pull *p, const struct registry_endpoint *e,
    struct auth_creds *given, bool last)
{
	struct auth_creds *creds = pull_creds(e, &p->ref, given);
	struct session *s = session_new(&p->env->session, e, creds,
	    last ? SESSION_TRIES_MAX : 1);

	auth_creds_unref(creds);
	return s;
}

struct pull *
pull_start(const struct pull_env *env, struct regconf *conf,
    const struct ref *ref, const char *ns, struct auth_creds *creds,
    struct authfile *const auths[REGISTRY_AUTHS], pull_done_fn done, void *arg,
    struct cerr *err)
{
	struct registry_endpoint e[REGISTRY_ENDPOINTS_MAX];
	struct timeval total = { (time_t)env->total, 0 };
	char text[REF_TEXT_SIZE];
	struct pull *p;
	size_t n, first;

	if (registry_endpoints(conf, ref, auths, e, &n, err) == -1)
		return NULL;
	ref_text(ref, text);
	/* Then nobody is asked anything. */
	if (judge_ask(env->judge, ns, ref) == JUDGE_REJECT) {
		(void)cerr_set(err, CERR_UNKNOWN,
		    JUDGE_PREFIX "pull %s: " JUDGE_REJECTED, text);
		return NULL;
	}
	p = pull_new(env, ref, ns, done, arg);
	for (size_t i = 0; i < n; i++)
		p->sessions[i] = pull_session(p, &e[i], creds, i + 1 == n);
	p->nsessions = n;
	first = pull_next_place(p, 0);
	if (first == n || pull_next_source(p, 0) == n) {
		pull_free(p);
		(void)cerr_set(err, CERR_FAILED_PRECONDITION,
		    "pull %s: no registry or mirror may be asked for it", text);
		return NULL;
	}
	if (env->total > 0)
		(void)evtimer_add(p->total, &total);
	pull_want(p, NULL, ref->digest[0] != '\0' ? ref->digest : ref->tag);
	pull_read(p, first);
	return p;
}

struct pull *
pull_import(const struct pull_env *env, const struct ref *ref,
    const char *digest, pull_done_fn done, void *arg)
{
	struct pull *p = pull_new(env, ref, "", done, arg);

	p->import = true;
	pull_want(p, NULL, digest);
	pull_read(p, 0);
	return p;
}

void
pull_progress(const struct pull *p, struct pull_progress *pp)
{
	*pp = (struct pull_progress){ .reference = p->text,
		.stage = pull_states[p->state].name };
	if (p->state != PULL_LAYERS)
		return;
	pp->layers = p->m.nlayers;
	pp->layers_done = p->complete;
	for (size_t i = 0; i < p->m.nlayers; i++) {
		const struct pull_layer *l = &p->layers[i];

		pp->bytes += p->m.layers[i].size;
		if (l->number != 0)
			pp->bytes_done += p->m.layers[i].size;
		else if (l->wait != NULL)
			pp->bytes_done += share_have(l->wait);
	}
}
