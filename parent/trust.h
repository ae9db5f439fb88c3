#ifndef CRIOD_PARENT_TRUST_H
#define CRIOD_PARENT_TRUST_H

/*
 * Signature policies, the keys that they name and where signatures are: the
 * files are read here, and their text by the program policyread.
 */

#include "lib/cerr.h"

struct Criod__BootImaged;
struct plan_facts;

#define TRUST_POLICY_MAX   (1024U * 1024) /* bytes of one policy */
#define TRUST_KEY_MAX	   (256U * 1024)  /* of one key file */
#define TRUST_KEYS_MAX	   1024
#define TRUST_POLICIES_MAX 256 /* of namespaces */
#define TRUST_SOURCES_MAX  4096
#define TRUST_FILES_MAX	   256 /* of signature sources */

/* Fills b->trust; INVALID_ARGUMENT, naming the file that cannot be used. */
int trust_read(struct Criod__BootImaged *b, const struct plan_facts *f,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
