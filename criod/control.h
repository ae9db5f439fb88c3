#ifndef CRIOD_CRIOD_CONTROL_H
#define CRIOD_CRIOD_CONTROL_H

/*
 * criodctl's socket: one link per client, root only.  A client can make any
 * CRI call and hand an image's blobs to imaged; one that breaks the rules
 * loses its connection.
 */

#include <sys/queue.h>

#include <stddef.h>

#define CONTROL_CLIENTS_MAX 8
#define CONTROL_BLOBS_MAX   256 /* of one image, the layers and the rest */

struct control_client;
struct front;

struct control {
	LIST_HEAD(, control_client) clients;
	size_t nclients;
	struct event *accept;
};

/* Takes a listening SEQPACKET socket. */
void control_listen(struct front *front, int fd);

#endif
