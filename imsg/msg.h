#ifndef CRIOD_IMSG_MSG_H
#define CRIOD_IMSG_MSG_H

/* The message types as data: made from imsg/msg_table.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imsg/role.h"

struct fixed_desc;
struct wire_msg;

enum msg_type {
	MSG_NONE = 0,
#define MSG(n, from, to, st, codec, max, fmin, fmax, reply) MSG_##n,
#include "imsg/msg_table.h"
#undef MSG
	MSG_COUNT,
};

enum msg_state {
	MSG_STATE_BOOT = 1,
	MSG_STATE_RUN = 2,
	MSG_STATE_ANY = 3,
};

struct msg_info {
	const char *name;
	unsigned int from; /* ROLE_* bits */
	unsigned int to;
	enum msg_state state;
	const struct fixed_desc *fixed; /* NULL: protobuf */
	size_t max;			/* bytes of payload */
	size_t fds_min;
	size_t fds_max;
	enum msg_type reply; /* MSG_NONE: one-way */
};

/* NULL if type is not one. */
const struct msg_info *msg_info(unsigned int type);

/* True if a request of that type may be answered by answer. */
bool msg_answers(enum msg_type request, enum msg_type answer);

/*
 * Whether a message that arrived may be taken: known type, allowed sender and
 * receiver, state, length, descriptor count.  Returns NULL if so, else what
 * is wrong (a constant string).
 */
const char *msg_check(const struct wire_msg *m, enum role from, enum role to,
    enum msg_state state);

#endif
