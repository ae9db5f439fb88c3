/* Errors, ids, logs, clocks, records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cerr.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "lib/record.h"

static char dir[] = "/tmp/t_base.XXXXXX";
static int dirfd_;

static void
errors(void **state)
{
	struct cerr err;

	(void)state;
	assert_int_equal(cerr_set(&err, CERR_NOT_FOUND, "no %s", "pod"), -1);
	assert_string_equal(err.text, "no pod");
	errno = ENOSPC;
	assert_int_equal(cerr_errno(&err, "write"), -1);
	assert_int_equal(err.code, CERR_RESOURCE_EXHAUSTED);
	assert_string_equal(err.text, "write: No space left on device");
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(cerr_set(NULL, CERR_NOT_FOUND, "x"), -1);
	(void)cerr_set(&err, CERR_INTERNAL, "%s", "a\nb\x1b[1m\x7f \xc3\xa4");
	assert_string_equal(err.text, "a?b?[1m? \xc3\xa4");
	errno = ENOENT;
	(void)cerr_errno(&err, "%s", "a\tb");
	assert_string_equal(err.text, "a?b: No such file or directory");
	assert_string_equal(cerr_name(CERR_UNAUTHENTICATED), "UNAUTHENTICATED");
	assert_int_equal(cerr_code_from(17), CERR_UNKNOWN);
	assert_int_equal(cerr_code_from(UINT32_MAX), CERR_UNKNOWN);
}

static void
ids(void **state)
{
	char a[ID_SIZE], b[ID_SIZE];

	(void)state;
	id_new(a);
	id_new(b);
	assert_true(id_valid(a) && id_valid(b));
	assert_string_not_equal(a, b);
	assert_true(id_prefix_valid("0a9"));
	assert_false(id_prefix_valid(""));
	assert_false(id_prefix_valid("0A"));
	assert_false(id_prefix_valid("../"));
	assert_false(id_valid("abc"));
	a[5] = 'g';
	assert_false(id_valid(a));
}

/* What a client puts into a line can neither end it nor forge another. */
static void
log_lines_cannot_be_forged(void **state)
{
	static const enum log_format formats[] = { LOG_FMT_TEXT, LOG_FMT_JSON };
	char buf[512];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int pair[2], saved = dup(STDERR_FILENO);
		ssize_t n;

		assert_int_equal(pipe(pair), 0);
		(void)dup2(pair[1], STDERR_FILENO);
		log_configure(LOG_LVL_INFO, formats[i]);
		log_info("pod %s", "a\nb\"\x1b[0m");
		log_debug("not at this level");
		(void)dup2(saved, STDERR_FILENO);
		(void)close(pair[1]);
		n = read(pair[0], buf, sizeof(buf) - 1);
		assert_true(n > 0);
		buf[n] = '\0';
		assert_ptr_equal(strchr(buf, '\n'), buf + n - 1);
		assert_null(strchr(buf, '\x1b'));
		assert_non_null(strstr(buf,
		    i == 0 ? "a\\x0ab\"\\x1b[0m" : "a\\u000ab\\\"\\u001b[0m"));
		(void)close(pair[0]);
		(void)close(saved);
	}
}

static void
clocks(void **state)
{
	(void)state;
	assert_false(mono_passed(mono_none()));
	assert_true(mono_passed(mono_after_ms(-1)));
	assert_false(mono_passed(mono_after_ms(10000)));
	assert_int_equal(mono_left_ms(mono_after_ms(-5)), 0);
	assert_true(mono_left_ms(mono_none()) == INT64_MAX);
	assert_in_range(mono_left_ms(mono_after_ms(1000)), 900, 1000);
	/* A huge time-out is far away, not in the past. */
	assert_false(mono_passed(mono_after_ms(INT64_MAX)));
	assert_int_equal(mono_min(mono_none(), mono_after_ms(5)).ns > 0, 1);
}

static void
records(void **state)
{
	struct cerr err;
	uint8_t *buf;
	size_t len;

	(void)state;
	assert_int_equal(record_write(dirfd_, "r", "me", "hello", 5, true,
			     &err),
	    0);
	assert_int_equal(record_read(dirfd_, "r", "me", &buf, &len, &err), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(buf, "hello", 5);
	free(buf);
	assert_int_equal(record_read(dirfd_, "none", "me", &buf, &len, &err),
	    -1);
	assert_int_equal(err.code, CERR_NOT_FOUND);
}

/* Every single byte changed, and every length cut, is noticed. */
static void
damaged_records(void **state)
{
	uint8_t whole[64], *buf;
	struct cerr err;
	size_t len, n;
	int fd;

	(void)state;
	assert_int_equal(record_write(dirfd_, "r", "me", "hello", 5, false,
			     &err),
	    0);
	fd = openat(dirfd_, "r", O_RDWR);
	n = (size_t)read(fd, whole, sizeof(whole));
	for (size_t i = 0; i < n; i++) {
		uint8_t bad = whole[i] ^ 0x41;

		assert_int_equal(pwrite(fd, &bad, 1, (off_t)i), 1);
		assert_int_equal(record_read(dirfd_, "r", "me", &buf, &len,
				     &err),
		    -1);
		assert_int_equal(pwrite(fd, &whole[i], 1, (off_t)i), 1);
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(ftruncate(fd, (off_t)i), 0);
		assert_int_equal(record_read(dirfd_, "r", "me", &buf, &len,
				     &err),
		    -1);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, whole, n, 0), n);
	}
	(void)close(fd);
}

/* One that stands where another's should is damaged; older ones have no mark.
 */
static void
records_have_owners(void **state)
{
	static const uint8_t none[2];
	struct cerr err;
	uint8_t *buf;
	size_t len;
	int fd;

	(void)state;
	assert_int_equal(record_write(dirfd_, "r", "me", "x", 1, false, &err),
	    0);
	assert_int_equal(record_read(dirfd_, "r", "you", &buf, &len, &err), -1);
	assert_int_equal(err.code, CERR_DATA_LOSS);
	fd = openat(dirfd_, "r", O_RDWR);
	assert_int_equal(pwrite(fd, none, 2, 6), 2);
	(void)close(fd);
	assert_int_equal(record_read(dirfd_, "r", "you", &buf, &len, &err), 0);
	free(buf);
}

static void
newer_record_is_refused(void **state)
{
	uint8_t version = RECORD_VERSION + 1, *buf;
	struct cerr err;
	size_t len;
	int fd;

	(void)state;
	assert_int_equal(record_write(dirfd_, "r", "me", "x", 1, false, &err),
	    0);
	fd = openat(dirfd_, "r", O_RDWR);
	assert_int_equal(pwrite(fd, &version, 1, 5), 1);
	(void)close(fd);
	assert_int_equal(record_read(dirfd_, "r", "me", &buf, &len, &err), -1);
	assert_int_equal(err.code, CERR_FAILED_PRECONDITION);
}

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	return dirfd_ == -1 ? -1 : 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	(void)unlinkat(dirfd_, "r", 0);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),
		cmocka_unit_test(ids),
		cmocka_unit_test(log_lines_cannot_be_forged),
		cmocka_unit_test(clocks),
		cmocka_unit_test(records),
		cmocka_unit_test(damaged_records),
		cmocka_unit_test(records_have_owners),
		cmocka_unit_test(newer_record_is_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
