#ifndef CRIOD_NETD_SCAN_H
#define CRIOD_NETD_SCAN_H

/*
 * Has the parent open the configuration files anew, so that what a decision
 * rests on is at most a second old.  A directory watch would miss a replaced
 * directory; this cannot.
 */

struct netd;
struct scan;

struct scan *scan_new(struct netd *n);
/*
 * Calls fn when netd's confdir is fresh: at once, or after the parent's
 * answer.  If the parent does not answer, what is known must do.
 */
void scan_want(struct scan *s, void (*fn)(void *arg), void *arg);

#endif
