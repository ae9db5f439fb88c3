/* Removal of trees, and the paths that the launcher takes. */
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

#include "execd/launch.h"

#define DEPTH 3000 /* more than PATH_MAX can name */

struct place {
	char path[40];
	int fd;
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->path, "/tmp/t_launch_tree.XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;
	int result = rmdir(p->path); /* only if all is gone */

	(void)close(p->fd);
	free(p);
	return result;
}

static void
put(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT, 0600);

	assert_int_not_equal(fd, -1);
	(void)close(fd);
}

static void
test_deep(void **state)
{
	struct place *p = *state;
	int fd = dup(p->fd), next;

	for (int i = 0; i < DEPTH; i++) {
		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		put(fd, "f");
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	assert_int_equal(launch_tree_remove(p->fd, "d"), 0);
	assert_int_equal(launch_tree_remove(p->fd, "f"), 0);
	assert_int_equal(launch_tree_remove(p->fd, "d"), 0);
}

/* Links are removed, not followed. */
static void
test_links(void **state)
{
	struct place *p = *state;
	int keep;

	assert_int_equal(mkdirat(p->fd, "keep", 0700), 0);
	keep = openat(p->fd, "keep", O_RDONLY | O_DIRECTORY);
	put(keep, "file");
	assert_int_equal(mkdirat(p->fd, "d", 0700), 0);
	assert_int_equal(symlinkat("../keep", p->fd, "d/link"), 0);
	assert_int_equal(symlinkat("keep", p->fd, "top"), 0);
	assert_int_equal(launch_tree_remove(p->fd, "d"), 0);
	assert_int_equal(launch_tree_remove(p->fd, "top"), 0);
	assert_int_equal(faccessat(keep, "file", F_OK, 0), 0);
	(void)close(keep);
	assert_int_equal(launch_tree_remove(p->fd, "keep"), 0);
}

static void
test_wide(void **state)
{
	struct place *p = *state;
	char name[32];

	assert_int_equal(mkdirat(p->fd, "w", 0700), 0);
	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "w/%d", i);
		assert_int_equal(mkdirat(p->fd, name, 0), 0);
		(void)snprintf(name, sizeof(name), "w/%d/f", i);
		put(p->fd, name);
	}
	assert_int_equal(mkfifoat(p->fd, "w/fifo", 0600), 0);
	assert_int_equal(launch_tree_remove(p->fd, "w"), 0);
}

static void
test_paths(void **state)
{
	static const char *const bad[] = { "", "/", "a", "a/b", "/a/", "//",
		"/a//b", "/.", "/..", "/a/.", "/a/..", "/a/./b", "/a/../b" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(launch_path_clean(bad[i]));
	assert_true(launch_path_clean("/a"));
	assert_true(launch_path_clean("/a/..b/...c"));
}

/* Neither links nor ".." lead out. */
static void
test_beneath(void **state)
{
	struct place *p = *state;

	assert_int_equal(mkdirat(p->fd, "d", 0700), 0);
	assert_int_equal(symlinkat("/etc", p->fd, "d/abs"), 0);
	assert_int_equal(symlinkat(".", p->fd, "d/self"), 0);
	assert_int_equal(launch_open_beneath(p->fd, "d/abs", O_PATH), -1);
	assert_int_equal(launch_open_beneath(p->fd, "d/self", O_PATH), -1);
	assert_int_equal(launch_open_beneath(p->fd, "d/../..", O_PATH), -1);
	assert_int_equal(launch_open_beneath(p->fd, "/etc", O_PATH), -1);
	assert_int_equal(launch_make_dir(p->fd, "d/self", 0700), -1);
	assert_int_equal(launch_tree_remove(p->fd, "d"), 0);
}

static void
test_text(void **state)
{
	char text[] = "a\tb\033[1m\nend\r\n\n";

	(void)state;
	launch_clean_text(text);
	assert_string_equal(text, "a b [1m end");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_deep),
		T(test_links),
		T(test_wide),
		T(test_paths),
		T(test_beneath),
		T(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
