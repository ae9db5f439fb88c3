#ifndef CRIOD_LIB_JSON_H
#define CRIOD_LIB_JSON_H

/*
 * Loading JSON that came from outside.  Size, depth and the number of values
 * are checked before jansson sees a byte, so that what it allocates is bounded
 * (some 32 MiB at worst); then duplicate keys, bad UTF-8, U+0000 in strings
 * and anything after the document are refused.
 */

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define JSON_DEPTH_MAX	64
#define JSON_VALUES_MAX 131072

/*
 * Gives jansson's hash tables a random seed (else it opens /dev/urandom, which
 * a confined role cannot).  Call it before anything makes a json_t by itself.
 */
void json_init(void);

/*
 * The document in buf, an object or array, owned by the caller (json_decref),
 * or NULL with err: INVALID_ARGUMENT, "WHAT: reason".  max bounds len.
 */
json_t *json_read_bounded(const char *what, const void *buf, size_t len,
    size_t max, struct cerr *err) __attribute__((warn_unused_result));

/*
 * What json_read_bounded checks first: a constant string saying what is wrong,
 * or NULL.
 */
const char *json_check_bounds(const void *buf, size_t len, size_t max);

/*
 * obj's member key, borrowed, in *value.  An absent member or null is NULL, and
 * an error if needed; another type is an error; a non-object obj is an error.
 */
int json_want(const json_t *obj, const char *key, json_type type, bool needed,
    json_t **value, struct cerr *err) __attribute__((warn_unused_result));
/* The same for strings; *value is "" if absent and not needed. */
int json_want_str(const json_t *obj, const char *key, bool needed,
    const char **value, struct cerr *err) __attribute__((warn_unused_result));
/* The same for integers of at least 0; 0 if absent and not needed. */
int json_want_size(const json_t *obj, const char *key, bool needed,
    uint64_t *value, struct cerr *err) __attribute__((warn_unused_result));

#endif
