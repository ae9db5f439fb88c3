#ifndef CRIOD_IMAGED_REGISTRY_H
#define CRIOD_IMAGED_REGISTRY_H

/* From a reference to the places it is read from, by the configuration. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/ref.h"
#include "lib/cerr.h"

struct Criod__BootImaged;

#define REGISTRY_ENDPOINTS_MAX 16

struct registry_endpoint {
	char host[REF_NAME_MAX + 1];	 /* HOST[:PORT] */
	char path[2 * REF_NAME_MAX + 2]; /* the repository there */
	bool insecure;
	const uint8_t *ca; /* PEM, of the configuration; NULL */
	size_t ca_len;
};

/*
 * The mirrors of the longest prefix that fits, in order, then the registry
 * itself.  PERMISSION_DENIED if it is blocked.  conf must outlive *out.
 */
int registry_endpoints(const struct Criod__BootImaged *conf,
    const struct ref *ref, struct registry_endpoint out[REGISTRY_ENDPOINTS_MAX],
    size_t *n, struct cerr *err) __attribute__((warn_unused_result));

#endif
