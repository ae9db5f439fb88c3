#ifndef CRIOD_IMAGED_NSAUTH_H
#define CRIOD_IMAGED_NSAUTH_H

/*
 * Credentials that a credential provider left for one pull of an image by the
 * pods of a namespace: the parent takes the file away and passes it.
 */

#include "lib/cerr.h"

struct authfile;
struct link;
struct nsauth;

/* f is the caller's, NULL if there was none; or err is set. */
typedef void (
    *nsauth_done_fn)(void *arg, struct authfile *f, const struct cerr *err);

/*
 * name is DOMAIN/PATH.  done is called once, from the loop, unless cancelled.
 */
struct nsauth *nsauth_ask(struct link *parent, const char *namespace,
    const char *name, nsauth_done_fn done, void *arg);
void nsauth_cancel(struct nsauth *a); /* NULL is fine */

#endif
