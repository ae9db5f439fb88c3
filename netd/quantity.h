#ifndef CRIOD_NETD_QUANTITY_H
#define CRIOD_NETD_QUANTITY_H

#include <stdint.h>

/*
 * A Kubernetes resource quantity ("10M", "1.5Gi", "2e6") as a whole number,
 * rounded up.  -1 if s is not one, is negative, or is above INT64_MAX.
 */
int quantity_parse(const char *s, uint64_t *value)
    __attribute__((warn_unused_result));

#endif
