#ifndef CRIOD_EXECD_LAUNCH_DUMP_H
#define CRIOD_EXECD_LAUNCH_DUMP_H

/* CRIU's work on one container, in CONTAINER/CTR/dump or CONTAINER/CTR/load. */

#include "execd/launch.h"

#define DUMP_DIR    "dump"	 /* a checkpoint that is being made */
#define LOAD_DIR    "load"	 /* one that a container is made from */
#define LOAD_IMAGES "checkpoint" /* in there */
#define LOAD_DIFF   "rootfs-diff.tar"

/* "CONTAINER/CTR/NAME". */
int launch_dump_path(const struct launch *l, const char *ctr, const char *name,
    char path[LAUNCH_PATH_MAX], struct cerr *err)
    __attribute__((warn_unused_result));

/* Removes it with all that is in it. */
int launch_dump_remove(const struct launch *l, const char *ctr,
    const char *name);

/* The last complaint in CRIU's log, or "". */
void launch_dump_why(const char *dir, const char *log, char *text, size_t size);

#endif
