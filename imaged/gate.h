#ifndef CRIOD_IMAGED_GATE_H
#define CRIOD_IMAGED_GATE_H

/*
 * What stands between a manifest and the rest of a pull: its signatures are
 * read, and the policy decides.
 */

#include <stddef.h>
#include <stdint.h>

#include "imaged/ref.h"
#include "lib/cerr.h"

struct event_base;
struct gate;
struct http;
struct session;
struct judge;

/* err is NULL, or why the pull ends; code and text are what a client gets. */
typedef void (*gate_fn)(void *arg, const struct cerr *err);

struct gate_def {
	struct event_base *base;
	struct http *http;
	struct judge *judge;
	struct session *session; /* that gave the manifest */
	const struct ref *ref;
	const char *ns;	    /* the pod's namespace, or "" */
	const char *digest; /* of the image's manifest */
	const char *top;    /* of the index above it, or the same */
	gate_fn fn;
	void *arg;
};

/* Copies def; what it points to must live until gate_free.  Never NULL. */
struct gate *gate_start(const struct gate_def *def);
void gate_free(struct gate *g); /* at any time; NULL is fine */

/*
 * After a good end: the signatures, for the store, owned by the gate.  NULL:
 * none were looked for, or they could not be read and did not matter.
 */
const uint8_t *gate_signatures(const struct gate *g, size_t *len);

#endif
