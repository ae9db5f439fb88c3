#ifndef CRIOD_IMAGED_SESSION_H
#define CRIOD_IMAGED_SESSION_H

/*
 * One repository at one registry or mirror, with one set of credentials:
 * requests that authenticate when asked to and are tried again when that may
 * help.  Credentials go to this host, and to a token server of its site.
 */

#include <stddef.h>
#include <stdint.h>

#include "imaged/http.h"
#include "imaged/registry.h"
#include "lib/cerr.h"

struct auth_creds;
struct event_base;
struct holds;
struct session;
struct session_call;

#define SESSION_TRIES_MAX  4   /* of one request: the first and 3 more */
#define SESSION_DELAY_MS   250 /* before the second; then three times it */
#define SESSION_WAIT_MAX_S 30  /* longest Retry-After that is waited for */

/* What all sessions share; borrowed. */
struct session_env {
	struct event_base *base;
	struct http *http;
	struct holds *holds;
	unsigned int
	    progress; /* seconds that tries may bring nothing; 0: any */
};

/*
 * One reference.  Copies e and refs its configuration; refs creds, or those of
 * e if they are not for it.
 * tries: SESSION_TRIES_MAX or fewer.
 */
struct session *session_new(const struct session_env *env,
    const struct registry_endpoint *e, struct auth_creds *creds,
    unsigned int tries);
/* What answered once is given more time than what never did. */
void session_set_tries(struct session *s, unsigned int tries);
struct session *session_ref(struct session *s);
void session_unref(struct session *s);
/*
 * One URL, which is what s's registry says a blob is at: no credentials, no
 * certificate and no header go there, and it must not be nearer than s.
 */
struct session *session_new_url(const struct session *s, const char *url);
const char *session_host(const struct session *s);
const char *session_path(const struct session *s);
bool session_resolves(const struct session *s); /* what a tag is */
bool session_pulls(const struct session *s);	/* what a digest names */
/* Whether it said that it keeps signatures (sigatomic.h). */
bool session_has_signatures(const struct session *s);
/* The same for sessions that may read the same: host and credentials. */
const char *session_key(const struct session *s);

/*
 * The end: reply is a good one, or err is set.  Code UNKNOWN is for a registry
 * that could not be reached, UNAVAILABLE for one that wants to be left alone;
 * the text names the host.
 */
typedef void (*session_done_fn)(void *arg, const struct http_reply *reply,
    const struct cerr *err);

struct session_request {
	const char *root;   /* of the URL; NULL: the place's own */
	const char *kind;   /* "manifests", "blobs", ... */
	const char *name;   /* tag or digest, valid */
	const char *accept; /* NULL: any */
	size_t body_max;
	/* For blobs: asked before each try how much is there already. */
	const struct http_sink *sink; /* NULL: keep the body */
	uint64_t (*offset)(void *arg);
	session_done_fn done;
	void *arg; /* of all the functions */
};

/* done is called once, from the loop, unless cancelled. */
struct session_call *session_get(struct session *s,
    const struct session_request *r);
void session_cancel(struct session_call *c); /* NULL is fine */

#endif
