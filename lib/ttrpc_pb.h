#ifndef CRIOD_LIB_TTRPC_PB_H
#define CRIOD_LIB_TTRPC_PB_H

/* The two protobuf messages of ttrpc, read in place and written whole. */

#include <stddef.h>
#include <stdint.h>

struct ttrpc_text {
	const uint8_t *data;
	size_t len;
};

struct ttrpc_pb_request {
	struct ttrpc_text service, method, payload;
	int64_t timeout_ns; /* 0: none */
};

struct ttrpc_pb_response {
	uint32_t code; /* of its status; 0: well */
	struct ttrpc_text message, payload;
};

/* Unknown fields are passed over.  -1 if malformed.  Points into buf. */
int ttrpc_pb_get_request(const uint8_t *buf, size_t len,
    struct ttrpc_pb_request *r) __attribute__((warn_unused_result));
int ttrpc_pb_get_response(const uint8_t *buf, size_t len,
    struct ttrpc_pb_response *r) __attribute__((warn_unused_result));

/* Bytes that the other takes; written at out, which has room for them. */
size_t ttrpc_pb_request_size(const struct ttrpc_pb_request *r);
void ttrpc_pb_put_request(const struct ttrpc_pb_request *r, uint8_t *out);
size_t ttrpc_pb_response_size(const struct ttrpc_pb_response *r);
void ttrpc_pb_put_response(const struct ttrpc_pb_response *r, uint8_t *out);

#endif
