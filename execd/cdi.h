#ifndef CRIOD_EXECD_CDI_H
#define CRIOD_EXECD_CDI_H

/*
 * Container Device Interface: files of the administrator's or of a device
 * plugin's say what a container needs to use VENDOR/CLASS=NAME.
 */

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

#include "execd/devlist.h"
#include "execd/policy.h"
#include "execd/user.h"
#include "lib/cerr.h"

#define CDI_WANTED_MAX 256 /* devices of one container */
#define CDI_NODES_MAX  1024

/* A device node of what was found. */
struct cdi_node {
	const json_t *what; /* its description; borrowed */
	char host[POLICY_PATH_MAX];
	bool known;	     /* the description has type and numbers */
	struct devlist list; /* else what the host has at that path */
};

struct cdi {
	json_t *wanted; /* array of names */
	json_t *edits;	/* array of containerEdits, in order */
	json_t *docs;	/* keeps what edits point into */
	struct cdi_node *nodes;
	size_t nnodes;
};

/* The names of a request, field and annotations, each once. */
int cdi_wanted(struct cdi *c, const Runtime__V1__ContainerConfig *config,
    struct cerr *err) __attribute__((warn_unused_result));
/* text: cdi_list.h.  -1: a wanted device is in no file, or in two. */
int cdi_find(struct cdi *c, const char *text, size_t len, struct cerr *err)
    __attribute__((warn_unused_result));

struct cdi_how {
	const struct user *user;
	bool hooks;  /* are allowed */
	bool userns; /* nodes are bound, not made */
};

/* Changes the OCI configuration. */
int cdi_apply(const struct cdi *c, const struct cdi_how *how, json_t *spec,
    struct cerr *err) __attribute__((warn_unused_result));
void cdi_clear(struct cdi *c);

/* cdi_name.c: "VENDOR/CLASS=NAME"; sep, if any, gets the place of '='. */
bool cdi_name_valid(const char *name, size_t *sep);

#endif
