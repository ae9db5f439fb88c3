#ifndef CRIOD_CRIOD_FOREIGN_H
#define CRIOD_CRIOD_FOREIGN_H

/*
 * Pods and containers whose records a newer criod has written, so that they
 * cannot be understood: they go on running, untouched and unseen, and their
 * names are not given to others.
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imsg/keep.h"
#include "lib/id.h"
#include "proto/cri.pb-c.h"

struct front;

struct foreign {
	LIST_ENTRY(foreign) entry;
	enum keep_kind kind;
	char id[ID_SIZE];
	/* Of a pod, if so much could be understood; else NULL. */
	Runtime__V1__PodSandboxMetadata *metadata;
};

LIST_HEAD(foreign_list, foreign);

/* Says so once.  buf, which may be NULL: the record, in its own format. */
void foreign_add(struct front *front, enum keep_kind kind, const char *id,
    const uint8_t *buf, size_t len);
bool foreign_has(const struct front *front, enum keep_kind kind,
    const char *id);
/* The pod that has this name, or NULL. */
const struct foreign *foreign_by_name(const struct front *front,
    const Runtime__V1__PodSandboxMetadata *m);
/* How many of kind there are; their ids, if ids is not NULL. */
size_t foreign_ids(struct front *front, enum keep_kind kind, char **ids);

#endif
