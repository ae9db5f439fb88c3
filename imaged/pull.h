#ifndef CRIOD_IMAGED_PULL_H
#define CRIOD_IMAGED_PULL_H

/*
 * The work of one pull or import: manifest, configuration, layers, commit.
 * Who waits for it is pulls.h's business.
 */

#include <stddef.h>

#include "imaged/foreign.h"
#include "imaged/ref.h"
#include "imaged/session.h"
#include "lib/cerr.h"

struct auth_creds;
struct authfile;
struct event_base;
struct guard;
struct import;
struct shares;
struct manifest_platform;
struct pull;
struct regconf;
struct store;
struct judge;

/* What all pulls share; all borrowed. */
struct pull_env {
	struct event_base *base;
	struct store *store;
	struct session_env session;
	struct shares *shares;
	struct import *import;
	struct judge *judge;
	const struct guard *guard;
	struct foreign_rules foreign;
	const struct manifest_platform *platform;
	size_t parallel;    /* layers of one pull at once */
	unsigned int total; /* seconds that a pull may take; 0: any */
};

/* id is the image's, or err is set and id is NULL. */
typedef void (*pull_done_fn)(void *arg, const struct cerr *err, const char *id);

/*
 * done is called once, from the loop, unless cancelled.  ns is the namespace of
 * the pod that the image is for, or "".  creds, for the registry itself, and
 * conf are referenced; auths are borrowed for now.  NULL with err if it cannot
 * begin.
 */
struct pull *pull_start(const struct pull_env *env, struct regconf *conf,
    const struct ref *ref, const char *ns, struct auth_creds *creds,
    struct authfile *const auths[REGISTRY_AUTHS], pull_done_fn done, void *arg,
    struct cerr *err) __attribute__((warn_unused_result));
/* From blobs that were passed; digest is the manifest's or index's. */
struct pull *pull_import(const struct pull_env *env, const struct ref *ref,
    const char *digest, pull_done_fn done, void *arg);
void pull_cancel(struct pull *p); /* NULL is fine */

/* How far it is; strings are borrowed. */
struct pull_progress {
	const char *reference, *stage;
	size_t layers, layers_done;
	uint64_t bytes, bytes_done; /* of blobs; 0: not known yet */
};
void pull_progress(const struct pull *p, struct pull_progress *pp);

#endif
