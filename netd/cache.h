#ifndef CRIOD_NETD_CACHE_H
#define CRIOD_NETD_CACHE_H

/*
 * One record per pod that has, or may have, a network: what ADD was given and
 * what came of it, so that DEL can be exact whatever happens to the
 * configuration.  It is written before the first plugin runs and removed
 * after the last one undid its work.
 */

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

#include "lib/cerr.h"
#include "lib/id.h"
#include "netd/plugin.h"

struct conf;

struct attachment {
	char pod[ID_SIZE];
	struct conf *conf;
	char args[PLUGIN_ARGS_MAX + 1];
	json_t *capabilities;
	json_t *result; /* of the last plugin that succeeded; NULL if none */
	size_t begun;	/* plugins that an ADD has started, or may have */
	bool complete;	/* the whole ADD succeeded */
};

/* Takes a reference of conf and takes capabilities.  Never NULL (fatal). */
struct attachment *attachment_new(const char *pod, struct conf *conf,
    const char *args, json_t *capabilities);
void attachment_free(struct attachment *a);
/* Takes result. */
void attachment_set_result(struct attachment *a, json_t *result);

int cache_write(int dirfd, const struct attachment *a, bool sync,
    struct cerr *err) __attribute__((warn_unused_result));
/* Makes durable what cache_write wrote without sync.  NOT_FOUND if gone. */
int cache_sync(int dirfd, const char *pod, struct cerr *err)
    __attribute__((warn_unused_result));
/* Writes the record once more, as another file, durably. */
int cache_renew(int dirfd, const char *pod, struct cerr *err)
    __attribute__((warn_unused_result));
/* NULL with NOT_FOUND, or DATA_LOSS if the record cannot be used. */
struct attachment *cache_read(int dirfd, const char *pod, struct cerr *err)
    __attribute__((warn_unused_result));
/* Success if there is none. */
int cache_remove(int dirfd, const char *pod, struct cerr *err)
    __attribute__((warn_unused_result));

/* Calls fn for each pod with a record. */
int cache_list(int dirfd, void (*fn)(void *arg, const char *pod), void *arg,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
