#ifndef CRIOD_NRID_MUX_H
#define CRIOD_NRID_MUX_H

/*
 * NRI's multiplexing of one socket: frames of a connection number and a
 * length, four bytes each, big-endian, then bytes of that connection.
 * Nothing is kept: bytes are passed on as they come.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define MUX_HEADER	 8
#define MUX_PLUGIN_CONN	 1U /* what the plugin serves */
#define MUX_RUNTIME_CONN 2U /* what the runtime serves */

/*
 * Readers in use take the first of a message's bytes into a buffer of this
 * size, and no frame that is larger: a message goes out as one frame of at
 * most so many bytes and one of the rest.
 */
#define MUX_FIRST 4096

struct mux {
	uint8_t head[MUX_HEADER];
	size_t nhead;
	size_t left; /* bytes of the frame that are to come */
};

/* Takes bytes of one connection.  -1 with err ends it all. */
typedef int (*mux_fn)(void *ctx, uint32_t conn, const uint8_t *buf, size_t len,
    struct cerr *err);

/* -1 with err: a frame longer than a message may be, or fn's error. */
int mux_input(struct mux *m, const uint8_t *buf, size_t len, mux_fn fn,
    void *ctx, struct cerr *err) __attribute__((warn_unused_result));

void mux_header(uint8_t out[MUX_HEADER], uint32_t conn, size_t len);

#endif
