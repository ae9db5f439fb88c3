#ifndef CRIOD_IMAGED_LEASE_H
#define CRIOD_IMAGED_LEASE_H

/*
 * Which container uses which images: its own, and those of its volumes.  Kept
 * in memory only: execd knows its containers and tells them again when it or
 * imaged was restarted.
 */

#include <stdbool.h>

#include "lib/cerr.h"

struct event_base;
struct leases;

/*
 * settled is called when it is first known what containers hold, or that nobody
 * will tell.
 */
struct leases *leases_new(struct event_base *base, void (*settled)(void *arg),
    void *arg);
void leases_free(struct leases *ls);
/* Starts waiting for execd. */
void leases_start(struct leases *ls);
bool leases_settled(const struct leases *ls);

int lease_get(struct leases *ls, const char *container, const char *id,
    struct cerr *err) __attribute__((warn_unused_result));
/* All of the container's. */
void lease_put(struct leases *ls, const char *container);
/* See store_lease_begin. */
void lease_begin(struct leases *ls);
void lease_have(struct leases *ls, const char *container, const char *id);
void lease_end(struct leases *ls);

/* A container that holds the image, or NULL. */
const char *lease_holder(const struct leases *ls, const char *id);
/* True if fn is true for the image of any lease. */
bool lease_any(const struct leases *ls, bool (*fn)(void *arg, const char *id),
    void *arg);

#endif
