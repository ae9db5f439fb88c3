#ifndef CRIOD_STREAMD_FORWARD_H
#define CRIOD_STREAMD_FORWARD_H

/* Port-forward: each pair of flows (data, error) is one connection. */

#include "streamd/client.h"
#include "streamd/session.h"

extern const struct session_type forward_type;
extern const struct client_def forward_client;

#endif
