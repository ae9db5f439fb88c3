#ifndef CRIOD_H2_SCAN_H
#define CRIOD_H2_SCAN_H

/*
 * Leaves out, of what a client sends, resets of streams that it has not opened.
 * gRPC's library for C and what builds on it (C++, Python, Ruby) send one for a
 * call that is cancelled before its first frame is out.  RFC 9113 5.1 calls
 * that an error of the connection, and nghttp2 would end it, with all calls of
 * that client; servers in Go take no notice.
 */

#include <stddef.h>
#include <stdint.h>

#define H2_SCAN_HEAD 9 /* of each frame: length, type, flags, stream */
#define H2_SCAN_MAX  (H2_SCAN_HEAD + 4)

struct h2_scan {
	uint8_t head[H2_SCAN_MAX]; /* as much as has come of one, */
	size_t have;		   /* that many */
	size_t body;		   /* bytes until the next */
	uint32_t last;		   /* stream opened */
	size_t dropped;		   /* resets; the caller's to set to 0 */
};

/* A part of what came, in order.  Negative: no more. */
typedef int (*h2_scan_fn)(void *arg, const uint8_t *buf, size_t len);

/* At the beginning of a connection. */
void h2_scan_init(struct h2_scan *s);
/* 0, or what fn returned if that was negative. */
int h2_scan(struct h2_scan *s, const uint8_t *buf, size_t len, h2_scan_fn fn,
    void *arg) __attribute__((warn_unused_result));

#endif
