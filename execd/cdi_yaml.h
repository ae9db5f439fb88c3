#ifndef CRIOD_EXECD_CDI_YAML_H
#define CRIOD_EXECD_CDI_YAML_H

/*
 * A CDI file in YAML, as the JSON that would say the same.  Plain scalars are
 * strings but where CDI has integers; an empty one, "~" and "null" are null.
 * One document; anchors, aliases, tags and duplicate keys are refused, and the
 * bounds are those of lib/json.h.
 */

#include <jansson.h>

#include <stddef.h>

#include "lib/cerr.h"

/* Owned by the caller; NULL with err, which names a line. */
json_t *cdi_yaml_read(const char *text, size_t len, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
