#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/user.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "bad line\n"
			     "4294967296:x:0:0::/:/bin/sh\n"
			     "0x0:x:0:0::/:/bin/sh\n"
			     "app:x:1000:2000:App:/home/app:/bin/sh\n"
			     "nl:x:1001:2001:a:/home\x01x:/bin/sh\n"
			     "wrap:x:4294967296:0::/:/bin/sh\n"
			     "toor:x:0:0::/:/bin/sh";
static const char group[] = "root:x:0:\n"
			    "wheel:x:10:root,app\n"
			    "video:x:44:xapp,appx\n"
			    "staff:x:50:app\n"
			    "neg:x:-1:app\n"
			    "colon:x:51:app:x\n";

struct row {
	const char *image, *username;
	int64_t uid, gid; /* -7: unset */
	bool strict;
	const char *want; /* "uid:gid groups home", or NULL if refused */
};

#define UNSET (-7)

static const struct row rows[] = {
	{ "", "", UNSET, UNSET, false, "0:0 0,7,10 /root" },
	{ "", "", UNSET, UNSET, true, "0:0 0,7 /root" },
	{ "app", "", UNSET, UNSET, false, "1000:2000 7,10,50,2000 /home/app" },
	{ "app", "", UNSET, UNSET, true, "1000:2000 7,2000 /home/app" },
	{ "app:staff", "", UNSET, UNSET, false, "1000:50 7,10,50 /home/app" },
	{ "app:99", "", UNSET, UNSET, false, "1000:99 7,10,50,99 /home/app" },
	{ "1000", "", UNSET, UNSET, false, "1000:2000 7,10,50,2000 /home/app" },
	{ "1000:staff", "", UNSET, UNSET, true, "1000:50 7,50 /home/app" },
	{ "555", "", UNSET, UNSET, false, "555:0 0,7 " },
	{ "app", "", 0, UNSET, false, "0:0 0,7,10 /root" },
	{ "app:staff", "", 1000, UNSET, false,
	    "1000:2000 7,10,50,2000 /home/app" },
	{ "", "", 1000, 3000, false, "1000:3000 7,10,50,3000 /home/app" },
	{ "", "", 1000, 3000, true, "1000:3000 7,3000 /home/app" },
	{ "", "", 777, 3000, false, "777:3000 7,3000 " },
	{ "root", "app", UNSET, UNSET, false,
	    "1000:2000 7,10,50,2000 /home/app" },
	{ "", "app", UNSET, 5, true, "1000:5 5,7 /home/app" },
	{ "nl", "", UNSET, UNSET, true, "1001:2001 7,2001 " },
	{ "2147483648", "", UNSET, UNSET, true, "2147483648:0 0,7 " },
	{ "4294967294", "", UNSET, UNSET, true, "4294967294:0 0,7 " },
	{ "", "", 4294967294, UNSET, true, "4294967294:0 0,7 " },
	/* Row 34: neither a number nor ever a name. */
	{ "4294967295", "", UNSET, UNSET, false, NULL },
	{ "4294967296", "", UNSET, UNSET, false, NULL },
	{ "-1", "", UNSET, UNSET, false, NULL },
	{ "0x0", "", UNSET, UNSET, false, NULL },
	{ "+0", "", UNSET, UNSET, false, NULL },
	{ " 0", "", UNSET, UNSET, false, NULL },
	{ "00", "", UNSET, UNSET, false, NULL },
	{ "1:2:3", "", UNSET, UNSET, false, NULL },
	{ "app:", "", UNSET, UNSET, false, NULL },
	{ ":5", "", UNSET, UNSET, false, NULL },
	{ "app:4294967296", "", UNSET, UNSET, false, NULL },
	{ "app:nogroup", "", UNSET, UNSET, false, NULL },
	{ "nobody", "", UNSET, UNSET, false, NULL },
	{ "wrap", "", UNSET, UNSET, false, NULL },
	{ "", "4294967296", UNSET, UNSET, false, NULL },
	{ "", "app\n", UNSET, UNSET, false, NULL },
	{ "", "app", 5, UNSET, false, NULL },
	{ "", "", UNSET, 5, false, NULL },
	{ "", "", -1, UNSET, false, NULL },
	{ "", "", 4294967295, UNSET, false, NULL },
	{ "", "", 4294967296, UNSET, false, NULL },
	{ "", "", 0, 4294967296, false, NULL },
};

static struct user_in
in_of(const struct row *r)
{
	static const int64_t seven[] = { 7 };

	return (struct user_in){
		.has_uid = r->uid != UNSET,
		.has_gid = r->gid != UNSET,
		.uid = r->uid,
		.gid = r->gid,
		.username = r->username,
		.image = r->image,
		.groups = seven,
		.ngroups = 1,
		.strict = r->strict,
		.passwd = { passwd, sizeof(passwd) - 1 },
		.group = { group, sizeof(group) - 1 },
	};
}

static void
t_matrix(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		struct user_in in = in_of(&rows[i]);
		struct user u;
		struct cerr err;
		char got[256];
		int n;

		if (user_resolve(&in, &u, &err) == -1) {
			if (rows[i].want != NULL)
				fail_msg("row %zu: %s", i, err.text);
			assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
			continue;
		}
		n = snprintf(got, sizeof(got), "%u:%u ", u.uid, u.gid);
		for (size_t k = 0; k < u.ngroups; k++)
			n += snprintf(got + n, sizeof(got) - (size_t)n, "%s%u",
			    k > 0 ? "," : "", u.groups[k]);
		(void)snprintf(got + n, sizeof(got) - (size_t)n, " %s", u.home);
		if (rows[i].want == NULL || strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu: got \"%s\"", i, got);
		user_clear(&u);
	}
}

/* Row 53: too much of anything is refused, quickly. */
static void
t_bounds(void **state)
{
	static char big[USER_FILE_MAX + 1];
	struct row r = { "app", "", UNSET, UNSET, false, NULL };
	struct user_in in = in_of(&r);
	struct user u;
	struct cerr err;
	size_t n = 0;

	(void)state;
	in.group.buf = big;
	in.group.len = sizeof(big);
	assert_int_equal(user_resolve(&in, &u, &err), -1);
	for (int i = 0; n + 32 < USER_FILE_MAX; i++)
		n += (size_t)snprintf(big + n, 32, "g:x:%d:app\n", i);
	in.group.len = n;
	assert_int_equal(user_resolve(&in, &u, &err), -1);
	assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_matrix),
		cmocka_unit_test(t_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
