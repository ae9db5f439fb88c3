#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/fdio.h"
#include "netd/cache.h"
#include "netd/conf.h"

#define POD "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int
directory(char path[64])
{
	int fd;

	(void)strcpy(path, "/tmp/t_cni_cache.XXXXXX");
	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	return fd;
}

static struct conf *
conf(void)
{
	static const char text[] = "{\"cniVersion\":\"1.0.0\",\"name\":\"n\","
				   "\"plugins\":[{\"type\":\"a\"}]}";
	struct cerr err;

	return conf_parse("c", text, strlen(text), &err);
}

static void
count(void *arg, const char *pod)
{
	assert_string_equal(pod, POD);
	++*(int *)arg;
}

static void
test_round(void **state)
{
	struct conf *c = conf();
	struct attachment *a = attachment_new(POD, c, "A=B", json_object());
	struct attachment *b;
	char path[64];
	int dir = directory(path), n = 0;
	struct cerr err;

	(void)state;
	assert_int_equal(cache_write(dir, a, false, &err), 0);
	assert_int_equal(cache_sync(dir, POD, &err), 0);
	b = cache_read(dir, POD, &err);
	assert_non_null(b);
	assert_null(b->result);
	assert_false(b->complete);
	assert_int_equal(b->begun, 1);
	attachment_free(b);
	attachment_set_result(a, json_pack("{s:i}", "x", 1));
	a->complete = true;
	assert_int_equal(cache_write(dir, a, true, &err), 0);
	b = cache_read(dir, POD, &err);
	assert_non_null(b);
	assert_true(b->complete && json_equal(a->result, b->result));
	assert_string_equal(b->args, "A=B");
	assert_string_equal(b->conf->name, "n");
	attachment_free(b);
	assert_int_equal(cache_list(dir, count, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(cache_remove(dir, POD, &err), 0);
	assert_int_equal(cache_remove(dir, POD, &err), 0);
	assert_null(cache_read(dir, POD, &err));
	assert_int_equal(err.code, CERR_NOT_FOUND);
	attachment_free(a);
	conf_unref(c);
	fdio_close(&dir);
	assert_int_equal(rmdir(path), 0);
}

static void
test_damaged(void **state)
{
	struct conf *c = conf();
	struct attachment *a = attachment_new(POD, c, "", json_object());
	char path[64];
	int dir = directory(path), fd;
	struct cerr err;

	(void)state;
	for (off_t len = 0; len < 40; len += 13) {
		assert_int_equal(cache_write(dir, a, false, &err), 0);
		fd = openat(dir, POD, O_WRONLY | O_CLOEXEC);
		assert_int_equal(ftruncate(fd, len), 0);
		fdio_close(&fd);
		assert_null(cache_read(dir, POD, &err));
		assert_int_equal(err.code, CERR_DATA_LOSS);
	}
	assert_int_equal(cache_remove(dir, POD, &err), 0);
	attachment_free(a);
	conf_unref(c);
	fdio_close(&dir);
	assert_int_equal(rmdir(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
