#ifndef CRIOD_IMAGED_SIGFETCH_H
#define CRIOD_IMAGED_SIGFETCH_H

/* Reads an image's signatures from wherever they are kept. */

#include <stddef.h>

#include "imaged/judge.h"
#include "lib/cerr.h"

struct http;
struct link;
struct ref;
struct session;
struct sigfetch;
struct sigset;

/* err is NULL, or says what could not be read. */
typedef void (*sigfetch_fn)(void *arg, const struct cerr *err);

struct sigfetch_def {
	struct event_base *base;
	struct http *http;
	struct link *parent;	 /* opens files */
	struct session *session; /* that gave the manifest */
	const struct ref *ref;
	struct judge_source source;
	/* Manifests that lead to the image, each "sha256:HEX". */
	const char *digests[2];
	size_t ndigests;
	struct sigset *sigs; /* where they go */
	sigfetch_fn fn;
	void *arg;
};

/*
 * Copies def; what it points to must live until the end.  fn is called once,
 * from the loop, unless cancelled.  Never NULL.
 */
struct sigfetch *sigfetch_start(const struct sigfetch_def *def);
void sigfetch_cancel(struct sigfetch *f); /* NULL is fine */

#endif
