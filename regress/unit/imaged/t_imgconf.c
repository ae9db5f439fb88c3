#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "imaged/imgconf.h"
#include "lib/json.h"

/* security.md row 34: a number or a name, never first one then the other. */
static void
t_users(void **state)
{
	static const struct {
		const char *user;
		enum imgconf_user kind;
		uint32_t uid;
		const char *name;
	} rows[] = {
		{ "", IMGCONF_USER_NONE, 0, "" },
		{ "0", IMGCONF_USER_UID, 0, "" },
		{ "1000:1000", IMGCONF_USER_UID, 1000, "" },
		{ "1000:users", IMGCONF_USER_UID, 1000, "" },
		{ "2147483648", IMGCONF_USER_UID, 2147483648U, "" },
		{ "4294967294", IMGCONF_USER_UID, 4294967294U, "" },
		{ "4294967295", IMGCONF_USER_BAD, 0, "" },
		{ "4294967296", IMGCONF_USER_BAD, 0, "" },
		{ "99999999999999999999", IMGCONF_USER_BAD, 0, "" },
		{ "-1", IMGCONF_USER_BAD, 0, "" },
		{ "+0", IMGCONF_USER_BAD, 0, "" },
		{ "0x0", IMGCONF_USER_BAD, 0, "" },
		{ "00", IMGCONF_USER_BAD, 0, "" },
		{ " 0", IMGCONF_USER_BAD, 0, "" },
		{ "0 ", IMGCONF_USER_BAD, 0, "" },
		{ "1:2:3", IMGCONF_USER_BAD, 0, "" },
		{ ":0", IMGCONF_USER_BAD, 0, "" },
		{ "www-data", IMGCONF_USER_NAME, 0, "www-data" },
		{ "app:0", IMGCONF_USER_NAME, 0, "app" },
		{ "a b", IMGCONF_USER_BAD, 0, "" },
		{ "a\n", IMGCONF_USER_BAD, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t uid = 0;
		char name[256] = "";

		assert_int_equal(imgconf_user_parse(rows[i].user, &uid, name,
				     sizeof(name)),
		    rows[i].kind);
		assert_int_equal(uid, rows[i].uid);
		assert_string_equal(name, rows[i].name);
	}
}

static struct imgconf *
t_read(const char *text, struct cerr *err)
{
	return imgconf_parse((const uint8_t *)text, strlen(text), err);
}

static void
t_whole(void **state)
{
	struct cerr err;
	struct imgconf *c = t_read(
	    "{\"config\":{\"User\":\"7\",\"Env\":[\"A=1\",\"B=2\"],"
	    "\"Entrypoint\":null,\"Cmd\":[\"sh\"],\"WorkingDir\":\"/w\","
	    "\"StopSignal\":\"SIGINT\",\"Volumes\":{\"/b\":{},\"/a\":{}}}}",
	    &err);

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->user, "7");
	assert_int_equal(c->env.n, 2);
	assert_string_equal(c->env.items[1], "B=2");
	assert_int_equal(c->entrypoint.n, 0);
	assert_int_equal(c->cmd.n, 1);
	assert_string_equal(c->working_dir, "/w");
	assert_string_equal(c->stop_signal, "SIGINT");
	assert_int_equal(c->volumes.n, 2);
	imgconf_free(c);
}

static void
t_empty(void **state)
{
	struct cerr err;
	struct imgconf *c = t_read("{}", &err);

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->user, "");
	assert_int_equal(c->env.n, 0);
	imgconf_free(c);
}

static void
t_bad(void **state)
{
	static const char *const texts[] = { "", "[]", "{\"config\":1}",
		"{\"config\":{\"User\":1}}", "{\"config\":{\"Env\":[1]}}",
		"{\"config\":{\"Env\":{}}}", "{\"config\":{\"Volumes\":[]}}",
		"{\"config\":{\"User\":\"a\",\"User\":\"b\"}}" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct cerr err = { 0 };

		assert_null(t_read(texts[i], &err));
		assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_users),
		cmocka_unit_test(t_whole),
		cmocka_unit_test(t_empty),
		cmocka_unit_test(t_bad),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
