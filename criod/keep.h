#ifndef CRIOD_CRIOD_KEEP_H
#define CRIOD_CRIOD_KEEP_H

/*
 * The copy of the records that outlives the machine's uptime: what changed is
 * sent to keeper a second later, and nobody waits for that.  After a reboot,
 * which is what a STATE without the mark of this boot shows, the copies are
 * read back; what they say of processes is over.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imsg/keep.h"
#include "lib/cerr.h"
#include "lib/id.h"

struct event;
struct front;

struct keep_drop {
	enum keep_kind kind;
	char id[ID_SIZE];
};

struct keep {
	struct event *timer;
	void (*ready)(struct front *front); /* nothing is left to read */
	bool all;	     /* keeper is to have nothing but what is here */
	bool busy;	     /* a request is not answered */
	bool broken;	     /* it was, with an error, and that was said */
	bool restoring;	     /* copies are being read */
	bool rebooted;	     /* nothing of what the records say runs */
	enum keep_kind kind; /* of what is being read */
	char after[ID_SIZE];
	struct keep_drop *drops;
	size_t ndrops, size;
};

/*
 * Looks at the mark, after the records of STATE were read.  If copies are to
 * be read (restoring), ready is called when that is done.
 */
int keep_open(struct front *front, void (*ready)(struct front *front),
    struct cerr *err) __attribute__((warn_unused_result));
/* The record of a pod or container was written, or is gone. */
void keep_changed(struct front *front);
void keep_dropped(struct front *front, enum keep_kind kind, const char *id);
/* keeper is there (again). */
void keep_attached(struct front *front);

#endif
