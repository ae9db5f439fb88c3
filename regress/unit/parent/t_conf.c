#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parent/conf.h"
#include "parent/conf_parse.h"
#include "parent/conf_valid.h"

struct told {
	char lines[4096];
	size_t n;
};

static void
told_line(void *arg, const char *line)
{
	struct told *t = arg;

	strncat(t->lines, line, sizeof(t->lines) - strlen(t->lines) - 2);
	strcat(t->lines, "\n");
	t->n++;
}

static int
parse(struct conf *c, const char *text, struct told *t,
    const char *const *macros)
{
	struct conf_source src = { NULL, told_line, t, macros };

	memset(t, 0, sizeof(*t));
	return conf_parse(c, "t.conf", text, strlen(text), &src);
}

static void
host_with(struct conf_host *h, struct conf_runtime *r, const char *prefix)
{
	memset(h, 0, sizeof(*h));
	TAILQ_INIT(&h->runtimes);
	if (r != NULL)
		TAILQ_INSERT_TAIL(&h->runtimes, r, entry);
	h->cgroup = CONF_CGROUP_SYSTEMD;
	h->cni_plugins = "/opt/cni/bin";
	h->prefix = prefix;
}

static void
test_valid_path(void **state)
{
	static const char *const good[] = { "/", "/a", "/a/b.c", "/..a", "/a..",
		"/.a" };
	static const char *const bad[] = { "", "a", "/a/", "//a", "/a//b",
		"/a/..", "/../a", "/.", "/a/./b" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(conf_valid_path(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(conf_valid_path(bad[i]));
}

static void
test_valid_dir(void **state)
{
	char path[300];

	(void)state;
	assert_non_null(conf_valid_dir("/"));
	assert_non_null(conf_valid_dir("/a:b"));
	assert_non_null(conf_valid_dir("/a,b"));
	assert_non_null(conf_valid_dir("/a b"));
	assert_non_null(conf_valid_dir("/a\\b"));
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[256] = '\0';
	assert_non_null(conf_valid_dir(path));
	path[255] = '\0';
	assert_null(conf_valid_dir(path));
	path[108] = '\0';
	assert_non_null(conf_valid_sockpath(path));
	path[107] = '\0';
	assert_null(conf_valid_sockpath(path));
}

static void
test_valid_location(void **state)
{
	static const char *const good[] = { "docker.io", "localhost:5000",
		"127.0.0.1:5000/a/b", "[::1]", "[fe80::1]:65535/x" };
	static const char *const bad[] = { "", "http://x", "x:", "x:0",
		"x:65536", "x:a", "x/", "x//y", "x/../y", "-x", "x y", "[]",
		"[::1", "[x]:1", "x:1:2", "x/y?z", ".x", "[::1]x" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(conf_valid_location(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(conf_valid_location(bad[i]));
}

static void
test_valid_number(void **state)
{
	unsigned int n = 7;

	(void)state;
	assert_int_equal(conf_valid_number("", 10, 0, 9, &n), -1);
	assert_int_equal(conf_valid_number("-1", 10, 0, 9, &n), -1);
	assert_int_equal(conf_valid_number("+1", 10, 0, 9, &n), -1);
	assert_int_equal(conf_valid_number(" 1", 10, 0, 9, &n), -1);
	assert_int_equal(conf_valid_number("10", 10, 0, 9, &n), -1);
	assert_int_equal(conf_valid_number("4294967296", 10, 0, 9, &n), -1);
	assert_int_equal(conf_valid_number("08", 8, 0, 9, &n), -1);
	assert_int_equal(n, 7);
	assert_int_equal(conf_valid_number("0660", 8, 0, 0777, &n), 0);
	assert_int_equal(n, 0660);
}

static void
test_defaults(void **state)
{
	struct conf *c = conf_new();
	struct conf_runtime r = { .name = (char[]){ "crun" },
		.path = (char[]){ "/usr/bin/crun" } };
	struct conf_host h;
	struct cerr err;

	(void)state;
	host_with(&h, &r, NULL);
	assert_int_equal(conf_fill(c, &h, &err), 0);
	assert_string_equal(TAILQ_FIRST(&c->listens)->path,
	    "/run/criod/criod.sock");
	assert_int_equal(TAILQ_FIRST(&c->listens)->mode, 0600);
	assert_string_equal(c->text[CONF_CONTROL], "/run/criod/control.sock");
	assert_string_equal(c->text[CONF_CNI_PLUGINS], "/opt/cni/bin");
	assert_int_equal(c->cgroup, CONF_CGROUP_SYSTEMD);
	assert_string_equal(conf_default_runtime(c)->name, "crun");
	assert_null(c->text[CONF_CNI_NETWORK]);
	conf_free(c);
}

static void
test_prefix(void **state)
{
	struct conf *c = conf_new();
	struct told t;
	struct conf_host h;
	struct cerr err;

	(void)state;
	assert_int_equal(parse(c, "runtime a path /b\nimage directory /srv/i\n",
			     &t, NULL),
	    0);
	host_with(&h, NULL, "/tmp/x");
	assert_int_equal(conf_fill(c, &h, &err), 0);
	assert_string_equal(c->text[CONF_STATE], "/tmp/x/run");
	assert_string_equal(c->text[CONF_IMAGE], "/srv/i");
	assert_string_equal(c->text[CONF_CONTAINER], "/tmp/x/lib/container");
	assert_string_equal(TAILQ_FIRST(&c->listens)->path,
	    "/tmp/x/criod.sock");
	assert_string_equal(c->text[CONF_CONTROL], "/tmp/x/control.sock");
	conf_free(c);
}

static void
test_no_runtime(void **state)
{
	struct conf *c = conf_new();
	struct conf_host h;
	struct cerr err;

	(void)state;
	host_with(&h, NULL, NULL);
	assert_int_equal(conf_fill(c, &h, &err), -1);
	assert_non_null(strstr(err.text, "no OCI runtime"));
	conf_free(c);
}

static void
test_macros(void **state)
{
	static const char *const given[] = { "x=/given", "y=a b", NULL };
	static const char *const broken[] = { "x", NULL };
	struct conf *c = conf_new();
	struct told t;

	(void)state;
	assert_int_equal(parse(c, "x = /file\nz = $x\nstate directory $z\n", &t,
			     given),
	    0);
	assert_string_equal(c->text[CONF_STATE], "/given");
	/* Within quotes a macro is text. */
	assert_int_equal(parse(c, "log to \"$x\"\n", &t, given), -1);
	assert_non_null(strstr(t.lines, "near \"$x\""));
	assert_int_equal(parse(c, "", &t, broken), -1);
	assert_int_equal(t.n, 1);
	conf_free(c);
}

static void
test_errors_all(void **state)
{
	struct conf *c = conf_new();
	struct told t;

	(void)state;
	assert_int_equal(parse(c,
			     "a\ndownloads 99\nlog level info\nlisten on\n"
			     "registry x.io { bad }\nmode\nx = \"",
			     &t, NULL),
	    -1);
	assert_string_equal(t.lines,
	    "t.conf:1: syntax error near end of line\n"
	    "t.conf:2: downloads is not a number from 1 to 32 near \"99\"\n"
	    "t.conf:4: syntax error near end of line\n"
	    "t.conf:5: syntax error near \"bad\"\n"
	    "t.conf:6: syntax error near \"mode\"\n"
	    "t.conf:7: quotes not closed near \"\"\n");
	conf_free(c);
}

static void
test_limits(void **state)
{
	struct conf *c = conf_new();
	struct cerr err;
	struct conf_registry *r;
	char text[64];

	(void)state;
	for (int i = 0; i <= CONF_LISTENS_MAX; i++) {
		(void)snprintf(text, sizeof(text), "/l%d", i);
		assert_int_equal(conf_add_listen(c, text, NULL, NULL, NULL,
				     &err),
		    i < CONF_LISTENS_MAX ? 0 : -1);
	}
	for (int i = 0; i <= CONF_RUNTIMES_MAX; i++) {
		(void)snprintf(text, sizeof(text), "r%d", i);
		assert_int_equal(conf_add_runtime(c, text, "/r", false, &err) !=
				     NULL,
		    i < CONF_RUNTIMES_MAX);
	}
	for (int i = 0; i <= CONF_WORDS_MAX; i++) {
		(void)snprintf(text, sizeof(text), "x.io/i%d", i);
		assert_int_equal(conf_add_word(c, CONF_PINNED, text, &err),
		    i < CONF_WORDS_MAX ? 0 : -1);
	}
	r = conf_add_registry(c, "x.io", &err);
	for (int i = 0; i <= CONF_MIRRORS_MAX; i++) {
		(void)snprintf(text, sizeof(text), "m%d.io", i);
		assert_int_equal(conf_registry_mirror(r, text, false,
				     CONF_WHEN_ALWAYS, &err),
		    i < CONF_MIRRORS_MAX ? 0 : -1);
	}
	conf_free(c);
}

static void
test_long_words(void **state)
{
	struct conf *c = conf_new();
	struct told t;
	char *text = malloc(3 * CONF_WORD_MAX);

	(void)state;
	memset(text, 'a', 3 * CONF_WORD_MAX);
	text[3 * CONF_WORD_MAX - 1] = '\0';
	assert_int_equal(parse(c, text, &t, NULL), -1);
	assert_int_equal(t.n, 1);
	text[0] = '"';
	assert_int_equal(parse(c, text, &t, NULL), -1);
	assert_int_equal(t.n, 1);
	text[0] = '$';
	assert_int_equal(parse(c, text, &t, NULL), -1);
	assert_int_equal(t.n, 1);
	free(text);
	conf_free(c);
}

/* A file that includes another twice, which includes another twice... */
static int
bomb_read(const char *path, char **buf, size_t *len, struct cerr *err)
{
	(void)path;
	(void)err;
	*buf = strdup("include \"a\"\ninclude \"b\"\n");
	*len = strlen(*buf);
	return 0;
}

static void
test_include_bomb(void **state)
{
	static const char text[] = "include \"a\"\ninclude \"b\"\n";
	struct told t = { 0 };
	struct conf_source src = { bomb_read, told_line, &t, NULL };
	struct conf *c = conf_new();

	(void)state;
	assert_int_equal(conf_parse(c, "t", text, sizeof(text) - 1, &src), -1);
	assert_true(t.n < 2 * CONF_FILES_MAX);
	assert_non_null(strstr(t.lines, "nested too deeply"));
	conf_free(c);
}

static void
test_quotes_print(void **state)
{
	struct conf *c = conf_new();
	struct told t;
	char *out = NULL;
	size_t size;
	FILE *f;

	(void)state;
	assert_int_equal(parse(c, "log to \"/a \\\"b\\\\c\"\n", &t, NULL), 0);
	assert_string_equal(c->log_file, "/a \"b\\c");
	f = open_memstream(&out, &size);
	conf_print(f, c);
	(void)fclose(f);
	assert_non_null(strstr(out, "log to \"/a \\\"b\\\\c\"\n"));
	free(out);
	conf_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid_path),
		cmocka_unit_test(test_valid_dir),
		cmocka_unit_test(test_valid_location),
		cmocka_unit_test(test_valid_number),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_no_runtime),
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_errors_all),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_include_bomb),
		cmocka_unit_test(test_quotes_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
