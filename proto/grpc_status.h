#ifndef CRIOD_PROTO_GRPC_STATUS_H
#define CRIOD_PROTO_GRPC_STATUS_H

/*
 * The textual parts of gRPC over HTTP/2 (gRPC's doc/PROTOCOL-HTTP2.md):
 * grpc-timeout, grpc-status, grpc-message, content-type.  Pure functions.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

/*
 * 1 to 8 digits and one of H M S m u n.  *ms is rounded up, so that only a
 * timeout of 0 gives 0.  -1 if malformed.
 */
int grpc_timeout_parse(const char *s, int64_t *ms)
    __attribute__((warn_unused_result));

/* Big enough for any struct cerr text. */
#define GRPC_TEXT_MAX (3 * CERR_TEXT_MAX)

/*
 * Percent-encodes text for grpc-message: bytes outside 0x20 to 0x7e, and '%'.
 * Text that is not UTF-8 is encoded byte by byte all the same.
 */
void grpc_text_encode(const char *text, char out[GRPC_TEXT_MAX]);

/* "5"; what is no gRPC code becomes "2" (UNKNOWN). */
const char *grpc_status_number(enum cerr_code code);

/* application/grpc or application/grpc+proto, with or without parameters. */
bool grpc_content_type_ok(const char *s);

#endif
