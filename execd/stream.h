#ifndef CRIOD_EXECD_STREAM_H
#define CRIOD_EXECD_STREAM_H

/*
 * Commands in containers, and attaches to them, whose streams go to streamd
 * as descriptors.  No byte of them passes here.
 */

#include "execd/execd.h"

/* Fewer than the launcher's own limit: ExecSync must go on. */
#define STREAM_EXECS_MAX    256
#define STREAM_ATTACHES_MAX 512

struct ctr;

/* Commands of that container that the launcher has not done with. */
size_t stream_exec_count(const struct ctr *c);

/* front's CTR_STREAM, the launcher's L_EXEC_TTY, streamd's STREAM_END. */
void stream_take(void *ctx, struct link_call *call, struct link_msg *m);
void stream_take_tty(void *ctx, struct link_call *call, struct link_msg *m);
void stream_take_end(void *ctx, struct link_call *call, struct link_msg *m);

/* link_def.lost of streamd and front: all sessions end. */
void stream_peer_lost(void *ctx, struct link *link, const char *breach);

/* The container has ended, or its monitor's link goes. */
void stream_ctr_ended(struct ctr *c, uint32_t code);
void stream_ctr_gone(struct ctr *c);

#endif
