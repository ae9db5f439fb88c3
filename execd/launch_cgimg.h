#ifndef CRIOD_EXECD_LAUNCH_CGIMG_H
#define CRIOD_EXECD_LAUNCH_CGIMG_H

/*
 * CRIU's cgroup.img, made here: every task goes to one cgroup of version 2,
 * in a namespace of cgroups that begins there, and no property is set.  It is
 * the protobuf message of CRIU's images/cgroup.proto, behind two magic numbers
 * and its length.
 */

#include <stddef.h>
#include <stdint.h>

#define CGIMG_MAX 65536

/* The length; 0 if path is too long for that. */
size_t cgimg_make(const char *path, uint8_t buf[CGIMG_MAX]);

#endif
