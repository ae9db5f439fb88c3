#ifndef CRIOD_EXECD_CTR_MOUNTS_H
#define CRIOD_EXECD_CTR_MOUNTS_H

/* A container's mounts: their sources, and those that the launcher makes. */

#include "execd/ctr.h"
#include "execd/ask.h"
#include "execd/selinux.h"

struct ctr_mounts;

/* NULL: it is done; called once, when every question is answered. */
typedef void (*ctr_mounts_fn)(void *arg, const struct cerr *err);

/* Borrows all; userns: the pod has a user namespace. */
struct ctr_mounts *ctr_mounts_new(struct ctr *c,
    const Runtime__V1__ContainerConfig *config, bool userns,
    const struct selinux_labels *labels, const struct ask *ask);
void ctr_mounts_free(struct ctr_mounts *m);

/* The host's paths are there, the images held: c->volumes names them. */
void ctr_mounts_find(struct ctr_mounts *m, ctr_mounts_fn done, void *arg);
/* Their ids, in the order of the mounts: at most config->n_mounts. */
size_t ctr_mounts_images(const struct ctr_mounts *m, char **ids);

/* Once the root file system is there. */
void ctr_mounts_make(struct ctr_mounts *m, ctr_mounts_fn done, void *arg);

#endif
