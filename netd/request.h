#ifndef CRIOD_NETD_REQUEST_H
#define CRIOD_NETD_REQUEST_H

#include <jansson.h>

#include <stddef.h>

struct conf;

/*
 * What plugin i of a list gets on standard input (CNI specification, section
 * 3, "Deriving request configuration").  Each of the rest may be NULL:
 * capabilities are what the pod asks for; prev is prevResult; valid is the
 * list of attachments for GC.  Returns owned text (free) of *len bytes.
 */
char *request_make(const struct conf *c, size_t i, const json_t *capabilities,
    json_t *prev, json_t *valid, size_t *len)
    __attribute__((warn_unused_result));

#endif
