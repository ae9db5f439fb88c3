#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <sys/xattr.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"

#define ATTR "security.selinux"
#define ONE  "system_u:object_r:container_file_t:s0:c1,c2"
#define TWO  "system_u:object_r:container_file_t:s0:c3,c4"

static char top[] = "/tmp/relabel.XXXXXX";

static void
t_allowed(void **state)
{
	static const struct launch l = { .state = "/run/criod",
		.image = "/var/lib/criod/image",
		.container = "/data/ctr" };
	static const char *const yes[] = { "/var/lib/kubelet/pods/u/volumes/v",
		"/data/vol", "/srv/x", "/home/u", "/etcetera", "/usrlocal",
		"/run/criod2", "/tmp/x" };
	static const char *const no[] = { "/", "/etc", "/etc/hosts",
		"/usr/share/x", "/proc/1", "/dev/shm", "/sys/fs", "/boot",
		"/home", "/var", "/var/lib", "/var/lib/kubelet",
		"/var/lib/kubelet/pods", "/run", "/run/criod",
		"/run/criod/ns/x", "/var/lib/criod", "/data", "/data/ctr",
		"/data/ctr/x/upper", "/tmp", "/root" };

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (!relabel_allowed(&l, yes[i]))
			fail_msg("refused: %s", yes[i]);
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		if (relabel_allowed(&l, no[i]))
			fail_msg("allowed: %s", no[i]);
	}
}

static const char *
at(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void
touch(const char *name)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	(void)close(fd);
}

static bool
has(const char *name, const char *label)
{
	char have[256];
	ssize_t n = lgetxattr(at(name), ATTR, have, sizeof(have) - 1);

	have[n > 0 ? n : 0] = '\0';
	return strcmp(have, label) == 0;
}

static int
relabel(const char *name, const char *label)
{
	int fd = open(at(name), O_PATH | O_CLOEXEC);
	int ret = relabel_tree(fd, label);

	(void)close(fd);
	return ret;
}

/* Everything in it, links themselves and not what they name. */
static void
t_tree(void **state)
{
	static const char *const all[] = { "v", "v/f", "v/d", "v/d/e",
		"v/d/e/f", "v/link", "v/up", "v/fifo", "v/none" };

	(void)state;
	if (setxattr(top, ATTR, "x", 2, 0) == -1) {
		print_message("no such attributes here: skipped\n");
		return;
	}
	assert_int_equal(mkdir(at("v"), 0700), 0);
	assert_int_equal(mkdir(at("v/d"), 0700), 0);
	assert_int_equal(mkdir(at("v/d/e"), 0700), 0);
	touch("outside");
	touch("v/f");
	touch("v/d/e/f");
	assert_int_equal(symlink("../outside", at("v/link")), 0);
	assert_int_equal(symlink("..", at("v/up")), 0);
	assert_int_equal(symlink("nowhere", at("v/none")), 0);
	assert_int_equal(mkfifo(at("v/fifo"), 0600), 0);
	assert_int_equal(relabel("v", ONE), 0);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!has(all[i], ONE))
			fail_msg("not labelled: %s", all[i]);
	}
	assert_true(has("outside", ""));
	assert_true(has("", "x"));
	/* One that has the label was done before. */
	assert_int_equal(lsetxattr(at("v/f"), ATTR, TWO, sizeof(TWO), 0), 0);
	assert_int_equal(relabel("v", ONE), 0);
	assert_true(has("v/f", TWO));
	assert_int_equal(relabel("v", TWO), 0);
	assert_true(has("v/d/e/f", TWO) && has("v/d", TWO));
	/* A single file. */
	assert_int_equal(relabel("v/f", ONE), 0);
	assert_true(has("v/f", ONE) && has("v", TWO));
}

/* Deeper than anyone's volume: an error, and the top is not marked done. */
static void
t_deep(void **state)
{
	int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC), next;

	(void)state;
	if (fsetxattr(fd, ATTR, "x", 2, 0) == -1)
		return;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(mkdirat(fd, "deep", 0700), 0);
		next = openat(fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	assert_int_equal(relabel("deep", ONE), -1);
	assert_int_equal(errno, ELOOP);
	assert_true(has("deep", ""));
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(top) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return launch_tree_remove(AT_FDCWD, top);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_allowed),
		cmocka_unit_test(t_tree),
		cmocka_unit_test(t_deep),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
