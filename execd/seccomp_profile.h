#ifndef CRIOD_EXECD_SECCOMP_PROFILE_H
#define CRIOD_EXECD_SECCOMP_PROFILE_H

/*
 * The default system call filter of containers ("RuntimeDefault"), as OCI
 * JSON.  What no line names fails with ENOSYS, so that programs built for a
 * newer kernel fall back; what is known and refused fails with EPERM.
 */

#include <jansson.h>

#include <stdint.h>

/* caps: the container's, bits 1 << CAP_*.  NULL without memory. */
json_t *seccomp_profile_make(uint64_t caps);

#endif
