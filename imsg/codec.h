#ifndef CRIOD_IMSG_CODEC_H
#define CRIOD_IMSG_CODEC_H

/*
 * Between a message's payload and the object that handlers see: a struct
 * fixed_NAME, or a protobuf-c message in the roles that may parse those.
 */

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"
#include "lib/cerr.h"

struct link_call;

/* How protobuf types are handled; codec_fixed_only refuses them. */
struct codec_pb {
	/* Packs body; *data is owned by the caller.  -1 without memory. */
	int (*pack)(enum msg_type type, const void *body, uint8_t **data,
	    size_t *len);
	/* NULL if malformed. */
	void *(*unpack)(enum msg_type type, const uint8_t *data, size_t len);
	void (*free)(enum msg_type type, void *body);
	/* The one protobuf body that links themselves read and write. */
	void (*error_get)(const void *body, struct cerr *err);
	void (*error_send)(struct link_call *call, const struct cerr *err);
};

extern const struct codec_pb codec_pb; /* imsg/codec_pb.c */

/* pb may be NULL: then protobuf types fail. */
int codec_pack(const struct codec_pb *pb, enum msg_type type, const void *body,
    uint8_t **data, size_t *len) __attribute__((warn_unused_result));
void *codec_unpack(const struct codec_pb *pb, enum msg_type type,
    const uint8_t *data, size_t len);
void codec_free(const struct codec_pb *pb, enum msg_type type, void *body);

#endif
