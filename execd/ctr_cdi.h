#ifndef CRIOD_EXECD_CTR_CDI_H
#define CRIOD_EXECD_CTR_CDI_H

/* CDI devices of a container: what the launcher is asked for them. */

#include "execd/cdi.h"
#include "execd/ctr.h"

struct ctr_cdi;

/* NULL: it is done; called once, when every question is answered. */
typedef void (*ctr_cdi_fn)(void *arg, const struct cerr *err);

/* NULL with err: a name is malformed. */
struct ctr_cdi *ctr_cdi_new(struct ctr *c,
    const Runtime__V1__ContainerConfig *config, struct cerr *err);
void ctr_cdi_free(struct ctr_cdi *d);

/* Asks nothing if no device is wanted. */
void ctr_cdi_find(struct ctr_cdi *d, ctr_cdi_fn done, void *arg);
const struct cdi *ctr_cdi_found(const struct ctr_cdi *d);

#endif
