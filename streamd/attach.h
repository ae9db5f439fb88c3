#ifndef CRIOD_STREAMD_ATTACH_H
#define CRIOD_STREAMD_ATTACH_H

/*
 * The socket to a container's monitor: packets, whose first byte says what
 * they are (StreamStdio in proto/msg.proto).
 */

#include <stdbool.h>
#include <stdint.h>

struct attach;
struct event_base;
struct flow;
struct resize_size;

#define ATTACH_DATA_MAX 32767 /* of a packet of 32 KiB */

struct attach_def {
	void (*moved)(void *arg); /* bytes went to the client */
	void (*ended)(void *arg); /* the monitor closed it */
};

/*
 * Takes fd.  Flows may be NULL; in's event and arg must lead to attach_push.
 * NULL on failure.
 */
struct attach *attach_new(struct event_base *base, int fd, struct flow *in,
    struct flow *out, struct flow *err, const struct attach_def *def,
    void *arg);
void attach_free(struct attach *a);

void attach_push(struct attach *a); /* more input, or its end */
void attach_pull(struct attach *a); /* the client has room again */
void attach_resize(struct attach *a, const struct resize_size *size);
bool attach_held(const struct attach *a);

#endif
