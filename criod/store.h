#ifndef CRIOD_CRIOD_STORE_H
#define CRIOD_CRIOD_STORE_H

/*
 * The records of pods and containers: one file each, pod/ID and ctr/ID below
 * the front's root, which is STATE/front.  They are on tmpfs, so nothing is
 * synced; keep.h has the copies that outlive the machine's uptime.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imsg/keep.h"
#include "lib/cerr.h"

struct ctr;
struct front;
struct pod;
struct Criod__KeepRecord;

struct store {
	int dir, pod_dir, ctr_dir;
};

/* Opens, or makes, both directories below "/". */
int store_open(struct store *s, struct cerr *err)
    __attribute__((warn_unused_result));

int store_write_pod(struct pod *pod, struct cerr *err)
    __attribute__((warn_unused_result));
int store_write_ctr(struct ctr *c, struct cerr *err)
    __attribute__((warn_unused_result));
/*
 * The bytes of a record, owned by the caller; their number.  kept: as they go
 * to disk, where a container's environment has no business.
 */
size_t store_pack_pod(const struct pod *pod, uint8_t **buf);
size_t store_pack_ctr(const struct ctr *c, bool kept, uint8_t **buf);
/* What is not there is no error. */
int store_unlink_pod(struct front *front, const char *id, struct cerr *err)
    __attribute__((warn_unused_result));
int store_unlink_ctr(struct front *front, const char *id, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * Makes front's pods and containers from the records.  A damaged one is put
 * aside as ID.bad and what it stood for is removed.
 */
int store_load(struct front *front, struct cerr *err)
    __attribute__((warn_unused_result));
/* Undoes what is half-made, and goes on with what was begun. */
void store_resume(struct front *front);

/* Takes a copy that keeper had, if there is no record of that name. */
void store_take_kept(struct front *front, enum keep_kind kind,
    const struct Criod__KeepRecord *copy);
/* All records are of an earlier boot: nothing of them runs any more. */
void store_rebooted(struct front *front);

#endif
