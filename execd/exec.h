#ifndef CRIOD_EXECD_EXEC_H
#define CRIOD_EXECD_EXEC_H

/*
 * Commands in running containers, with their output in memory; and what
 * streamed ones (execd/stream.h) have in common with these.
 */

#include "execd/execd.h"

/* Bytes of output kept: of one stream, and of all execs together. */
#define EXEC_OUTPUT_MAX (16U * 1024 * 1024)
#define EXEC_TOTAL_MAX	(192U * 1024 * 1024)

/* Of one container, with streams, so that the others have some. */
#define EXEC_CTR_MAX 128

void exec_take(void *ctx, struct link_call *call, struct link_msg *m);

/* Is cmd one, is the container running, and is there room for one more? */
int exec_check_may(const struct ctr *c, char *const *cmd, size_t n,
    struct cerr *err) __attribute__((warn_unused_result));
/* The container's own process with other arguments, as a sealed memfd. */
int exec_process(struct ctr *c, char *const *cmd, size_t n, bool tty,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
