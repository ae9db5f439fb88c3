#ifndef CRIOD_PARENT_LOGDEST_H
#define CRIOD_PARENT_LOGDEST_H

/* Where descriptor 2 of criod and of all its helpers leads. */

#include <stdbool.h>

#include "lib/cerr.h"

struct conf;

/* enum log_format for what c says; debug: -d was given. */
unsigned int logdest_format(const struct conf *c, bool debug);
unsigned int logdest_level(const struct conf *c, bool debug);

/*
 * Opens what c names: an owned descriptor.  The one that criod was started
 * with stands for stderr.
 */
int logdest_open(const struct conf *c, bool debug, struct cerr *err)
    __attribute__((warn_unused_result));

/* The same for the audit log, which c must want. */
int logdest_open_audit(const struct conf *c, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * Makes fd, which it takes, descriptor 2.  True if it is another file than
 * before, so that who holds the old one must be restarted.
 */
bool logdest_use(int fd);

#endif
