#ifndef CRIOD_STREAMD_STATUS_H
#define CRIOD_STREAMD_STATUS_H

/* How a remote command ended, in the words of its protocol. */

#include <stdint.h>

/*
 * version: of the protocol; from 4 on a Kubernetes v1.Status in JSON, before
 * that a text, empty for success.  why: not NULL if the command did not run or
 * its end is not known.  Owned by the caller; NULL without memory.
 */
char *status_text(unsigned int version, int32_t code, const char *why);

#endif
