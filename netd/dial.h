#ifndef CRIOD_NETD_DIAL_H
#define CRIOD_NETD_DIAL_H

/*
 * A connection to a port of a pod, for port forwarding.  The front is
 * believed when it says that a pod uses the host's network only if no pod of
 * that id has a network here.
 */

struct Criod__NetDial;
struct link_call;
struct netd;

#define DIAL_MS 10000 /* for IPv4 and IPv6 together */

/* Ends call with NET_DIALLED and the socket, or with an error. */
void dial_start(struct netd *n, struct link_call *call,
    const struct Criod__NetDial *r);

#endif
