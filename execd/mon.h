#ifndef CRIOD_EXECD_MON_H
#define CRIOD_EXECD_MON_H

/* The links to monitors, which outlive this process. */

#include "imsg/link.h"

struct ctr;

/*
 * Connects to the container's monitor.  Tries again for a moment if it is
 * busy; a container without monitor is killed and reported as ended with an
 * unknown code.
 */
void mon_connect(struct ctr *c);
/* Reads the exit record that the monitor may have left; calls ctr_ended. */
void mon_read_end(struct ctr *c);
/* Kills a container whose monitor is gone, once the launcher is there. */
void mon_bury(struct ctr *c);
/* Forgets the link. */
void mon_close(struct ctr *c);

/* Gives the monitor a new log (takes fd); answers call. */
void mon_log(struct ctr *c, int fd, struct link_call *call);

/*
 * Gives the monitor one end of an attach socket (takes fd); streams is
 * ATTACH_*.  fn is called when it has it, unless the request is cancelled or
 * the link is freed.
 */
int mon_attach(struct ctr *c, int fd, uint32_t streams, link_reply_fn fn,
    void *arg, uint32_t *request, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
