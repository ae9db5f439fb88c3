#ifndef CRIOD_NRID_UPDATE_H
#define CRIOD_NRID_UPDATE_H

/* Updates of containers that plugins ask for: the front makes them. */

#include <stddef.h>

#include "lib/cerr.h"
#include "proto/nri.pb-c.h"

struct nrid;

/*
 * The end, once.  failed has the places in list of those that could not be
 * made; err is the first whose failure is not to be ignored, or NULL.
 */
typedef void (*update_fn)(void *arg, const size_t *failed, size_t nfailed,
    const struct cerr *err);

/* One after the other.  Borrows list until fn is called, maybe at once. */
void update_run(struct nrid *n, Nri__ContainerUpdate *const *list, size_t len,
    update_fn fn, void *arg);
void update_evict(struct nrid *n, Nri__ContainerEviction *const *list,
    size_t len, const char *plugin);

#endif
