#ifndef CRIOD_CRIOD_FACTS_H
#define CRIOD_CRIOD_FACTS_H

/*
 * What execd knows better: which containers run and how others ended.  It
 * tells each exit; after either of the two was away, all is asked again.
 */

struct front;
struct link_call;
struct link_msg;

/* Asks, unless an answer is awaited already. */
void facts_ask(struct front *front);
/* execd's link is there: asks for containers and runtimes. */
void facts_execd_back(struct front *front);
/* netd's is: asks it, once, to remove what no pod stands for. */
void facts_netd_back(struct front *front);
/* link_handler_fns for CTR_EXITED, POD_LOST and RUNTIMES_NOW. */
void facts_handle_exited(void *ctx, struct link_call *call, struct link_msg *m);
void facts_handle_lost(void *ctx, struct link_call *call, struct link_msg *m);
void facts_handle_runtimes(void *ctx, struct link_call *call,
    struct link_msg *m);

#endif
