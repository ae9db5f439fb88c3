#ifndef CRIOD_IMAGED_WORKER_H
#define CRIOD_IMAGED_WORKER_H

/*
 * What unpack, pack and sigcheck have in common: programs that do one thing to
 * one layer or signature.  Descriptor 3 is the link to imaged, 4 the layer's
 * directory, or an empty one.  They
 * shut themselves in that directory before they read the one message they
 * take; they answer it and end.
 */

#include <stddef.h>

#include "imsg/msg.h"
#include "imsg/wire.h"
#include "lib/cerr.h"

struct confine;

#define WORKER_LINK_FD 3

/*
 * With -d DIRECTORY [-n LAYER] the work is on that store, or that layer of it,
 * instead of descriptor 4: it may hang, and so is opened here and not by the
 * parent.  The layer's recipe is open then; else -1.
 */
int worker_recipe(void);

struct worker_request {
	enum msg_type type, answer;
	/* Fills the answer's body, a struct fixed_NAME that is all zeros. */
	int (*fn)(struct wire_msg *m, void *body, struct cerr *err);
};
#define WORKER_BODY_MAX 256 /* bytes of such a struct */

struct worker {
	enum role role;
	const struct confine *confine;
	void (*warm)(void); /* what libraries do once, before confinement */
	const struct worker_request *requests;
	size_t nrequests;
};

/* All of main(). */
void worker_run(const struct worker *w, int argc, char **argv)
    __attribute__((noreturn));

/* -1 with CANCELLED if imaged went away.  arg is not used. */
int worker_check(void *arg, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
