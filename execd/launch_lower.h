#ifndef CRIOD_EXECD_LAUNCH_LOWER_H
#define CRIOD_EXECD_LAUNCH_LOWER_H

/*
 * The directories of an image's layers, which overlay is given by name.
 * Those of criod's own store are named below IMAGE/layer.  If one is of an
 * additional store (lib/layerid.h), where others may write and rename, each
 * becomes a mount of its own, of the directory that was looked at.
 */

#include <sys/stat.h>

#include <stdbool.h>

#include "execd/launch.h"

/* The layer's directory; nothing on the way to it is a link. */
int launch_lower_open(const struct launch *l, uint64_t layer, struct cerr *err)
    __attribute__((warn_unused_result));
/* Whether one is of an additional store. */
bool launch_lower_apart(const uint64_t *layers, uint32_t n);

/* Detached mounts: of IMAGE/layer, or of each layer. */
#define LOWER_MAX 128
struct lower {
	int trees[LOWER_MAX];
	uint32_t n;
	bool apart;
};
/* With the ids that userns shows; -1: the host's. */
int launch_lower_get(struct lower *w, const struct launch *l,
    const uint64_t *layers, uint32_t n, int userns, struct cerr *err)
    __attribute__((warn_unused_result));
/*
 * In a mount namespace of this job's own: mounts them at path.  What names are
 * relative to; -1 with err.  Takes what is in w.
 */
int launch_lower_mount(struct lower *w, const char *path, struct cerr *err)
    __attribute__((warn_unused_result));
/* What the root of the highest looks like, with those ids. */
int launch_lower_stat(const struct launch *l, uint64_t layer, int userns,
    struct stat *st, struct cerr *err) __attribute__((warn_unused_result));
/*
 * Appends their names, highest first with colons between, relative to what the
 * above returned or to IMAGE/layer: what it takes, as snprintf has it.
 */
size_t launch_lower_names(const uint64_t *layers, uint32_t n, char *buf,
    size_t size);

#endif
