#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "parent/conf.h"
#include "parent/listeners.h"

static char top[64];

static const char *
below(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static int
setup(void **state)
{
	(void)state;
	(void)strcpy(top, "/tmp/t_listen.XXXXXX");
	return mkdtemp(top) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = { "a.sock", "b.sock", "ctl.sock" };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		(void)unlink(below(names[i]));
	return rmdir(top);
}

/* Listens on the named sockets, as who runs the test. */
static struct conf *
conf_on(const char *a, const char *b)
{
	struct conf *c = conf_new();
	struct cerr err;
	char uid[16], gid[16];

	(void)snprintf(uid, sizeof(uid), "%u", geteuid());
	(void)snprintf(gid, sizeof(gid), "%u", getegid());
	assert_int_equal(conf_add_listen(c, below(a), uid, gid, "0660", &err),
	    0);
	if (b != NULL)
		assert_int_equal(conf_add_listen(c, below(b), uid, gid, "0600",
				     &err),
		    0);
	assert_int_equal(conf_set_text(c, CONF_CONTROL, below("ctl.sock"),
			     &err),
	    0);
	return c;
}

static int
dial(const char *name, int type)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), result;

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%.32s/%.32s", top,
	    name);
	result = connect(fd, (const struct sockaddr *)&sun, sizeof(sun));
	(void)close(fd);
	return result;
}

static void
test_open(void **state)
{
	struct conf *c = conf_on("a.sock", NULL);
	struct listeners set;
	struct listener *l;
	struct cerr err;
	struct stat st;

	(void)state;
	assert_int_equal(listeners_open(&set, c, NULL, &err), 0);
	assert_int_equal(stat(below("a.sock"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(stat(below("ctl.sock"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(dial("a.sock", SOCK_STREAM), 0);
	assert_int_equal(dial("ctl.sock", SOCK_SEQPACKET), 0);
	TAILQ_FOREACH(l, &set, entry) {
		if (l->kind != LISTENER_STREAM)
			continue;
		assert_string_equal(l->name, "127.0.0.1:0");
		assert_string_not_equal(l->actual, l->name);
	}
	listeners_close(&set, NULL);
	assert_int_equal(access(below("a.sock"), F_OK), -1);
	conf_free(c);
}

static void
test_in_use_and_stale(void **state)
{
	struct conf *c = conf_on("a.sock", NULL);
	struct listeners set, other;
	struct listener *l;
	struct cerr err;

	(void)state;
	assert_int_equal(listeners_open(&set, c, NULL, &err), 0);
	assert_int_equal(listeners_open(&other, c, NULL, &err), -1);
	assert_int_equal(err.code, CERR_ALREADY_EXISTS);
	assert_int_equal(dial("a.sock", SOCK_STREAM), 0);
	/* Whoever held it dies: the path stays, and nobody answers. */
	TAILQ_FOREACH(l, &set, entry)
		l->is_path = false;
	listeners_close(&set, NULL);
	assert_int_equal(access(below("a.sock"), F_OK), 0);
	assert_int_equal(listeners_open(&set, c, NULL, &err), 0);
	listeners_close(&set, NULL);
	conf_free(c);
}

static void
test_not_a_socket(void **state)
{
	struct conf *c = conf_on("a.sock", NULL);
	struct listeners set;
	struct cerr err;
	int fd = open(below("a.sock"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(listeners_open(&set, c, NULL, &err), -1);
	assert_non_null(strstr(err.text, "is not a socket"));
	assert_int_equal(access(below("a.sock"), F_OK), 0);
	(void)close(fd);
	conf_free(c);
}

static void
test_reload(void **state)
{
	struct conf *c1 = conf_on("a.sock", NULL);
	struct conf *c2 = conf_on("a.sock", "b.sock");
	struct conf *c3 = conf_on("b.sock", NULL);
	struct listeners one, two, three;
	struct cerr err;

	(void)state;
	assert_int_equal(listeners_open(&one, c1, NULL, &err), 0);
	assert_int_equal(listeners_open(&two, c2, &one, &err), 0);
	assert_true(listeners_differ(&one, &two, LISTENER_CRI));
	assert_false(listeners_differ(&one, &two, LISTENER_STREAM));
	listeners_close(&one, &two);
	assert_int_equal(dial("a.sock", SOCK_STREAM), 0);
	assert_int_equal(listeners_open(&three, c3, &two, &err), 0);
	listeners_close(&two, &three);
	assert_int_equal(access(below("a.sock"), F_OK), -1);
	assert_int_equal(dial("b.sock", SOCK_STREAM), 0);
	listeners_close(&three, NULL);
	conf_free(c1);
	conf_free(c2);
	conf_free(c3);
}

/* A new set that cannot be opened whole leaves the old one as it was. */
static void
test_reload_fails(void **state)
{
	struct conf *c1 = conf_on("a.sock", NULL);
	struct conf *c2 = conf_on("b.sock", "a.sock");
	struct listeners one, two;
	struct cerr err;

	(void)state;
	free(TAILQ_LAST(&c2->listens, conf_listens)->owner);
	TAILQ_LAST(&c2->listens, conf_listens)->owner =
	    strdup("_nobody_has_this_name");
	free(TAILQ_LAST(&c2->listens, conf_listens)->path);
	TAILQ_LAST(&c2->listens, conf_listens)->path = strdup(below("d.sock"));
	assert_int_equal(listeners_open(&one, c1, NULL, &err), 0);
	assert_int_equal(listeners_open(&two, c2, &one, &err), -1);
	assert_int_equal(access(below("b.sock"), F_OK), -1);
	assert_int_equal(dial("a.sock", SOCK_STREAM), 0);
	listeners_close(&one, NULL);
	conf_free(c1);
	conf_free(c2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_use_and_stale, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_not_a_socket, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload_fails, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
