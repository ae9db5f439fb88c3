#ifndef CRIOD_STREAMD_UPGRADE_H
#define CRIOD_STREAMD_UPGRADE_H

/* What an HTTP request to upgrade asks for, and the answer to it. */

#include <stdbool.h>

#include "streamd/http1.h"

struct http_refusal;

enum upgrade_transport {
	UPGRADE_SPDY,
	UPGRADE_WEBSOCKET,
	UPGRADE_TUNNEL, /* SPDY in WebSocket messages */
};

struct upgrade_proto {
	const char *name; /* "": the client names none */
	enum upgrade_transport transport;
	bool forward;	      /* port-forward, else a remote command */
	unsigned int version; /* of the remote command protocol */
	bool base64;	      /* text messages */
};

#define UPGRADE_HEAD_MAX 512

struct upgrade {
	const struct upgrade_proto *proto;
	char head[UPGRADE_HEAD_MAX]; /* the 101 answer */
};

/* -1 with the refusal. */
int upgrade_parse(const struct http1_request *r, bool forward,
    struct upgrade *u, struct http_refusal *no)
    __attribute__((warn_unused_result));

#endif
