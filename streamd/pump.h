#ifndef CRIOD_STREAMD_PUMP_H
#define CRIOD_STREAMD_PUMP_H

/*
 * Carries bytes between a descriptor and a client's flows.  It reads no more
 * than the client takes, and takes from the client no more than is written.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct flow;
struct pump;

enum pump_kind {
	PUMP_PIPE,   /* one direction; closed at the end of what to write */
	PUMP_SOCKET, /* half-closed at that end */
	PUMP_TTY,    /* stays open */
};

struct pump_def {
	/* Bytes went to the client. */
	void (*moved)(void *arg);
	/* The descriptor has no more to read, or takes no more. */
	void (*ended)(void *arg, struct pump *p);
};

/*
 * Takes fd.  to: the client's flow that gets what is read; from: the one whose
 * input is written.  Either may be NULL; a terminal is read even so.  from's
 * event and arg must lead to pump_push.  NULL on failure.
 */
struct pump *pump_new(struct event_base *base, int fd, enum pump_kind kind,
    struct flow *to, struct flow *from, const struct pump_def *def, void *arg);
void pump_free(struct pump *p); /* closes fd; the flows stay */

/* There is more to write, or its end. */
void pump_push(struct pump *p);
/* The client has room again. */
void pump_pull(struct pump *p);

bool pump_read_ended(const struct pump *p);
bool pump_write_ended(const struct pump *p);
bool pump_held(const struct pump *p);	   /* waits for the client's room */
uint64_t pump_moved(const struct pump *p); /* bytes read */
int pump_fd(const struct pump *p);

#endif
