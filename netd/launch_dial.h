#ifndef CRIOD_NETD_LAUNCH_DIAL_H
#define CRIOD_NETD_LAUNCH_DIAL_H

/*
 * Connections to a port on the loopback of a pod's network namespace, or of
 * the host's.  A child enters the namespace, gives up every capability,
 * connects and passes the socket back.
 */

#include "imsg/link.h"

struct event_base;

#define LAUNCH_DIALS_MAX   256
#define LAUNCH_DIAL_MS_MAX (60 * 1000)

struct launch_dials;

/* Borrows netns_dir (STATE/ns).  Never NULL (fatal). */
struct launch_dials *launch_dials_new(struct event_base *base,
    const char *netns_dir, int own_netns);
/* Ends everything that runs, waiting for it; nobody is told. */
void launch_dials_free(struct launch_dials *dials);

/* Ends call with DIALLED and the socket, or with FAIL. */
void launch_dial_start(struct launch_dials *dials, struct link_call *call,
    struct link_msg *m);

#endif
