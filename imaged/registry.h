#ifndef CRIOD_IMAGED_REGISTRY_H
#define CRIOD_IMAGED_REGISTRY_H

/* From a reference to the places it is read from, by the configuration. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/ref.h"
#include "lib/cerr.h"

struct auth_creds;
struct authfile;
struct regconf;

#define REGISTRY_ENDPOINTS_MAX 32
#define REGISTRY_ROOT_MAX      255
#define REGISTRY_AUTHS	       2 /* a namespace's, the node's */

struct registry_header {
	const char *name, *value;
};

/* A client's certificate (with its chain) and key, PEM. */
struct registry_client {
	const uint8_t *cert, *key;
	size_t cert_len, key_len;
};

/*
 * Pointers are the configuration's.  A request's URL is
 * SCHEME://HOST ROOT/PATH/KIND/NAME, with ?ns=NS if there is one.
 */
struct registry_endpoint {
	struct regconf *conf;		  /* borrowed; NULL: no pointers */
	char host[REF_NAME_MAX + 1];	  /* HOST[:PORT] */
	char path[2 * REF_NAME_MAX + 2];  /* the repository there */
	char root[REGISTRY_ROOT_MAX + 1]; /* "/v2", or what stands for it */
	char ns[REF_NAME_MAX + 1];	  /* registry it stands for; "" */
	bool plain;			  /* http alone, no TLS is tried */
	bool insecure;	   /* TLS unverified, or http if there is none */
	bool unverified;   /* TLS, but unverified */
	bool resolve;	   /* may say what a tag is */
	bool pull;	   /* may give what a digest names */
	const uint8_t *ca; /* PEM, beside the system's; NULL */
	size_t ca_len;
	const struct registry_client *clients; /* each may be asked for */
	size_t nclients;
	const struct registry_header *headers; /* sent to this host alone */
	size_t nheaders;
	const char *token_server; /* of another site, that is trusted; NULL */
	struct auth_creds *creds; /* of auth files, for this place; NULL */
};

/*
 * The mirrors of the longest prefix that fits, or the hosts of hosts.toml, in
 * order, then the registry itself.  PERMISSION_DENIED if it is blocked,
 * FAILED_PRECONDITION if what configures it is broken.  The first of auths,
 * each of which may be NULL, that has credentials for a place counts.  conf and
 * auths must outlive *out, which holds no reference.
 */
int registry_endpoints(struct regconf *conf, const struct ref *ref,
    struct authfile *const auths[REGISTRY_AUTHS],
    struct registry_endpoint out[REGISTRY_ENDPOINTS_MAX], size_t *n,
    struct cerr *err) __attribute__((warn_unused_result));

/* Whether e is where ref says, and no place that stands for it. */
bool registry_is_own(const struct registry_endpoint *e, const struct ref *ref);

#define REGISTRY_CANDIDATES_MAX 16

/*
 * What text may name: itself, or if it has no registry what aliases and search
 * registries make of it, in order.  For a pull the mode may make an ambiguous
 * one an error; else there are more, to look for what was pulled.
 */
int registry_candidates(const struct regconf *conf, const char *text, bool pull,
    struct ref out[REGISTRY_CANDIDATES_MAX], size_t *n, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
