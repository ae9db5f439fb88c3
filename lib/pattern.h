#ifndef CRIOD_LIB_PATTERN_H
#define CRIOD_LIB_PATTERN_H

#include <stdbool.h>

/* Whether a pattern means name: "x" exactly, "x*" what begins so, "*x*". */
bool pattern_match(const char *pattern, const char *name);

#endif
