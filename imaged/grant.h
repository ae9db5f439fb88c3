#ifndef CRIOD_IMAGED_GRANT_H
#define CRIOD_IMAGED_GRANT_H

/*
 * Whether the policy in force now lets a container have an image that is here,
 * by the signatures that were kept when it was pulled.  Nobody is asked
 * anything.
 */

#include "lib/cerr.h"

struct grant;
struct store;
struct store_image;
struct judge;

/* err is NULL, or why not; code and text are what a client gets. */
typedef void (*grant_fn)(void *arg, const struct cerr *err);

/*
 * name is what the container's image was asked for by.  It counts if the image
 * was pulled from that repository; else (an id, nothing, another's name) one of
 * the image's own names must be accepted.  fn is called once, perhaps before
 * this returns NULL; else from the loop, unless cancelled.  im and the texts
 * need not live on.
 */
struct grant *grant_start(struct judge *t, struct store *s,
    const struct store_image *im, const char *name, const char *ns, grant_fn fn,
    void *arg);
void grant_cancel(struct grant *g); /* NULL is fine */

#endif
