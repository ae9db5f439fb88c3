#ifndef CRIOD_PROTO_PBCHECK_H
#define CRIOD_PROTO_PBCHECK_H

/*
 * Looks at an encoded protobuf message before it is decoded, guided by its
 * descriptor: well-formed, not nested deeper than PBCHECK_DEPTH, every string
 * valid UTF-8 and without NUL (which would cut it short in C).  Uses no heap;
 * time is linear.  Unknown fields are skipped.
 */

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "lib/cerr.h"

#define PBCHECK_DEPTH 24

/* -1 with INVALID_ARGUMENT and the field's path ("config.metadata.name"). */
int pbcheck(const ProtobufCMessageDescriptor *desc, const uint8_t *buf,
    size_t len, struct cerr *err) __attribute__((warn_unused_result));

#endif
