#ifndef CRIOD_LIB_CAPDROP_H
#define CRIOD_LIB_CAPDROP_H

/*
 * For processes that start others as root and so cannot give up their
 * bounding set: cuts their own sets alone.
 */

#include <stdint.h>

#include "lib/cerr.h"

/*
 * Keeps caps (bits 1 << CAP_*) effective and permitted, nothing inheritable
 * or ambient, and proves it.  The bounding set stays.
 */
int capdrop_keep(uint64_t caps, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
