#ifndef CRIOD_CRIOD_RECORD_H
#define CRIOD_CRIOD_RECORD_H

/*
 * Calls of clients, for the audit log: who, what, on which pod, container or
 * image, how it ended, how long it took.  Nothing else of a request goes
 * there: no command, environment, annotation or credentials, and no error's
 * text, which may quote them.
 */

#include "criod/grpc.h"

struct audit;

/* a may be NULL. */
void record_call(struct audit *a, const struct grpc_outcome *o);
/* What criodctl asks for that is no call of the CRI; image may be "". */
void record_local(struct audit *a, const char *method, const char *image,
    int pid, const struct cerr *err);

#endif
