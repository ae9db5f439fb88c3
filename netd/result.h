#ifndef CRIOD_NETD_RESULT_H
#define CRIOD_NETD_RESULT_H

/* What plugins print (CNI specification, section 5). */

#include <jansson.h>

#include <stddef.h>

#include "lib/cerr.h"

#define RESULT_SIZE_MAX (1024U * 1024)
#define RESULT_IPS_MAX	16
#define RESULT_IP_SIZE	46 /* INET6_ADDRSTRLEN */

struct result_ips {
	size_t n;
	char ip[RESULT_IPS_MAX][RESULT_IP_SIZE];
};

/*
 * An ADD result in the given version, owned by the caller, checked in every
 * part that criod or the next plugin relies on.  NULL with INTERNAL.
 */
json_t *result_parse(const char *plugin, const char *version, const void *buf,
    size_t len, struct cerr *err) __attribute__((warn_unused_result));

/* The pod's addresses: those of interface ifname, in order, without prefix. */
int result_ips_get(const json_t *result, const char *ifname,
    struct result_ips *ips, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * Why a plugin failed, from its error object, else from the first line of its
 * standard error, else from its exit code (128 + N: killed by signal N).
 */
void result_error(const char *plugin, const char *command, int exit_code,
    const void *out, size_t out_len, const char *errout, struct cerr *err);

#endif
