#ifndef CRIOD_LIB_YAMLJSON_H
#define CRIOD_LIB_YAMLJSON_H

/*
 * YAML, as the JSON that would say the same.  Plain scalars are strings but
 * where integers are said to be; an empty one, "~" and "null" are null. One
 * document; anchors, aliases, tags and duplicate keys are refused, and the
 * bounds are those of lib/json.h.
 */

#include <jansson.h>

#include <stddef.h>

#include "lib/cerr.h"

/*
 * Owned by the caller; NULL with err, which names a line.  max bounds len;
 * integers names the members that are integers, or lists of such, NULL ends.
 */
json_t *yamljson_read(const char *text, size_t len, size_t max,
    const char *const *integers, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
