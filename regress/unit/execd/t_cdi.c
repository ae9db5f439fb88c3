#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "execd/cdi.h"
#include "execd/cdi_list.h"
#include "lib/fdio.h"
#include "lib/json.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define CARD                                                                   \
	"{\"cdiVersion\":\"0.6.0\",\"kind\":\"a.com/b\","                      \
	"\"containerEdits\":{\"env\":[\"ALL=1\"]},\"devices\":["               \
	"{\"name\":\"x\",\"containerEdits\":{\"deviceNodes\":["                \
	"{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1,\"minor\":5}]}},"     \
	"{\"name\":\"y\",\"containerEdits\":{\"mounts\":[{\"hostPath\":"       \
	"\"/l\",\"containerPath\":\"/usr/l\"}],\"hooks\":[{\"hookName\":"      \
	"\"poststop\",\"path\":\"/h\"}]}}]}"

/* As the launcher writes it; path in a directory of its own. */
static char *
list_of(const char *path, const char *text, size_t *len)
{
	char *out = NULL;

	*len = (size_t)asprintf(&out, "%zu %s\n%s\n! /d/z.yaml: YAML\n",
	    strlen(text), path, text);
	assert_true(*len < 65536);
	return out;
}

static void
want(struct cdi *c, const char *name)
{
	*c = (struct cdi){ .wanted = json_pack("[s]", name) };
	assert_non_null(c->wanted);
}

static void
t_names(void **state)
{
	static const char *const good[] = { "a/b=c", "vendor.com/gpu=0",
		"v-1.x/c_2=GPU-1:2.3" };
	static const char *const bad[] = { "", "a", "a/b", "a/b=", "/b=c",
		"a/=c", "1a/b=c", "a/1b=c", "a/b=c=d", "a/b=-c", "a/b=c/",
		"a b/c=d", "a./b=c" };
	size_t sep;

	(void)state;
	for (size_t i = 0; i < N(good); i++)
		assert_true(cdi_name_valid(good[i], &sep));
	assert_int_equal(sep, 9);
	for (size_t i = 0; i < N(bad); i++) {
		if (cdi_name_valid(bad[i], NULL))
			fail_msg("%s", bad[i]);
	}
}

static json_t *
applied(struct cdi *c, bool hooks, bool userns, struct cerr *err)
{
	struct user user = { .uid = 7 };
	struct cdi_how how = { &user, hooks, userns };
	json_t *spec = json_loads(
	    "{\"process\":{\"env\":[\"ALL=0\",\"ALLX=2\"]},\"mounts\":["
	    "{\"destination\":\"/usr\"},{\"destination\":\"/usr/l\"},"
	    "{\"destination\":\"/a/b/c\"}]}",
	    0, NULL);

	assert_non_null(spec);
	if (cdi_apply(c, &how, spec, err) == 0)
		return spec;
	json_decref(spec);
	return NULL;
}

static char *
dump(const json_t *spec)
{
	return json_dumps(spec, JSON_COMPACT | JSON_SORT_KEYS);
}

static void
t_apply(void **state)
{
	size_t len;
	char *text = list_of("/d/a.json", CARD, &len), *out;
	struct cerr err;
	struct cdi c;
	json_t *spec;

	(void)state;
	want(&c, "a.com/b=x");
	assert_int_equal(cdi_find(&c, text, len, &err), 0);
	assert_int_equal(c.nnodes, 1);
	assert_true(c.nodes[0].known);
	spec = applied(&c, false, false, &err);
	out = dump(spec);
	assert_non_null(strstr(out, "\"env\":[\"ALLX=2\",\"ALL=1\"]"));
	assert_non_null(strstr(out,
	    "\"devices\":[{\"fileMode\":438,\"gid\":0,\"major\":1,\"minor\":5,"
	    "\"path\":\"/dev/x\",\"type\":\"c\",\"uid\":7}]"));
	assert_non_null(strstr(out,
	    "{\"access\":\"rwm\",\"allow\":true,\"major\":1,\"minor\":5,"
	    "\"type\":\"c\"}"));
	free(out);
	json_decref(spec);
	spec = applied(&c, false, true, &err);
	out = dump(spec);
	assert_null(strstr(out, "fileMode"));
	assert_non_null(strstr(out, "\"destination\":\"/dev/x\""));
	free(out);
	json_decref(spec);
	cdi_clear(&c);
	free(text);
}

/* A mount takes the place of another, behind its parents. */
static void
t_mounts(void **state)
{
	size_t len;
	char *text = list_of("/d/a.json", CARD, &len), *out;
	struct cerr err;
	struct cdi c;
	json_t *spec;

	(void)state;
	want(&c, "a.com/b=y");
	assert_int_equal(cdi_find(&c, text, len, &err), 0);
	assert_null(applied(&c, false, false, &err));
	assert_int_equal(err.code, CERR_FAILED_PRECONDITION);
	spec = applied(&c, true, false, &err);
	out = dump(spec);
	assert_non_null(strstr(out,
	    "\"mounts\":[{\"destination\":\"/usr\"},{\"destination\":"
	    "\"/usr/l\",\"options\":[\"rbind\"],\"source\":\"/l\",\"type\":"
	    "\"bind\"},{\"destination\":\"/a/b/c\"}]"));
	assert_non_null(
	    strstr(out, "\"hooks\":{\"poststop\":[{\"path\":\"/h\"}]}"));
	free(out);
	json_decref(spec);
	cdi_clear(&c);
	free(text);
}

static void
t_find_bad(void **state)
{
	static const char *const docs[] = { "[]", "{}", "{\"cdiVersion\":1}",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"a.com/b\","
		"\"devices\":[{\"name\":\"x\",\"containerEdits\":[]}]}",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"a.com/b\","
		"\"devices\":[{\"name\":\"x\",\"containerEdits\":"
		"{\"env\":\"A=b\"}}]}",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"a.com/b\","
		"\"devices\":[{\"name\":\"x\",\"containerEdits\":"
		"{\"intelRdt\":[]}}]}" };
	struct cerr err;
	struct cdi c;

	(void)state;
	for (size_t i = 0; i < N(docs); i++) {
		size_t len;
		char *text = list_of("/d/a.json", docs[i], &len);

		want(&c, "a.com/b=x");
		assert_int_equal(cdi_find(&c, text, len, &err), -1);
		assert_int_equal(err.code, CERR_FAILED_PRECONDITION);
		assert_non_null(strstr(err.text, "a.json"));
		assert_non_null(strstr(err.text, "z.yaml"));
		cdi_clear(&c);
		free(text);
	}
}

/* What does not have the launcher's form. */
static void
t_list_bad(void **state)
{
	static const char *const texts[] = { "1", "9 /d/a.json\n{}\n",
		"x /d/a\n", "2 a\n{}\n", "-1 /d/a.json\n{}\n", "\n", "!\n" };
	struct cerr err;
	struct cdi c;

	(void)state;
	for (size_t i = 0; i < N(texts); i++) {
		want(&c, "a.com/b=x");
		if (cdi_find(&c, texts[i], strlen(texts[i]), &err) == 0 ||
		    err.code != CERR_INTERNAL)
			fail_msg("%s", texts[i]);
		cdi_clear(&c);
	}
}

static void
put(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_not_equal(fputs(text, f), EOF);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void
t_list(void **state)
{
	char dir[] = "/tmp/cdi.XXXXXX", want_text[512], command[64];
	const char *dirs[] = { "/nowhere", dir };
	struct cerr err;
	uint8_t *text;
	size_t len;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	put(dir, "a.json", "{}", 0644);
	put(dir, "b.json", "{}", 0666);
	put(dir, "c.txt", "{}", 0644);
	put(dir, "d.yaml", "a: b", 0644);
	fd = cdi_list_make(dirs, 2, &err);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fdio_memfd_read(fd, CDI_LIST_MAX, &text, &len), 0);
	(void)snprintf(want_text, sizeof(want_text),
	    "2 %s/a.json\n{}\n! %s/b.json: others than root may write it\n"
	    "4 %s/d.yaml\na: b\n",
	    dir, dir, dir);
	assert_string_equal((char *)text, want_text);
	free(text);
	fdio_close(&fd);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_names),
		cmocka_unit_test(t_apply),
		cmocka_unit_test(t_mounts),
		cmocka_unit_test(t_find_bad),
		cmocka_unit_test(t_list_bad),
		cmocka_unit_test(t_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
