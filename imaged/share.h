#ifndef CRIOD_IMAGED_SHARE_H
#define CRIOD_IMAGED_SHARE_H

/*
 * From a layer's descriptor to a layer of the store: fetched once and
 * unpacked once, however many pulls wait for it.  Pulls share the work when
 * blob, diff_id, registry and credentials are the same; a pull whose own
 * repository might do better than the one that failed tries its own.
 */

#include <stdint.h>

#include "imaged/manifest.h"
#include "lib/cerr.h"

struct event_base;
struct session;
struct share_wait;
struct shares;
struct store;

/* Borrows all; tmp is the directory for blobs.  Never NULL. */
struct shares *shares_new(struct event_base *base, struct store *store,
    const char *tmp);

/* layer is held once for the caller (store.h); or err is set and it is 0. */
typedef void (
    *share_done_fn)(void *arg, const struct cerr *err, uint64_t layer);

struct share_want {
	const struct manifest_desc *blob;
	/* 64 hexadecimal digits; "" for MANIFEST_FILE, to be computed. */
	const char *diff_id;
	struct session *session; /* one of these two; referenced */
	int fd;			 /* taken; -1 */
	share_done_fn done;
	void *arg;
};

/* done is called once, from the loop, unless cancelled. */
struct share_wait *share_get(struct shares *ss, const struct share_want *want);
/* The work stops when nobody else waits for it.  NULL is fine. */
void share_cancel(struct share_wait *w);
/* Bytes of the blob that have come. */
uint64_t share_have(const struct share_wait *w);

#endif
