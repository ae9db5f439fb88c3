#ifndef CRIOD_NETD_CHAIN_H
#define CRIOD_NETD_CHAIN_H

/* The plugins of a list, one after the other (CNI specification, section 3). */

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

#include "lib/cerr.h"
#include "lib/mono.h"

struct attachment;
struct chain;
struct conf;
struct runner;

#define CHAIN_IFNAME "eth0"

enum chain_verb {
	CHAIN_ADD,    /* in order; the attachment's result follows */
	CHAIN_DEL,    /* in reverse, to the first failure */
	CHAIN_UNDO,   /* DEL of what an ADD has begun, whatever fails */
	CHAIN_CHECK,  /* in order, to the first failure */
	CHAIN_GC,     /* all, whatever fails */
	CHAIN_STATUS, /* in order, to the first failure */
};

/* err is NULL on success, else the first failure. */
typedef void (*chain_fn)(void *arg, const struct cerr *err);

/*
 * The verbs of a pod.  Borrows a until fn is called, from the event loop.
 * CHAIN_ADD counts a->begun; CHAIN_UNDO undoes that many (at least 1), and does
 * not mind plugins that do not exist.
 */
struct chain *chain_start(struct runner *rn, enum chain_verb verb,
    struct attachment *a, struct mono deadline, chain_fn fn, void *arg);
/* The verbs of a network: valid is for GC, else NULL; both are referenced. */
struct chain *chain_start_network(struct runner *rn, enum chain_verb verb,
    struct conf *conf, json_t *valid, struct mono deadline, chain_fn fn,
    void *arg);
/* Has the plugin that runs killed; fn is still called. */
void chain_abort(struct chain *c);

#endif
