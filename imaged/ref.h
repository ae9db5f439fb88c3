#ifndef CRIOD_IMAGED_REF_H
#define CRIOD_IMAGED_REF_H

/*
 * Image references, DOMAIN/PATH[:TAG][@DIGEST], in full form: short names get
 * docker.io and library/, a name without tag and digest gets :latest.
 */

#include <stdbool.h>

#include "imaged/digest.h"
#include "lib/cerr.h"

#define REF_NAME_MAX  255 /* DOMAIN/PATH */
#define REF_TAG_MAX   128
#define REF_TEXT_SIZE 832 /* more than the parts of a struct ref */

struct ref {
	char domain[REF_NAME_MAX + 1]; /* HOST[:PORT] */
	char path[REF_NAME_MAX + 1];
	char tag[REF_TAG_MAX + 1]; /* "" if there is none */
	char digest[DIGEST_SIZE];  /* likewise */
};

/* INVALID_ARGUMENT with the reason; err says what the reference was. */
int ref_parse(const char *s, struct ref *ref, struct cerr *err)
    __attribute__((warn_unused_result));

/* HOST[:PORT], as the domain of a reference. */
bool ref_domain_valid(const char *s);
/* HOST[:PORT][/PATH], and with tag or digest behind a path if suffix. */
bool ref_location_valid(const char *s, bool suffix);
/* Whether s names no registry, and so could be anyone's. */
bool ref_is_short(const char *s);

/* DOMAIN/PATH */
void ref_name(const struct ref *ref, char out[REF_TEXT_SIZE]);
/* The whole, as it was given but in full form. */
void ref_text(const struct ref *ref, char out[REF_TEXT_SIZE]);
/* DOMAIN/PATH:TAG; "" if there is no tag. */
void ref_tagged(const struct ref *ref, char out[REF_TEXT_SIZE]);
/* DOMAIN/PATH@digest */
void ref_at_digest(const struct ref *ref, const char *digest,
    char out[REF_TEXT_SIZE]);

#endif
