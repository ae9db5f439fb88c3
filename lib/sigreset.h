#ifndef CRIOD_LIB_SIGRESET_H
#define CRIOD_LIB_SIGRESET_H

/*
 * All signals to their default actions and none blocked, as a program that
 * init started would find them.  Between fork and exec: async-signal-safe.
 * -1 with errno.
 */
int sigreset(void) __attribute__((warn_unused_result));

#endif
