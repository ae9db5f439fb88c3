#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/fixed.h"
#include "imsg/link.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/mono.h"

#include "imaged/http.h"
#include "imaged/session.h"
#include "imaged/sigatomic.h"
#include "imaged/sigbundle.h"
#include "imaged/sigfetch.h"
#include "imaged/sigmanifest.h"
#include "imaged/sigreferrer.h"
#include "imaged/sigset.h"
#include "imaged/url.h"

#define SIGFETCH_FILE_MS 30000

/* In this order, for each digest. */
enum sigfetch_state {
	SIGFETCH_LOOKASIDE = 0, /* signature-1, signature-2, ... */
	SIGFETCH_KEPT,		/* or the registry's own list */
	SIGFETCH_MANIFEST,	/* of attached signatures */
	SIGFETCH_BLOBS,		/* their payloads */
	SIGFETCH_REFERRERS,	/* lists of attached bundles: the registry's */
	SIGFETCH_TAGGED,	/* else one with a tag */
	SIGFETCH_BUNDLES,	/* each one's manifest and blob */
	SIGFETCH_NSTATES,
};

struct sigfetch {
	struct sigfetch_def def;
	enum sigfetch_state state;
	size_t digest; /* which of def's */
	size_t at;     /* number of the lookaside's, or of a blob */
	struct event *step;
	struct http_call *http;
	struct session_call *call;
	uint32_t file; /* request to the parent; 0: none */
	struct sigmanifest m;
	struct sigreferrer_list refs;
	struct sigreferrer_desc bundle; /* of refs' at; size 0: not known */
};

static void
sigfetch_free(struct sigfetch *f)
{
	http_cancel(f->http);
	session_cancel(f->call);
	if (f->file != 0)
		link_cancel(f->def.parent, f->file);
	event_free(f->step);
	free(f);
}

void
sigfetch_cancel(struct sigfetch *f)
{
	if (f != NULL)
		sigfetch_free(f);
}

static void
sigfetch_end(struct sigfetch *f, const struct cerr *err)
{
	sigfetch_fn fn = f->def.fn;
	void *arg = f->def.arg;
	struct cerr why;

	if (err != NULL)
		(void)cerr_set(&why, err->code, "its signatures: %s",
		    err->text);
	sigfetch_free(f);
	fn(arg, err != NULL ? &why : NULL);
}

static void
sigfetch_go_on(struct sigfetch *f)
{
	event_active(f->step, EV_TIMEOUT, 0);
}

static void
sigfetch_next_state(struct sigfetch *f)
{
	f->at = 0;
	f->state = (enum sigfetch_state)(f->state + 1);
	if (f->state == SIGFETCH_NSTATES) {
		f->state = SIGFETCH_LOOKASIDE;
		f->digest++;
	}
	sigfetch_go_on(f);
}

static const char *
sigfetch_digest(const struct sigfetch *f)
{
	return f->def.digests[f->digest];
}

/* ---- lookaside ---- */

static void
sigfetch_lookaside_failed(struct sigfetch *f, const struct http_reply *r)
{
	struct cerr err;

	if (r->fault == HTTP_FINE)
		(void)cerr_set(&err, CERR_UNKNOWN, "lookaside %s: status %ld",
		    r->host, r->status);
	else
		(void)cerr_set(&err,
		    r->fault == HTTP_FAULT_POLICY ? CERR_DATA_LOSS
						  : CERR_UNKNOWN,
		    "lookaside %s: %s", r->host, r->error);
	sigfetch_end(f, &err);
}

static int
sigfetch_add_simple(struct sigfetch *f, const void *buf, size_t len,
    struct cerr *err)
{
	struct sig *sig =
	    sigset_add(f->def.sigs, SIG_SIMPLE, sigfetch_digest(f), err);

	if (sig == NULL)
		return -1;
	return sigset_put(f->def.sigs, sig, SIG_BODY, buf, len, err);
}

static void
sigfetch_lookaside_done(void *arg, const struct http_reply *r)
{
	struct sigfetch *f = arg;
	struct cerr err;

	f->http = NULL;
	if (r->fault == HTTP_FINE && r->status == 404)
		sigfetch_next_state(f);
	else if (r->fault != HTTP_FINE || r->status != 200)
		sigfetch_lookaside_failed(f, r);
	else if (sigfetch_add_simple(f, r->body, r->len, &err) == -1)
		sigfetch_end(f, &err);
	else
		sigfetch_go_on(f);
}

/* A signature that the parent opened. */
static int
sigfetch_read_file(struct sigfetch *f, int fd, struct cerr *err)
{
	uint8_t *buf = malloc(SIGSET_PART_MAX + 1);
	ssize_t n;
	int rc;

	if (buf == NULL)
		fatal("sigfetch: malloc");
	n = fdio_read_upto(fd, buf, SIGSET_PART_MAX + 1);
	rc = n == -1 ? cerr_errno(err, "lookaside")
		     : sigfetch_add_simple(f, buf, (size_t)n, err);
	free(buf);
	return rc;
}

static void
sigfetch_file_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct sigfetch *f = arg;
	CLEANUP_FD int fd = -1;
	struct cerr why;

	f->file = 0;
	if (m == NULL && err->code == CERR_NOT_FOUND) {
		sigfetch_next_state(f);
		return;
	}
	if (m == NULL) {
		sigfetch_end(f, err);
		return;
	}
	fd = link_take_fd(m, 0);
	if (sigfetch_read_file(f, fd, &why) == -1)
		sigfetch_end(f, &why);
	else
		sigfetch_go_on(f);
}

static void
sigfetch_ask_file(struct sigfetch *f)
{
	struct fixed_sig_file body = { .source = f->def.source.index,
		.number = (uint32_t)++f->at };

	if (FIXED_SET_STR(body.repository, f->def.ref->path) == -1 ||
	    FIXED_SET_STR(body.digest,
		sigfetch_digest(f) + DIGEST_PREFIX_LEN) == -1)
		fatalx("sigfetch: too long");
	f->file = link_request(f->def.parent, MSG_SIG_FILE, &body, NULL, 0,
	    mono_after_ms(SIGFETCH_FILE_MS), sigfetch_file_done, f);
}

static void
sigfetch_lookaside(struct sigfetch *f)
{
	char url[URL_MAX];
	struct http_request r = { .url = url,
		.plain = strncmp(f->def.source.lookaside, "http://", 7) == 0,
		.body_max = SIGSET_PART_MAX,
		.done = sigfetch_lookaside_done,
		.arg = f };
	size_t base = strlen(f->def.source.lookaside);

	if (base == 0 || session_has_signatures(f->def.session)) {
		sigfetch_next_state(f);
		return;
	}
	if (strncmp(f->def.source.lookaside, "file:", 5) == 0) {
		sigfetch_ask_file(f);
		return;
	}
	while (f->def.source.lookaside[base - 1] == '/')
		base--;
	(void)snprintf(url, sizeof(url), "%.*s/%s@sha256=%s/signature-%zu",
	    (int)base, f->def.source.lookaside, f->def.ref->path,
	    sigfetch_digest(f) + DIGEST_PREFIX_LEN, ++f->at);
	f->http = http_start(f->def.http, &r);
}

/* ---- the registry's own ---- */

static void
sigfetch_kept_done(void *arg, const struct http_reply *r,
    const struct cerr *err)
{
	struct sigfetch *f = arg;
	struct cerr why;

	f->call = NULL;
	if (err != NULL && err->code == CERR_NOT_FOUND)
		sigfetch_next_state(f);
	else if (err != NULL)
		sigfetch_end(f, err);
	else if (sigatomic_parse(r->body, r->len, sigfetch_digest(f),
		     f->def.sigs, &why) == -1)
		sigfetch_end(f, &why);
	else
		sigfetch_next_state(f);
}

static void
sigfetch_kept(struct sigfetch *f)
{
	struct session_request r = { .root = SIGATOMIC_ROOT,
		.kind = "signatures",
		.name = sigfetch_digest(f),
		.body_max = SIGATOMIC_MAX,
		.done = sigfetch_kept_done,
		.arg = f };

	if (session_has_signatures(f->def.session))
		f->call = session_get(f->def.session, &r);
	else
		sigfetch_next_state(f);
}

/* ---- attached ones ---- */

static void
sigfetch_manifest_done(void *arg, const struct http_reply *r,
    const struct cerr *err)
{
	struct sigfetch *f = arg;
	struct cerr why;

	f->call = NULL;
	if (err != NULL && err->code == CERR_NOT_FOUND)
		sigfetch_next_state(f);
	else if (err != NULL)
		sigfetch_end(f, err);
	else if (sigmanifest_parse(r->body, r->len, sigfetch_digest(f),
		     f->def.sigs, &f->m, &why) == -1)
		sigfetch_end(f, &why);
	else
		sigfetch_next_state(f);
}

static void
sigfetch_manifest(struct sigfetch *f)
{
	char tag[SIGMANIFEST_TAG_SIZE];
	struct session_request r = { .kind = "manifests",
		.name = tag,
		.accept = sigmanifest_accept,
		.body_max = SIGMANIFEST_MAX,
		.done = sigfetch_manifest_done,
		.arg = f };

	f->m.n = 0;
	if (!f->def.source.attachments) {
		sigfetch_next_state(f);
		return;
	}
	sigmanifest_tag(sigfetch_digest(f), tag);
	f->call = session_get(f->def.session, &r);
}

/* True if it came, whole; else that was the end. */
static bool
sigfetch_came(struct sigfetch *f, const struct http_reply *r,
    const struct cerr *err, const char *want, size_t size)
{
	char digest[DIGEST_SIZE];
	struct cerr why;

	f->call = NULL;
	if (err != NULL) {
		sigfetch_end(f, err);
		return false;
	}
	digest_of(r->body, r->len, digest);
	if (r->len == size && strcmp(digest, want) == 0)
		return true;
	(void)cerr_set(&why, CERR_DATA_LOSS, "%s: its content is another",
	    want);
	sigfetch_end(f, &why);
	return false;
}

static void
sigfetch_blob_done(void *arg, const struct http_reply *r,
    const struct cerr *err)
{
	struct sigfetch *f = arg;
	const struct sigmanifest_blob *b = &f->m.blobs[f->at];
	struct cerr why;

	if (!sigfetch_came(f, r, err, b->digest, b->size))
		return;
	if (sigset_put(f->def.sigs, &f->def.sigs->sigs[b->sig], SIG_BODY,
		r->body, r->len, &why) == -1) {
		sigfetch_end(f, &why);
		return;
	}
	f->at++;
	sigfetch_go_on(f);
}

static void
sigfetch_blob(struct sigfetch *f)
{
	struct session_request r = { .kind = "blobs",
		.body_max = SIGSET_PART_MAX,
		.done = sigfetch_blob_done,
		.arg = f };

	if (f->at == f->m.n) {
		sigfetch_next_state(f);
		return;
	}
	r.name = f->m.blobs[f->at].digest;
	f->call = session_get(f->def.session, &r);
}

/* ---- bundles ---- */

static void
sigfetch_list_done(void *arg, const struct http_reply *r,
    const struct cerr *err)
{
	struct sigfetch *f = arg;
	struct cerr why;

	f->call = NULL;
	/* Old registries have many ways to say that they do not know it. */
	if (err != NULL && (err->code == CERR_NOT_FOUND ||
			       (f->state == SIGFETCH_REFERRERS &&
				   err->code == CERR_FAILED_PRECONDITION)))
		sigfetch_next_state(f);
	else if (err != NULL)
		sigfetch_end(f, err);
	else if (sigreferrer_parse(r->body, r->len, &f->refs, &why) == -1)
		sigfetch_end(f, &why);
	else
		sigfetch_next_state(f);
}

static void
sigfetch_list(struct sigfetch *f, const char *kind, const char *name)
{
	struct session_request r = { .kind = kind,
		.name = name,
		.accept = sigreferrer_accept,
		.body_max = SIGREFERRER_LIST_MAX,
		.done = sigfetch_list_done,
		.arg = f };

	if (f->def.source.attachments)
		f->call = session_get(f->def.session, &r);
	else
		sigfetch_next_state(f);
}

static void
sigfetch_referrers(struct sigfetch *f)
{
	f->refs.n = 0;
	f->bundle.size = 0;
	sigfetch_list(f, "referrers", sigfetch_digest(f));
}

/* A registry that has the list by itself needs none. */
static void
sigfetch_tagged(struct sigfetch *f)
{
	char tag[DIGEST_SIZE];

	sigreferrer_tag(sigfetch_digest(f), tag);
	if (f->refs.n > 0)
		sigfetch_next_state(f);
	else
		sigfetch_list(f, "manifests", tag);
}

static void
sigfetch_next_bundle(struct sigfetch *f)
{
	f->bundle.size = 0;
	f->at++;
	sigfetch_go_on(f);
}

/* One that is not understood is not a reason to refuse the others. */
static void
sigfetch_bundle_done(void *arg, const struct http_reply *r,
    const struct cerr *err)
{
	struct sigfetch *f = arg;
	struct cerr why;

	if (!sigfetch_came(f, r, err, f->bundle.digest, f->bundle.size))
		return;
	if (sigbundle_add(f->def.sigs, sigfetch_digest(f), r->body, r->len,
		&why) == 0) {
		sigfetch_next_bundle(f);
	} else if (why.code == CERR_RESOURCE_EXHAUSTED) {
		sigfetch_end(f, &why);
	} else {
		log_info("%s: %s", f->bundle.digest, why.text);
		sigfetch_next_bundle(f);
	}
}

static void
sigfetch_referrer_done(void *arg, const struct http_reply *r,
    const struct cerr *err)
{
	struct sigfetch *f = arg;
	const struct sigreferrer_desc *d = &f->refs.list[f->at];
	struct cerr why;

	if (!sigfetch_came(f, r, err, d->digest, d->size))
		return;
	if (sigreferrer_blob(r->body, r->len, sigfetch_digest(f), &f->bundle,
		&why) == -1)
		log_info("%s: %s", d->digest, why.text);
	if (f->bundle.size == 0)
		sigfetch_next_bundle(f);
	else
		sigfetch_go_on(f);
}

static void
sigfetch_bundle(struct sigfetch *f)
{
	struct session_request r = { .kind = "manifests",
		.accept = sigmanifest_accept,
		.body_max = SIGREFERRER_DOC_MAX,
		.done = sigfetch_referrer_done,
		.arg = f };

	if (f->at == f->refs.n) {
		sigfetch_next_state(f);
		return;
	}
	r.name = f->refs.list[f->at].digest;
	if (f->bundle.size > 0) {
		r.kind = "blobs";
		r.name = f->bundle.digest;
		r.accept = NULL;
		r.body_max = SIGSET_PART_MAX;
		r.done = sigfetch_bundle_done;
	}
	f->call = session_get(f->def.session, &r);
}

static void (*const sigfetch_steps[SIGFETCH_NSTATES])(struct sigfetch *f) = {
	[SIGFETCH_LOOKASIDE] = sigfetch_lookaside,
	[SIGFETCH_KEPT] = sigfetch_kept,
	[SIGFETCH_MANIFEST] = sigfetch_manifest,
	[SIGFETCH_BLOBS] = sigfetch_blob,
	[SIGFETCH_REFERRERS] = sigfetch_referrers,
	[SIGFETCH_TAGGED] = sigfetch_tagged,
	[SIGFETCH_BUNDLES] = sigfetch_bundle,
};

static void
sigfetch_step(evutil_socket_t fd, short what, void *arg)
{
	struct sigfetch *f = arg;

	(void)fd;
	(void)what;
	if (f->digest == f->def.ndigests)
		sigfetch_end(f, NULL);
	else
		sigfetch_steps[f->state](f);
}

struct sigfetch *
sigfetch_start(const struct sigfetch_def *def)
{
	struct sigfetch *f = calloc(1, sizeof(*f));

	if (f == NULL)
		fatal("sigfetch: calloc");
	f->def = *def;
	f->step = event_new(def->base, -1, 0, sigfetch_step, f);
	if (f->step == NULL)
		fatalx("sigfetch: event_new");
	sigfetch_go_on(f);
	return f;
}
