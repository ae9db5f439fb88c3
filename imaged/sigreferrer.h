#ifndef CRIOD_IMAGED_SIGREFERRER_H
#define CRIOD_IMAGED_SIGREFERRER_H

/*
 * How cosign 3 attaches signatures to an image: manifests that name it as
 * their subject, each with a bundle (sigbundle.h) as its only layer, found by
 * the registry's list of referrers, or one that is tagged sha256-HEX.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/digest.h"
#include "lib/cerr.h"

#define SIGREFERRER_MAX	     64 /* of an image that may have bundles */
#define SIGREFERRER_DOC_MAX  (64U * 1024)
#define SIGREFERRER_LIST_MAX (4U * 1024 * 1024)

extern const char *const sigreferrer_accept; /* of lists */

struct sigreferrer_desc {
	char digest[DIGEST_SIZE];
	size_t size;
};

struct sigreferrer_list {
	struct sigreferrer_desc list[SIGREFERRER_MAX];
	size_t n;
};

/* "sha256-HEX" */
void sigreferrer_tag(const char *digest, char tag[DIGEST_SIZE]);

/*
 * Those of a list that may be signatures: others, such as what says how an
 * image was built, are passed over.  RESOURCE_EXHAUSTED if they are too many.
 */
int sigreferrer_parse(const void *buf, size_t len, struct sigreferrer_list *l,
    struct cerr *err) __attribute__((warn_unused_result));

/*
 * The bundle of a manifest whose subject is digest; *blob has size 0 if it is
 * something else.
 */
int sigreferrer_blob(const void *buf, size_t len, const char *digest,
    struct sigreferrer_desc *blob, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
