#ifndef CRIOD_IMAGED_POLICY_H
#define CRIOD_IMAGED_POLICY_H

/*
 * policy.json, as containers-policy.json(5) describes it: which requirements
 * an image must meet, found by its name.  Parsing is strict: an unknown
 * requirement, member or type anywhere makes the whole file unusable.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/ref.h"
#include "lib/cerr.h"

#define POLICY_MAX	  (1024U * 1024) /* bytes of one file */
#define POLICY_SCOPES_MAX 4096		 /* of one file */
#define POLICY_REQS_MAX	  32		 /* of one scope */
#define POLICY_KEYS_MAX	  32		 /* of one requirement */
#define POLICY_KEY_MAX	  (256U * 1024)	 /* bytes of one key or keyring */
#define POLICY_TEXT_MAX	  1023		 /* bytes of a path, name or address */

enum policy_type {
	POLICY_ACCEPT = 1, /* insecureAcceptAnything */
	POLICY_REJECT,
	POLICY_SIGNED_BY,
	POLICY_SIGSTORE,
};

enum policy_match {
	POLICY_MATCH_REPO_DIGEST_OR_EXACT = 0,
	POLICY_MATCH_EXACT,
	POLICY_MATCH_REPOSITORY,
	POLICY_MATCH_EXACT_REFERENCE,
	POLICY_MATCH_EXACT_REPOSITORY,
	POLICY_MATCH_REMAP,
};

/* signedIdentity */
struct policy_identity {
	enum policy_match match;
	char *name;	   /* reference, repository or prefix */
	char *signed_name; /* what replaces the prefix */
};

/* A key, keyring or certificates: in the policy, or in a file it names. */
struct policy_key {
	char *path;    /* NULL: data came with the policy */
	uint8_t *data; /* NULL: not (yet) read */
	size_t len;
};

struct policy_keys {
	struct policy_key list[POLICY_KEYS_MAX];
	size_t n;
};

struct policy_req {
	enum policy_type type;
	struct policy_identity identity;
	/* One of keys and roots is there. */
	struct policy_keys keys; /* GPG keyrings, or public keys (PEM) */
	struct policy_keys roots, intermediates; /* certificates (PEM) */
	bool fulcio;		  /* the certificates are Fulcio's */
	char *issuer;		  /* of the identity token; Fulcio only */
	char *email, *host;	  /* the certificate's subject; one is there */
	struct policy_keys rekor; /* public keys of transparency logs */
};

struct policy_scope {
	char *name; /* "" is the transport's default */
	struct policy_req *reqs[POLICY_REQS_MAX];
	size_t nreqs; /* not 0 */
};

struct policy;

/*
 * what is the file's name, for err (INVALID_ARGUMENT).  Files that it names
 * are not read.
 */
struct policy *policy_parse(const char *what, const void *buf, size_t len,
    struct cerr *err) __attribute__((warn_unused_result));
void policy_free(struct policy *p); /* NULL is fine */

/* fn gets each key that is in a file, and may set its data. */
void policy_each_file(struct policy *p,
    void (*fn)(void *arg, struct policy_key *key), void *arg);

/*
 * The scope of the docker transport that fits best: the image, its
 * repository, a namespace above it, the registry, "*." and a domain above it,
 * the transport's default, the default of all.  ref NULL: an image without a
 * name, which only the last two fit.
 */
const struct policy_scope *policy_find(const struct policy *p,
    const struct ref *ref);

/* Whether a reference says more than its repository: a tag or a digest. */
bool policy_ref_precise(const char *text);

/* Whether everything is accepted without a look at signatures. */
bool policy_accepts_all(const struct policy_scope *s);

#endif
