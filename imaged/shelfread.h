#ifndef CRIOD_IMAGED_SHELFREAD_H
#define CRIOD_IMAGED_SHELFREAD_H

/* One run of the shelf program: asked of the parent, waited for. */

#include <stdint.h>

#include "lib/cerr.h"

struct shelfread;
struct store_def;

#define SHELFREAD_PRINT 100

/*
 * What it said: print, and unless that is the one that was known a file with
 * len bytes of imaged/dump.h, the callee's.  Or err.
 */
struct shelfread_done {
	char print[SHELFREAD_PRINT];
	int fd; /* -1: nothing has changed */
	uint64_t len;
};
typedef void (*shelfread_fn)(void *arg, const struct shelfread_done *done,
    const struct cerr *err);

/* fn is called once, from the loop, unless cancelled.  However long it takes.
 */
struct shelfread *shelfread_start(const struct store_def *def, uint64_t store,
    const char *print, shelfread_fn fn, void *arg);
void shelfread_cancel(struct shelfread *r); /* NULL is fine */

#endif
