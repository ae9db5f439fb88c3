#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <linux/capability.h>

#include <signal.h>

#include "execd/caps.h"
#include "execd/signum.h"
#include "lib/capname.h"

/* The strings of protobuf-c are not const. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define ALL  ((UINT64_C(1) << 41) - 1)

static char *all[] = { "ALL" };
static char *chown_[] = { "CAP_CHOWN" };
static char *admin[] = { "sys_admin" };

/* Row 31: nothing is ever inheritable but what is ambient. */
static void
t_resolve(void **state)
{
	const struct {
		struct caps_in in;
		uint64_t want, ambient;
	} rows[] = {
		{ { .bounding = ALL }, caps_default(), 0 },
		{ { .bounding = CAPS_BIT(CAP_KILL) }, CAPS_BIT(CAP_KILL), 0 },
		{ { .bounding = ALL, .privileged = true }, ALL, 0 },
		{ { .bounding = ALL, .add = all, .nadd = 1 }, ALL, 0 },
		{ { .bounding = ALL, .drop = all, .ndrop = 1 }, 0, 0 },
		{ { .bounding = ALL,
		      .add = all,
		      .nadd = 1,
		      .drop = all,
		      .ndrop = 1 },
		    0, 0 },
		{ { .bounding = ALL,
		      .add = chown_,
		      .nadd = 1,
		      .drop = all,
		      .ndrop = 1 },
		    CAPS_BIT(CAP_CHOWN), 0 },
		{ { .bounding = ALL,
		      .add = all,
		      .nadd = 1,
		      .drop = chown_,
		      .ndrop = 1 },
		    ALL & ~CAPS_BIT(CAP_CHOWN), 0 },
		{ { .bounding = ALL, .add = admin, .nadd = 1 },
		    caps_default() | CAPS_BIT(CAP_SYS_ADMIN), 0 },
		{ { .bounding = ALL, .drop = chown_, .ndrop = 1 },
		    caps_default() & ~CAPS_BIT(CAP_CHOWN), 0 },
		{ { .bounding = ALL, .ambient = admin, .nambient = 1 },
		    caps_default() | CAPS_BIT(CAP_SYS_ADMIN),
		    CAPS_BIT(CAP_SYS_ADMIN) },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct caps c;
		struct cerr err;

		assert_int_equal(caps_resolve(&rows[i].in, &c, &err), 0);
		assert_int_equal(c.permitted, rows[i].want);
		assert_int_equal(c.ambient, rows[i].ambient);
	}
}

static void
t_unavailable(void **state)
{
	struct caps_in in = { .bounding = caps_default(),
		.add = admin,
		.nadd = 1 };
	struct caps c;
	struct cerr err;

	(void)state;
	assert_int_equal(caps_resolve(&in, &c, &err), -1);
	assert_int_equal(err.code, CERR_FAILED_PRECONDITION);
}

static void
t_names(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < capname_count(); i++)
		assert_int_equal(capname_number(capname_name(i)), i);
	assert_int_equal(capname_count(), CAP_LAST_CAP + 1);
	assert_int_equal(capname_number("CAP_"), -1);
	assert_int_equal(capname_number("FLY"), -1);
}

static void
t_signals(void **state)
{
	static const struct {
		const char *s;
		int want;
	} rows[] = { { "", SIGTERM }, { "SIGTERM", SIGTERM },
		{ "TERM", SIGTERM }, { "15", 15 }, { "sigquit", SIGQUIT },
		{ "SIGRTMIN+3", 37 }, { "RTMAX-1", 63 }, { "0", SIGTERM },
		{ "65", SIGTERM }, { "SIGNOPE", SIGTERM }, { "9", 9 },
		{ "RTMIN+99", SIGTERM }, { "+3", SIGTERM } };

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		assert_int_equal(signum_parse(rows[i].s), rows[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_resolve),
		cmocka_unit_test(t_unavailable),
		cmocka_unit_test(t_names),
		cmocka_unit_test(t_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
