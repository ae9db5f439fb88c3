#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "proto/msg.pb-c.h"
#include "parent/lookaside.h"

#define HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static int
ask(const char *dir, uint32_t source, const char *repository,
    const char *digest, struct cerr *err)
{
	static char http[] = "http://127.0.0.1/", file[256];
	static Criod__TrustSource s[2] = { CRIOD__TRUST_SOURCE__INIT,
		CRIOD__TRUST_SOURCE__INIT };
	Criod__TrustSource *list[] = { &s[0], &s[1] };
	Criod__BootTrust boot = CRIOD__BOOT_TRUST__INIT;
	struct fixed_sig_file f = { .source = source, .number = 1 };

	(void)snprintf(file, sizeof(file), "file://%s", dir);
	s[0].lookaside = http;
	s[1].lookaside = file;
	boot.sources = list;
	boot.n_sources = 2;
	assert_int_equal(FIXED_SET_STR(f.repository, repository), 0);
	assert_int_equal(FIXED_SET_STR(f.digest, digest), 0);
	return lookaside_open(&boot, &f, err);
}

static void
test_open(void **state)
{
	char dir[] = "/tmp/t_lookaside.XXXXXX", path[256];
	struct cerr err;
	FILE *f;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(ask(dir, 1, "a/b", HEX, &err), -1);
	assert_int_equal(err.code, CERR_NOT_FOUND);
	assert_int_equal(ask("/nonexistent", 1, "a/b", HEX, &err), -1);
	assert_int_equal(err.code, CERR_NOT_FOUND);
	(void)snprintf(path, sizeof(path), "%s/b@sha256=" HEX, dir);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/signature-1");
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	fd = ask(dir, 1, "b", HEX, &err);
	assert_int_not_equal(fd, -1);
	fdio_close(&fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(ask(dir, 1, "b", HEX, &err), -1);
	assert_int_equal(err.code, CERR_FAILED_PRECONDITION);
	assert_int_equal(rmdir(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* What a taken-over imaged might ask for. */
static void
test_not_asked(void **state)
{
	static const struct {
		uint32_t source;
		const char *repository, *digest;
	} rows[] = {
		{ 0, "a", HEX },
		{ 2, "a", HEX },
		{ UINT32_MAX, "a", HEX },
		{ 1, "", HEX },
		{ 1, "/a", HEX },
		{ 1, "a/", HEX },
		{ 1, "a//b", HEX },
		{ 1, "..", HEX },
		{ 1, "../a", HEX },
		{ 1, "a/../../b", HEX },
		{ 1, "a/./b", HEX },
		{ 1, "A", HEX },
		{ 1, "a\n", HEX },
		{ 1, "a@b", HEX },
		{ 1, "a", "" },
		{ 1, "a", "aa" },
		{ 1, "a",
		    "../../../../../../../../../../../"
		    "../../../../../../../../../aaaa" },
	};
	struct cerr err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (ask("/tmp", rows[i].source, rows[i].repository,
			rows[i].digest, &err) != -1 ||
		    err.code != CERR_INVALID_ARGUMENT)
			fail_msg("row %zu", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
