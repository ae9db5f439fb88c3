#ifndef CRIOD_STREAMD_REMOTE_H
#define CRIOD_STREAMD_REMOTE_H

/* Exec and attach: a command's or container's standard streams. */

#include "streamd/client.h"
#include "streamd/session.h"

extern const struct session_type remote_type;
extern const struct client_def remote_client;

#endif
