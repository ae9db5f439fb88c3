#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdio.h"
#include "netd/conf.h"
#include "netd/confdir.h"
#include "netd/embedded.h"

#define GOOD(name)                                                             \
	"{\"cniVersion\":\"1.0.0\",\"name\":\"" name "\",\"type\":\"a\"}"

static void
add(struct confdir *cd, const char *name, const char *text)
{
	confdir_add(cd, name, fdio_memfd_sealed("c", text, strlen(text)));
}

static const char *
chosen(struct confdir *cd)
{
	struct cerr err;
	struct conf *c = confdir_choose(cd, &err);

	return c == NULL ? "" : c->name;
}

static void
test_choose(void **state)
{
	struct cerr err;
	struct confdir *cd = confdir_new("", embedded_make("10.0.0.0/8", &err));
	int pipefd[2];

	(void)state;
	assert_string_equal(chosen(cd), "criod");
	confdir_begin(cd);
	add(cd, "20.conflist", GOOD("b"));
	add(cd, "README", "hello");
	add(cd, ".conf", GOOD("hidden"));
	add(cd, "10.json", GOOD("a"));
	assert_string_equal(chosen(cd), "criod");
	confdir_commit(cd);
	assert_string_equal(chosen(cd), "a");
	confdir_begin(cd);
	add(cd, "10.json", "{");
	add(cd, "20.conflist", GOOD("b"));
	confdir_commit(cd);
	assert_string_equal(chosen(cd), "b");
	confdir_begin(cd);
	add(cd, "10.json", "{");
	assert_int_equal(pipe(pipefd), 0);
	confdir_add(cd, "05.conf", pipefd[0]);
	fdio_close(&pipefd[1]);
	confdir_commit(cd);
	assert_null(confdir_choose(cd, &err));
	assert_int_equal(err.code, CERR_FAILED_PRECONDITION);
	assert_non_null(strstr(err.text, "05.conf: not a regular file"));
	confdir_begin(cd);
	confdir_commit(cd);
	assert_string_equal(chosen(cd), "criod");
	confdir_free(cd);
}

static void
test_default(void **state)
{
	struct cerr err;
	struct confdir *cd =
	    confdir_new("b", embedded_make("10.0.0.0/8", &err));

	(void)state;
	assert_string_equal(chosen(cd), "");
	confdir_begin(cd);
	add(cd, "1.conf", GOOD("a"));
	confdir_commit(cd);
	assert_null(confdir_choose(cd, &err));
	assert_non_null(strstr(err.text, "named b"));
	confdir_begin(cd);
	add(cd, "1.conf", GOOD("a"));
	add(cd, "2.conf", GOOD("b"));
	confdir_commit(cd);
	assert_string_equal(chosen(cd), "b");
	confdir_free(cd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
