#ifndef CRIOD_IMAGED_HOSTFILE_H
#define CRIOD_IMAGED_HOSTFILE_H

#include "lib/cerr.h"

#define HOSTFILE_MAX (1024U * 1024)

/*
 * Copies what fd (borrowed) has, at most HOSTFILE_MAX bytes, to path: written
 * aside and renamed, so that libc's resolver finds it whole.
 */
int hostfile_copy(int fd, const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
