#ifndef CRIOD_IMAGED_AUTHASK_H
#define CRIOD_IMAGED_AUTHASK_H

/*
 * Files of credentials, as they are when a pull begins: the parent opens them
 * and passes the descriptor.  What a credential provider left for the pods of a
 * namespace is taken away with that.
 */

#include "lib/cerr.h"

struct authask;
struct authfile;
struct link;

/* f is the caller's, NULL if there is none; or err is set. */
typedef void (
    *authask_done_fn)(void *arg, struct authfile *f, const struct cerr *err);

struct authask_def {
	struct link *parent;
	const char *label;     /* of errors: what is wrong */
	const char *namespace; /* "": the file that criod.conf names */
	const char *name;      /* DOMAIN/PATH, for a namespace's */
	authask_done_fn done;
	void *arg;
};

/* Copies def.  done is called once, from the loop, unless cancelled. */
struct authask *authask_start(const struct authask_def *def);
void authask_cancel(struct authask *a); /* NULL is fine */

#endif
