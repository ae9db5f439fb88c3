#ifndef CRIOD_CRIOD_SERVE_H
#define CRIOD_CRIOD_SERVE_H

/* The front's listeners: kept until what runs is known, then opened. */

#include "imsg/link.h"
#include "proto/msg.pb-c.h"

struct front;

struct serve_listener {
	Criod__Listener__Kind kind;
	int fd;
};

/* A link_handler_fn for LISTENER. */
void serve_handle_listener(void *ctx, struct link_call *call,
    struct link_msg *m);
/* Opens them; later ones are opened as they come. */
void serve_begin(struct front *front);

#endif
