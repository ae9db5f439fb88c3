#ifndef CRIOD_LIB_TRIM_H
#define CRIOD_LIB_TRIM_H

/*
 * Gives memory back that a process touched once and does not need while it
 * waits: free heap, and the pages of programs and libraries that it can read
 * again when it wants them.  Costs some page faults at the next work.
 */
void trim_memory(void);

#endif
