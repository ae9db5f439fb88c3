#include <sys/file.h>
#include <sys/stat.h>

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

#include "netd/launch_lease.h"

static char top[] = "/tmp/t_lease.XXXXXX";

/* A file of network, with text in it. */
static void
put(const char *network, const char *name, const char *text)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", top, network);
	(void)mkdir(path, 0755);
	(void)snprintf(path, sizeof(path), "%s/%s/%s", top, network, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static int
there(const char *network, const char *name)
{
	char path[128];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s/%s", top, network, name);
	return lstat(path, &st) == 0;
}

static void
test_empty_ones_go(void **state)
{
	(void)state;
	put("a", "lock", "");
	put("a", "10.88.0.2", "");
	put("a", "10.88.0.3", "id\r\neth0");
	put("a", "fd00::2", "");
	put("a", "last_reserved_ip.0", "");
	put("a", "10.88.0", "");
	launch_lease_sweep(top);
	assert_false(there("a", "10.88.0.2"));
	assert_false(there("a", "fd00::2"));
	assert_true(there("a", "10.88.0.3"));
	assert_true(there("a", "last_reserved_ip.0"));
	assert_true(there("a", "10.88.0"));
	assert_true(there("a", "lock"));
}

/* While its lock is held a plugin may be about to fill it. */
static void
test_locked(void **state)
{
	char path[128];
	int fd;

	(void)state;
	put("b", "lock", "");
	put("b", "10.88.0.2", "");
	put("c", "10.88.0.2", ""); /* not host-local's: no lock */
	(void)snprintf(path, sizeof(path), "%s/b/lock", top);
	fd = open(path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	launch_lease_sweep(top);
	assert_true(there("b", "10.88.0.2"));
	assert_true(there("c", "10.88.0.2"));
	(void)close(fd);
	launch_lease_sweep(top);
	assert_false(there("b", "10.88.0.2"));
}

/* Nothing outside is touched, and nothing need be there. */
static void
test_links(void **state)
{
	char path[128], to[128];

	(void)state;
	put("d", "lock", "");
	(void)snprintf(path, sizeof(path), "%s/d/10.88.0.4", top);
	assert_int_equal(symlink("lock", path), 0);
	put("outside", "lock", "");
	put("outside", "10.88.0.2", "");
	(void)snprintf(path, sizeof(path), "%s/in", top);
	(void)snprintf(to, sizeof(to), "%s/outside", top);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/in/e", top);
	assert_int_equal(symlink(to, path), 0);
	(void)snprintf(path, sizeof(path), "%s/in", top);
	launch_lease_sweep(path);
	assert_true(there("outside", "10.88.0.2"));
	launch_lease_sweep(top);
	assert_true(there("d", "10.88.0.4"));
	launch_lease_sweep("/nowhere");
}

static int
make_top(void **state)
{
	(void)state;
	return mkdtemp(top) == NULL ? -1 : 0;
}

static int
remove_top(void **state)
{
	char command[64];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_ones_go),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_links),
	};

	return cmocka_run_group_tests(tests, make_top, remove_top);
}
