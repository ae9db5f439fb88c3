#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "execd/launch_cgimg.h"

#define SET_LEN 16 /* of a path of four bytes */

static void
test_image(void **state)
{
	static uint8_t buf[CGIMG_MAX];
	/* set { id: 1 ctls { name: "" path: "/a/b" cgns_prefix: 4 } } */
	static const uint8_t first[] = { 0x0a, 14, 0x08, 1, 0x12, 10, 0x0a, 0,
		0x12, 4, '/', 'a', '/', 'b', 0x18, 4 };
	/* controllers { cnames: "" } */
	static const uint8_t last[] = { 0x12, 2, 0x0a, 0 };
	static const uint8_t magic[] = { 0x19, 0x43, 0x56, 0x54, 0x30, 0x33,
		0x38, 0x59 };
	size_t len = cgimg_make("/a/b", buf);

	(void)state;
	assert_int_equal(len, 12 + 32 * SET_LEN + sizeof(last));
	assert_memory_equal(buf, magic, sizeof(magic));
	assert_int_equal(buf[8] | buf[9] << 8, len - 12);
	assert_memory_equal(buf + 12, first, sizeof(first));
	assert_int_equal(buf[12 + 31 * SET_LEN + 3], 32);
	assert_memory_equal(buf + len - sizeof(last), last, sizeof(last));
}

static void
test_long(void **state)
{
	static uint8_t buf[CGIMG_MAX];
	char path[1026];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[1024] = '\0';
	assert_in_range(cgimg_make(path, buf), 32 * 1024, CGIMG_MAX);
	path[1024] = 'x';
	path[1025] = '\0';
	assert_int_equal(cgimg_make(path, buf), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
