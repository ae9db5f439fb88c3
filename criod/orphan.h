#ifndef CRIOD_CRIOD_ORPHAN_H
#define CRIOD_CRIOD_ORPHAN_H

/*
 * What execd or netd may still hold of a pod or container that the front has
 * no record of (any more).  It is removed, however often that must be tried.
 */

struct front;

void orphan_pod(struct front *front, const char *id);
void orphan_ctr(struct front *front, const char *id);
/* A peer is back. */
void orphan_hurry(struct front *front);

#endif
