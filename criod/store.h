#ifndef CRIOD_CRIOD_STORE_H
#define CRIOD_CRIOD_STORE_H

/*
 * The records of pods and containers: one file each, pod/ID and ctr/ID below
 * the front's root, which is STATE/front.  They are on tmpfs: nothing in them
 * outlives the machine's uptime, so nothing is synced.
 */

#include "lib/cerr.h"

struct ctr;
struct front;
struct pod;

struct store {
	int pod_dir, ctr_dir;
};

/* Opens, or makes, both directories below "/". */
int store_open(struct store *s, struct cerr *err)
    __attribute__((warn_unused_result));

int store_write_pod(const struct store *s, const struct pod *pod,
    struct cerr *err) __attribute__((warn_unused_result));
int store_write_ctr(const struct store *s, const struct ctr *c,
    struct cerr *err) __attribute__((warn_unused_result));
/* What is not there is no error. */
int store_unlink_pod(const struct store *s, const char *id, struct cerr *err)
    __attribute__((warn_unused_result));
int store_unlink_ctr(const struct store *s, const char *id, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * Makes front's pods and containers from the records.  A damaged one is put
 * aside as ID.bad and what it stood for is removed; a half-made one is
 * undone.
 */
int store_load(struct front *front, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
