#ifndef CRIOD_EXECD_EXEC_H
#define CRIOD_EXECD_EXEC_H

/* Commands in running containers, with their output in memory. */

#include "execd/execd.h"

/* Bytes of output kept: of one stream, and of all execs together. */
#define EXEC_OUTPUT_MAX (16U * 1024 * 1024)
#define EXEC_TOTAL_MAX	(192U * 1024 * 1024)

void exec_take(void *ctx, struct link_call *call, struct link_msg *m);

#endif
