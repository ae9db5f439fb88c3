#ifndef CRIOD_EXECD_NRI_JSON_H
#define CRIOD_EXECD_NRI_JSON_H

/*
 * NRI's messages are the OCI runtime configuration's objects by other names:
 * file_mode is fileMode, a map is an object, an Optional... a value that may
 * be absent.  These go from one to the other by the messages' descriptors;
 * their depth is the schema's.
 */

#include <jansson.h>

#include <protobuf-c/protobuf-c.h>

#include "proto/pballoc.h"

/*
 * A new object, or NULL: no memory, or a string that is not UTF-8.  Absent
 * optionals and empty strings, lists and maps are left out.
 */
json_t *nri_json_from(const void *message);

/*
 * A new message of the arena with what the object has of its fields; NULL
 * without memory.  Strings point into the object.
 */
void *nri_json_into(struct pballoc *mem, const ProtobufCMessageDescriptor *desc,
    const json_t *object);

/* From the arena, zeroed; NULL when it is exhausted. */
void *nri_json_alloc(struct pballoc *mem, size_t n, size_t size);

#endif
