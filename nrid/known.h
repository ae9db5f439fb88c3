#ifndef CRIOD_NRID_KNOWN_H
#define CRIOD_NRID_KNOWN_H

/*
 * The pods and containers there are, each as the bytes of its NRI message.
 * A container has three parts: what the front tells; of other fields, what
 * execd (or a plugin's adjustment) made of its process; and the limits that
 * were changed since.  One behind the other they are the whole message, as
 * protobuf has it.
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/id.h"
#include "proto/nri.pb-c.h"

struct known_bytes {
	uint8_t *data;
	size_t len;
};

struct known_pod {
	LIST_ENTRY(known_pod) entry;
	char id[ID_SIZE];
	struct known_bytes pod;
	bool listed; /* in the front's latest list */
};

struct known_ctr {
	LIST_ENTRY(known_ctr) entry;
	char id[ID_SIZE], pod_id[ID_SIZE];
	struct known_bytes front, execd, limits;
	struct known_bytes asked; /* a change that is not made yet */
	bool listed;
};

LIST_HEAD(known_pods, known_pod);
LIST_HEAD(known_ctrs, known_ctr);

struct known {
	struct known_pods pods;
	struct known_ctrs ctrs;
};

void known_init(struct known *k);

struct known_pod *known_pod(struct known *k, const char *id);
struct known_ctr *known_ctr(struct known *k, const char *id);

/*
 * Add or replace.  message is a packed-able protobuf-c message, borrowed.
 * Ids must be valid.  Fatal without memory.
 */
struct known_pod *known_set_pod(struct known *k, const char *id,
    const void *message);
struct known_ctr *known_set_front(struct known *k, const char *id,
    const char *pod_id, const void *message);
struct known_ctr *known_set_execd(struct known *k, const char *id,
    const char *pod_id, const void *message);

/*
 * Limits that are asked for, and were set: those of memory and CPU.  r NULL:
 * those that were asked for last.
 */
void known_ask_limits(struct known_ctr *c, const Nri__LinuxResources *r);
void known_set_limits(struct known_ctr *c, const Nri__LinuxResources *r);

/* The containers of a pod go with it. */
void known_drop_pod(struct known *k, const char *id);
void known_drop_ctr(struct known *k, const char *id);

/* A list begins, ends: what is not set between is dropped at the end. */
void known_list_begin(struct known *k);
void known_list_end(struct known *k);

#endif
