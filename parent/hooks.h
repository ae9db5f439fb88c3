#ifndef CRIOD_PARENT_HOOKS_H
#define CRIOD_PARENT_HOOKS_H

/*
 * The files of the "hooks directory" statements, read here and understood by
 * execd.  One that root alone cannot vouch for is an error: what they name
 * runs as root.
 */

#include "lib/cerr.h"
#include "proto/msg.pb-c.h"

struct conf;

#define HOOKS_MAX      64
#define HOOKS_FILE_MAX (32U * 1024)

/* By name; a later directory's file replaces one of the same name. */
int hooks_read(Criod__BootExecd *b, const struct conf *c, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
