#ifndef CRIOD_IMAGED_AUTH_H
#define CRIOD_IMAGED_AUTH_H

/*
 * Credentials of one pull, and the parts of a registry's authentication that
 * are parsing: challenges (RFC 9110) and token replies.  Secrets are wiped
 * when freed and are in no error text.
 */

#include <stdbool.h>
#include <stddef.h>

#include "imaged/digest.h"
#include "lib/cerr.h"

#define AUTH_FIELD_MAX	   16384 /* bytes of each part of a credential */
#define AUTH_CHALLENGE_MAX 8192	 /* bytes of all challenges of a reply */
#define AUTH_TOKEN_MAX	   32768
#define AUTH_REPLY_MAX	   65536 /* of a token server */
#define AUTH_URL_SIZE	   4096

/* As CRI's AuthConfig; any may be NULL or "". */
struct auth_given {
	const char *username, *password, *auth, *server_address;
	const char *identity_token, *registry_token;
};

struct auth_creds {
	unsigned int refs;
	char *username, *password; /* "" if there are none */
	char *identity_token;
	char *registry_token;
	char server[256];      /* HOST[:PORT] they are for; "": the pull's */
	char key[DIGEST_SIZE]; /* the same for the same credentials */
};

/* *creds has one reference.  INVALID_ARGUMENT. */
int auth_creds_new(const struct auth_given *given, struct auth_creds **creds,
    struct cerr *err) __attribute__((warn_unused_result));
struct auth_creds *auth_creds_none(void); /* one reference */
struct auth_creds *auth_creds_ref(struct auth_creds *c);
void auth_creds_unref(struct auth_creds *c); /* wipes */
bool auth_creds_any(const struct auth_creds *c);
/* Whether they may go to host ("HOST[:PORT]"), a registry or mirror. */
bool auth_creds_for(const struct auth_creds *c, const char *host);

enum auth_scheme {
	AUTH_NONE = 0,
	AUTH_BASIC,
	AUTH_BEARER,
};

struct auth_challenge {
	enum auth_scheme scheme;
	char realm[1024];
	char service[512];
	char scope[1024];
};

/*
 * text: the values of all WWW-Authenticate fields, one a line.  Takes the best
 * scheme that it knows: bearer, basic.  -1 if malformed or none is known.
 */
int auth_challenge_parse(const char *text, size_t len, struct auth_challenge *c)
    __attribute__((warn_unused_result));

/*
 * Whether credentials for registry may go to the token server realm_host
 * (host names without ports): the same host, or the same site, which is what
 * they share of their last labels.
 */
bool auth_same_site(const char *registry, const char *realm_host);

/* REALM?service=..&scope=..; scope is used if the challenge has none. */
int auth_token_url(const struct auth_challenge *c, const char *scope,
    char url[AUTH_URL_SIZE]) __attribute__((warn_unused_result));
/* The form that asks for a token with an identity token; owned, wipe it. */
char *auth_token_form(const struct auth_challenge *c, const char *scope,
    const struct auth_creds *creds);
/* A token server's reply; *token is owned, wipe it.  DATA_LOSS. */
int auth_token_parse(const void *buf, size_t len, char **token,
    struct cerr *err) __attribute__((warn_unused_result));

/* Values of an Authorization field; owned, wipe them. */
char *auth_basic(const struct auth_creds *c);
char *auth_bearer(const char *token);

/* Wipes and frees a string; NULL is fine. */
void auth_wipe(char *s);

#endif
