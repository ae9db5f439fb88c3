/*
 * Every (type, sender, receiver, state) and every length and descriptor count
 * beside the right ones, against what the table says.  The expectation is
 * computed here from the table's text, not by msg_check's own code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "imsg/fixed.h"
#include "imsg/msg.h"
#include "imsg/wire.h"

static const enum role roles[] = {
	ROLE_PARENT,
	ROLE_FRONT,
	ROLE_STREAMD,
	ROLE_IMAGED,
	ROLE_UNPACK,
	ROLE_NETD,
	ROLE_NETLAUNCH,
	ROLE_EXECD,
	ROLE_EXECLAUNCH,
	ROLE_MONITOR,
	ROLE_CTL,
	ROLE_SIGCHECK,
	ROLE_KEEPER,
	ROLE_SHELF,
};

#define NROLES (sizeof(roles) / sizeof(roles[0]))

/* The table once more, as text. */
static const struct {
	const char *name, *state, *codec;
	unsigned int from, to;
	size_t max, fmin, fmax;
} table[] = {
#define MSG(n, from, to, st, codec, max, fmin, fmax, reply)                    \
	{ #n, #st, #codec, from, to, max, fmin, fmax },
#include "imsg/msg_table.h"
#undef MSG
};

#define NTABLE (sizeof(table) / sizeof(table[0]))

static size_t tried, taken;

static bool
state_allows(const char *column, enum msg_state state)
{
	if (strcmp(column, "ANY") == 0)
		return true;
	return strcmp(column, state == MSG_STATE_RUN ? "RUN" : "BOOT") == 0;
}

/* The one right length of a fixed type; any for protobuf. */
static size_t
right_length(unsigned int type)
{
	const struct msg_info *info = msg_info(type);

	return info->fixed != NULL ? fixed_size(info->fixed) : info->max;
}

static void
try_one(unsigned int type, enum role from, enum role to, enum msg_state state,
    size_t len, size_t nfds)
{
	size_t row = type - 1;
	struct wire_msg m = { .type = type, .len = len, .nfds = nfds };
	bool fixed = table[row].codec[0] == 'F';
	bool want =
	    (table[row].from & from) != 0 && (table[row].to & to) != 0 &&
	    state_allows(table[row].state, state) && len <= table[row].max &&
	    (!fixed || len == right_length(type)) && nfds >= table[row].fmin &&
	    nfds <= table[row].fmax;

	tried++;
	taken += want ? 1 : 0;
	if ((msg_check(&m, from, to, state) == NULL) != want)
		fail_msg("%s from %s to %s: want %d", table[row].name,
		    role_name(from), role_name(to), want);
}

static void
try_lengths(unsigned int type, enum role from, enum role to,
    enum msg_state state)
{
	size_t right = right_length(type);

	for (size_t nfds = 0; nfds <= WIRE_FDS_MAX; nfds++) {
		for (size_t d = 0; d < 3; d++)
			try_one(type, from, to, state, right + d - 1, nfds);
		try_one(type, from, to, state, 0, nfds);
		try_one(type, from, to, state, table[type - 1].max + 1, nfds);
	}
}

static void
every_combination(void **state)
{
	static const enum msg_state states[] = { MSG_STATE_BOOT,
		MSG_STATE_RUN };

	(void)state;
	for (unsigned int t = 1; t < MSG_COUNT; t++)
		for (size_t f = 0; f < NROLES; f++)
			for (size_t r = 0; r < NROLES; r++)
				for (size_t s = 0; s < 2; s++)
					try_lengths(t, roles[f], roles[r],
					    states[s]);
	print_message("%zu combinations, %zu allowed\n", tried, taken);
	assert_true(taken > 0);
}

static void
unknown_types(void **state)
{
	static const unsigned int types[] = { 0, MSG_COUNT, MSG_COUNT + 1,
		65535 };

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct wire_msg m = { .type = types[i] };

		assert_null(msg_info(types[i]));
		assert_non_null(
		    msg_check(&m, ROLE_PARENT, ROLE_FRONT, MSG_STATE_RUN));
	}
}

/* What must hold of the table itself. */
static void
table_is_sound(void **state)
{
	(void)state;
	assert_int_equal(NTABLE, MSG_COUNT - 1);
	for (unsigned int t = 1; t < MSG_COUNT; t++) {
		const struct msg_info *info = msg_info(t);
		const struct msg_info *reply = msg_info(info->reply);

		assert_true(info->fds_max <= WIRE_FDS_MAX);
		if (info->max > WIRE_INLINE_MAX)
			assert_true(info->fds_max < WIRE_FDS_MAX);
		if (info->fixed != NULL) {
			assert_true(fixed_size(info->fixed) <= info->max);
			assert_true(fixed_size(info->fixed) <= FIXED_MAX);
		}
		if (reply == NULL)
			continue;
		/* The answer goes back along the same links. */
		assert_int_equal(info->to & reply->from, info->to);
		assert_int_equal(info->from & reply->to, info->from);
		assert_int_equal(reply->reply, MSG_NONE);
	}
}

/* Launchers, unpack, monitors and the parent take nothing but fixed sizes. */
static void
privileged_take_no_protobuf(void **state)
{
	const unsigned int fixed_only =
	    ROLE_PARENT | ROLE_UNPACK | ROLE_SIGCHECK | ROLE_SHELF |
	    ROLE_NETLAUNCH | ROLE_EXECLAUNCH | ROLE_MONITOR;

	(void)state;
	for (size_t i = 0; i < NTABLE; i++) {
		if (strcmp(table[i].name, "ERROR") == 0 ||
		    strcmp(table[i].name, "BOOT") == 0)
			continue;
		if (table[i].codec[0] == 'P' && (table[i].to & fixed_only))
			fail_msg("%s is protobuf", table[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination),
		cmocka_unit_test(unknown_types),
		cmocka_unit_test(table_is_sound),
		cmocka_unit_test(privileged_take_no_protobuf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
