#include <sys/stat.h>

#include <fcntl.h>
#include <ftw.h>
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
#include "parent/dirs.h"

/* Numbers that are nobody's: only root can give files to them. */
static struct account_ids ids[ACCOUNT_COUNT] = {
	{ 0, 0 },
	{ 61001, 61001 },
	{ 61002, 61002 },
	{ 61003, 61003 },
	{ 61004, 61004 },
	{ 61005, 61005 },
	{ 61006, 61006 },
	[ACCOUNT_KEEP] = { 61009, 61009 },
};
static char top[64];
static struct conf *conf;

static int
setup(void **state)
{
	static const struct {
		enum conf_text which;
		const char *below;
	} dirs[] = {
		{ CONF_STATE, "run" },
		{ CONF_IMAGE, "lib/image" },
		{ CONF_CONTAINER, "lib/container" },
		{ CONF_NETWORK, "lib/network" },
		{ CONF_RECORD, "lib/record" },
	};
	char path[128];
	struct cerr err;

	(void)state;
	(void)strcpy(top, "/tmp/t_dirs.XXXXXX");
	assert_non_null(mkdtemp(top));
	conf = conf_new();
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", top, dirs[i].below);
		assert_int_equal(conf_set_text(conf, dirs[i].which, path, &err),
		    0);
	}
	(void)umask(077);
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	(void)state;
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	conf_free(conf);
	return 0;
}

static const char *
below(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void
assert_dir(const char *name, uid_t uid, mode_t mode)
{
	struct stat st;

	assert_int_equal(lstat(below(name), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_mode & 07777, mode);
}

static bool
not_root(void)
{
	if (geteuid() == 0)
		return false;
	print_message("not root: skipped\n");
	return true;
}

static void
test_make(void **state)
{
	struct cerr err;

	(void)state;
	if (not_root())
		skip();
	/* Twice: what is there already is as good. */
	assert_int_equal(dirs_make(conf, ids, &err), 0);
	assert_int_equal(dirs_make(conf, ids, &err), 0);
	assert_dir("run", 0, 0711);
	assert_dir("run/front/ctr", 61001, 0700);
	assert_dir("run/bundle", 61005, 0700);
	assert_dir("run/empty", 0, 0555);
	assert_dir("run/ns", 0, 0700);
	assert_dir("lib", 0, 0711);
	assert_dir("lib/image/layer", 61003, 0700);
	assert_dir("lib/container", 0, 0700);
	assert_dir("lib/network", 61004, 0700);
	assert_dir("lib/record/pod", 61009, 0700);
}

static void
test_mode_mended(void **state)
{
	struct cerr err;

	(void)state;
	if (not_root())
		skip();
	assert_int_equal(dirs_make(conf, ids, &err), 0);
	assert_int_equal(chmod(below("lib/image"), 0777), 0);
	assert_int_equal(dirs_make(conf, ids, &err), 0);
	assert_dir("lib/image", 61003, 0700);
}

static void
test_foreign_owner(void **state)
{
	struct cerr err;

	(void)state;
	if (not_root())
		skip();
	assert_int_equal(mkdir(below("run"), 0700), 0);
	assert_int_equal(chown(below("run"), 61009, 61009), 0);
	assert_int_equal(dirs_make(conf, ids, &err), -1);
	assert_non_null(strstr(err.text, "belongs to user 61009"));
}

static void
test_symlink(void **state)
{
	struct cerr err;

	(void)state;
	if (not_root())
		skip();
	assert_int_equal(dirs_make(conf, ids, &err), 0);
	assert_int_equal(rmdir(below("run/bundle")), 0);
	assert_int_equal(symlink("/etc", below("run/bundle")), 0);
	assert_int_equal(dirs_make(conf, ids, &err), -1);
	assert_non_null(strstr(err.text, "symbolic link"));
	assert_int_equal(dirs_open(conf, DIRS_BUNDLE, &err), -1);
}

static void
test_lock(void **state)
{
	struct cerr err;
	int fd;

	(void)state;
	if (not_root())
		skip();
	assert_int_equal(dirs_make(conf, ids, &err), 0);
	fd = dirs_lock(conf, &err);
	assert_true(fd >= 0);
	assert_int_equal(dirs_lock(conf, &err), -1);
	assert_int_equal(err.code, CERR_ALREADY_EXISTS);
	(void)close(fd);
	fd = dirs_lock(conf, &err);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void
test_layer(void **state)
{
	struct cerr err;
	int fd;

	(void)state;
	if (not_root())
		skip();
	assert_int_equal(dirs_make(conf, ids, &err), 0);
	/* What imaged has removed is not made again. */
	assert_int_equal(dirs_open_layer(conf, 7, &err), -1);
	assert_int_equal(err.code, CERR_NOT_FOUND);
	assert_int_equal(mkdir(below("lib/image/layer/7"), 0700), 0);
	assert_int_equal(dirs_open_layer(conf, 7, &err), -1);
	assert_int_equal(err.code, CERR_NOT_FOUND);
	assert_int_equal(mkdir(below("lib/image/layer/7/fs"), 0755), 0);
	fd = dirs_open_layer(conf, 7, &err);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(dirs_open_layer(conf, UINT64_MAX, &err), -1);
}

/* imaged owns the directory, so it may put anything there. */
static void
test_layer_traps(void **state)
{
	struct cerr err;

	(void)state;
	if (not_root())
		skip();
	assert_int_equal(dirs_make(conf, ids, &err), 0);
	assert_int_equal(symlink("/etc", below("lib/image/layer/1")), 0);
	assert_int_equal(mkdir(below("lib/image/layer/2"), 0700), 0);
	assert_int_equal(symlink("/etc", below("lib/image/layer/2/fs")), 0);
	assert_int_equal(mkdir(below("lib/image/layer/3"), 0700), 0);
	assert_int_equal(mknod(below("lib/image/layer/3/fs"), S_IFIFO, 0), 0);
	for (uint64_t n = 1; n <= 3; n++) {
		assert_int_equal(dirs_open_layer(conf, n, &err), -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_make, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mode_mended, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_foreign_owner, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_symlink, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layer_traps, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
