/* The archive is read back by GNU tar. */
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

#include "execd/launch_tar.h"

static char dir[] = "/tmp/t_launch_tar.XXXXXX";

/* In the directory; $N is a long name. */
static void
shell(const char *script)
{
	assert_int_equal(system(script), 0);
}

static int
open_at(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	return fd;
}

static void
write_archive(void)
{
	static const char *const top[] = { "dump.log" };
	static struct tarout t;
	int images = open_at("images", O_RDONLY | O_DIRECTORY);
	int upper = open_at("upper", O_RDONLY | O_DIRECTORY);
	struct cerr err;

	memset(&t, 0, sizeof(t));
	t.fd = open_at("a.tar", O_RDWR | O_CREAT | O_TRUNC);
	assert_int_equal(tarout_bytes(&t, "config.dump", "{}", 2, &err), 0);
	assert_int_equal(tarout_files(&t, images, "checkpoint", top, 1, &err),
	    0);
	assert_int_equal(tarout_layer(&t, "rootfs-diff.tar", upper, &err), 0);
	assert_int_equal(tarout_end(&t, &err), 0);
	(void)close(t.fd);
	(void)close(images);
	(void)close(upper);
}

static void
test_archive(void **state)
{
	(void)state;
	shell("mkdir -p images upper/d/e out diff && echo i >images/i.img &&"
	      " echo l >images/dump.log && cd upper && echo x >d/e/f &&"
	      " ln -s ../f d/link && mkfifo p && mkdir -p d/e/$N &&"
	      " echo long >d/e/$N/f && chmod 4711 d/e/f && touch .wh.trap");
	write_archive();
	shell("tar -xf a.tar -C out && tar -xf out/rootfs-diff.tar -C diff &&"
	      " cmp out/checkpoint/i.img images/i.img &&"
	      " cmp out/dump.log images/dump.log &&"
	      " test ! -e out/checkpoint/dump.log");
	shell("cmp diff/d/e/f upper/d/e/f && test -p diff/p &&"
	      " test \"$(readlink diff/d/link)\" = ../f &&"
	      " cmp diff/d/e/$N/f upper/d/e/$N/f &&"
	      " test \"$(stat -c %a diff/d/e/f)\" = 4711 &&"
	      " test ! -e diff/.wh.trap &&"
	      " test \"$(cat out/config.dump)\" = '{}'");
}

/* What is no regular file among the images fails, and is not followed. */
static void
test_links(void **state)
{
	static struct tarout t;
	struct cerr err;
	int images;

	(void)state;
	shell("ln -s /etc/passwd images/link");
	images = open_at("images", O_RDONLY | O_DIRECTORY);
	t.fd = open_at("b.tar", O_RDWR | O_CREAT | O_TRUNC);
	assert_int_equal(tarout_files(&t, images, "checkpoint", NULL, 0, &err),
	    -1);
	(void)close(images);
	(void)close(t.fd);
}

/* A hole of a terabyte is not read. */
static void
test_holes(void **state)
{
	static struct tarout t;
	struct cerr err;
	int upper;

	(void)state;
	shell("truncate -s 1T upper/hole");
	upper = open_at("upper", O_RDONLY | O_DIRECTORY);
	t.fd = open_at("b.tar", O_RDWR | O_CREAT | O_TRUNC);
	assert_int_equal(tarout_layer(&t, "x", upper, &err), -1);
	assert_int_equal(err.code, CERR_RESOURCE_EXHAUSTED);
	(void)close(upper);
	(void)close(t.fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_archive),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_holes),
	};
	char name[251] = "";
	int rc;

	memset(name, 'n', sizeof(name) - 1);
	if (mkdtemp(dir) == NULL || chdir(dir) == -1 ||
	    setenv("D", dir, 1) == -1 || setenv("N", name, 1) == -1)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	return system("rm -rf \"$D\"") == 0 ? rc : 1;
}
