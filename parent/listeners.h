#ifndef CRIOD_PARENT_LISTENERS_H
#define CRIOD_PARENT_LISTENERS_H

/* The sockets that clients come to.  Only the parent makes them. */

#include <sys/queue.h>

#include <stdbool.h>

#include "lib/cerr.h"

struct conf;

/* As in criod.Listener. */
enum listener_kind {
	LISTENER_CRI = 0,
	LISTENER_CONTROL = 1,
	LISTENER_STREAM = 2,
	LISTENER_METRICS = 3,
	LISTENER_NRI = 4,
};

struct listener {
	TAILQ_ENTRY(listener) entry;
	enum listener_kind kind;
	char *name;   /* its path, or what ADDRESS:PORT was asked for */
	char *actual; /* with the port that it got */
	int fd;
	bool is_path; /* to be removed at the end */
	bool kept;    /* came from the set before */
};

TAILQ_HEAD(listeners, listener);

/*
 * Opens what c says; what old (may be NULL) has already is shared, not
 * opened again.  -1 with err: then nothing is left behind.
 */
int listeners_open(struct listeners *set, const struct conf *c,
    const struct listeners *old, struct cerr *err)
    __attribute__((warn_unused_result));

/* Owners and modes as c says, of those that were kept. */
int listeners_protect(const struct listeners *set, const struct conf *c,
    struct cerr *err) __attribute__((warn_unused_result));

/* True if one has a listener of that kind that the other has not. */
bool listeners_differ(const struct listeners *a, const struct listeners *b,
    enum listener_kind kind);

/*
 * Closes all of set, and removes the paths of those that next (may be NULL)
 * does not have.
 */
void listeners_close(struct listeners *set, const struct listeners *next);

#endif
