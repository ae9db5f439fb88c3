#ifndef CRIOD_EXECD_HOOKS_H
#define CRIOD_EXECD_HOOKS_H

/*
 * OCI hooks, as oci-hooks(5) of the containers tools describes their files
 * (version 1.0.0): what an administrator wants to be run at stages of a
 * container's life, and for which containers.  The runtime runs them, on the
 * host, as root.
 */

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

#include "lib/cerr.h"
#include "proto/cri.pb-c.h"

/* Annotations that are longer are not tried. */
#define HOOKS_TEXT_MAX 4096

struct hooks;

struct hooks_about {
	const Runtime__V1__PodSandboxConfig *pod;
	const Runtime__V1__ContainerConfig *ctr;
	const json_t *args; /* of its process */
};

/* Never NULL. */
struct hooks *hooks_new(void);
void hooks_free(struct hooks *h);

/*
 * Adds the file name.  One that cannot be understood is logged, and no
 * container is made from then on: the administrator wanted something of
 * theirs that would not happen.
 */
void hooks_add(struct hooks *h, const char *name, const void *text, size_t len);

/*
 * *out: the OCI configuration's "hooks" for this container, owned by the
 * caller; NULL if none is wanted.
 */
int hooks_make(const struct hooks *h, const struct hooks_about *about,
    json_t **out, struct cerr *err) __attribute__((warn_unused_result));

#endif
