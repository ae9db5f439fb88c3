#ifndef CRIOD_IMAGED_FETCH_H
#define CRIOD_IMAGED_FETCH_H

/*
 * One blob into an unnamed file, hashed as it comes, never whole in memory;
 * from a registry (cut transfers go on where they stopped) or from a
 * descriptor that a client passed.
 */

#include <stdint.h>

#include "imaged/manifest.h"
#include "lib/cerr.h"

struct event_base;
struct fetch;
struct session;

/*
 * The end: fd (the caller's, at offset 0) holds the verified blob, or is -1
 * and err is set.
 */
typedef void (*fetch_done_fn)(void *arg, const struct cerr *err, int fd);

/*
 * have bytes, not verified, can be read at the beginning of fd (borrowed).
 * Less than before: it began anew.
 */
typedef void (*fetch_grown_fn)(void *arg, int fd, uint64_t have);

struct fetch_def {
	struct event_base *base;
	const char *tmp;	 /* directory */
	struct session *session; /* one of these two; borrowed until the end */
	int fd;			 /* taken; -1 */
	const struct manifest_desc *blob; /* digest, size, name; copied */
	/* MANIFEST_FILE: the diff_id is put here before done says so. */
	char *diff_id;
	fetch_grown_fn grown;
	fetch_done_fn done;
	void *arg;
};

/* done is called once, from the loop, unless cancelled. */
struct fetch *fetch_start(const struct fetch_def *def);
void fetch_cancel(struct fetch *f); /* NULL is fine */
/* Bytes that have come. */
uint64_t fetch_have(const struct fetch *f);

#endif
