#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "imaged/sources.h"

static void
note(void *arg, const struct sources_section *s)
{
	char *text = arg;
	size_t n = strlen(text);

	(void)snprintf(text + n, 512 - n, "%s %s %d;", s->scope, s->lookaside,
	    (int)s->attachments);
}

static void
test_good(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "# nothing\n\n  # at all\n", "" },
		{ "default-docker:\n  lookaside-staging: file:///x\n", "  0;" },
		{ "docker:\n", "" },
		{ "default-docker:\n  lookaside: https://a/b\n",
		    " https://a/b 0;" },
		{ "docker:\n  r.io/a:\n    sigstore: http://b\n"
		  "    use-sigstore-attachments: true\n"
		  "  r.io:5000:\n    use-sigstore-attachments: false\n",
		    "r.io/a http://b 1;r.io:5000  2;" },
		{ "docker: {r.io: {lookaside: 'file:///x', new: [1]}}\n",
		    "r.io file:///x 0;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512] = "";
		struct cerr err = { 0 };

		if (sources_read(rows[i].text, strlen(rows[i].text), note, text,
			&err) == -1)
			fail_msg("row %zu: %s", i, err.text);
		assert_string_equal(text, rows[i].want);
	}
}

static void
test_bad(void **state)
{
	static const char *const rows[] = {
		"docker: []\n",
		"docker: {r.io: x}\n",
		"docker: {r.io: {lookaside: [x]}}\n",
		"docker: {r.io: {lookaside: ftp://x}}\n",
		"docker: {r.io: {lookaside: /x}}\n",
		"docker: {r.io: {lookaside: \"http://x\\ty\"}}\n",
		"docker: {\"r\\n.io\": {lookaside: http://x}}\n",
		"docker: {r.io: {use-sigstore-attachments: perhaps}}\n",
		"docker: {'': {lookaside: http://x}}\n",
		"docker: {a: {}, a: {}}\n",
		"default-docker: x\n",
		"a\n",
	};
	char text[512] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (sources_read(rows[i], strlen(rows[i]), note, text, NULL) ==
		    0)
			fail_msg("row %zu is taken", i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
