#ifndef CRIOD_PARENT_DIRS_H
#define CRIOD_PARENT_DIRS_H

/* The directories of docs/internals.md section 3, and their owners. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "parent/account.h"

struct conf;

/* Those that the parent opens again. */
enum dirs_root {
	DIRS_NONE = 0,
	DIRS_FRONT,
	DIRS_EMPTY,
	DIRS_IMAGE,
	DIRS_NETWORK,
	DIRS_RECORD,
	DIRS_BUNDLE,
	DIRS_LAYER,
};

/* Makes what is missing; refuses symbolic links and foreign owners. */
int dirs_make(const struct conf *c, const struct account_ids ids[ACCOUNT_COUNT],
    struct cerr *err) __attribute__((warn_unused_result));

/* Makes STATE/ns a shared mount of its own.  Needs CAP_SYS_ADMIN. */
int dirs_share_ns(const struct conf *c, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * Takes STATE/lock, so that no two criods share a STATE.  The descriptor,
 * which holds it.
 */
int dirs_lock(const struct conf *c, struct cerr *err)
    __attribute__((warn_unused_result));

/* A directory of the table; -1 with err. */
int dirs_open(const struct conf *c, enum dirs_root root, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * IMAGE/layer/N/fs, which imaged has made: NOT_FOUND if it is not there, for
 * imaged may have removed it since it asked.  Nothing on the way may be a link.
 */
int dirs_open_layer(const struct conf *c, uint64_t number, struct cerr *err)
    __attribute__((warn_unused_result));

/* mkdir -p of path's parent, for sockets outside of STATE. */
int dirs_make_above(const char *path, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
