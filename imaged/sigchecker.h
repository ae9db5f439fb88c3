#ifndef CRIOD_IMAGED_SIGCHECKER_H
#define CRIOD_IMAGED_SIGCHECKER_H

/* One run of the sigcheck program: asked of the parent, told what to verify. */

#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

struct event_base;
struct link;
struct policy_keys;
struct sigchecker;

/* text is what was signed, or err is set: PERMISSION_DENIED if not verified. */
typedef void (*sigchecker_fn)(void *arg, const uint8_t *text, size_t len,
    const struct cerr *err);

/*
 * Verifies an OpenPGP message by any of keys (all read).  fn is called once,
 * from the loop, and the sigchecker is gone then.  Never NULL.
 */
struct sigchecker *sigchecker_start(struct event_base *base,
    struct link *parent, const struct policy_keys *keys, const uint8_t *msg,
    size_t len, sigchecker_fn fn, void *arg);
void sigchecker_cancel(struct sigchecker *s); /* fn is not called */

#endif
