#ifndef CRIOD_NETD_EMBEDDED_H
#define CRIOD_NETD_EMBEDDED_H

#include "lib/cerr.h"

struct conf;

/*
 * The network used when the administrator has configured none: a bridge with
 * addresses from subnet ("10.85.0.0/16"), masquerading and host ports.
 */
struct conf *embedded_make(const char *subnet, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
