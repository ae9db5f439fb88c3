#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/hooks.h"
#include "execd/regex_cost.h"

/* The strings of protobuf-c are not const. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

#define HOOK(when, stages)                                                     \
	"{\"version\":\"1.0.0\",\"hook\":{\"path\":\"/bin/h\"},\"when\":"      \
	"{" when "},\"stages\":[" stages "]}"

struct world {
	Runtime__V1__PodSandboxConfig pod;
	Runtime__V1__ContainerConfig ctr;
	Runtime__V1__PodSandboxConfig__AnnotationsEntry *pod_list[2], pod_a[2];
	Runtime__V1__ContainerConfig__AnnotationsEntry *ctr_list[2], ctr_a[2];
	Runtime__V1__Mount mount, *mounts[1];
	struct hooks_about about;
	struct hooks *hooks;
	json_t *args;
	struct cerr err;
};

static void
world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	runtime__v1__pod_sandbox_config__init(&w->pod);
	runtime__v1__container_config__init(&w->ctr);
	runtime__v1__mount__init(&w->mount);
	w->mounts[0] = &w->mount;
	for (size_t i = 0; i < 2; i++) {
		runtime__v1__pod_sandbox_config__annotations_entry__init(
		    &w->pod_a[i]);
		runtime__v1__container_config__annotations_entry__init(
		    &w->ctr_a[i]);
		w->pod_list[i] = &w->pod_a[i];
		w->ctr_list[i] = &w->ctr_a[i];
	}
	w->pod.annotations = w->pod_list;
	w->ctr.annotations = w->ctr_list;
	w->ctr.mounts = w->mounts;
	w->about.pod = &w->pod;
	w->about.ctr = &w->ctr;
	w->args = json_pack("[ss]", "/usr/bin/prog", "-x");
	w->about.args = w->args;
	w->hooks = hooks_new();
}

static void
world_free(struct world *w)
{
	hooks_free(w->hooks);
	json_decref(w->args);
}

static void
pod_annotation(struct world *w, char *key, char *value)
{
	w->pod_a[0].key = key;
	w->pod_a[0].value = value;
	w->pod.n_annotations = 1;
}

static void
ctr_annotation(struct world *w, char *key, char *value)
{
	w->ctr_a[0].key = key;
	w->ctr_a[0].value = value;
	w->ctr.n_annotations = 1;
}

static void
add(struct world *w, const char *text)
{
	hooks_add(w->hooks, "x.json", text, strlen(text));
}

/* The number of hooks at stage; fails if hooks_make does. */
static size_t
made(struct world *w, const char *stage)
{
	json_t *out;
	size_t n;

	if (hooks_make(w->hooks, &w->about, &out, &w->err) == -1)
		fail_msg("%s", w->err.text);
	n = json_array_size(json_object_get(out, stage));
	json_decref(out);
	return n;
}

static void
t_none(void **state)
{
	struct world w;
	json_t *out;

	(void)state;
	world_init(&w);
	assert_int_equal(hooks_make(w.hooks, &w.about, &out, &w.err), 0);
	assert_null(out);
	add(&w, HOOK("\"always\":false", "\"prestart\""));
	assert_int_equal(hooks_make(w.hooks, &w.about, &out, &w.err), 0);
	assert_null(out);
	world_free(&w);
}

static void
t_form(void **state)
{
	static const char text[] =
	    "{\"version\":\"1.0.0\",\"hook\":{\"path\":\"/bin/h\","
	    "\"args\":[\"h\",\"-v\"],\"env\":[\"A=b\"],\"timeout\":5},"
	    "\"when\":{\"always\":true},\"stages\":[\"prestart\","
	    "\"poststop\"]}";
	struct world w;
	json_t *out, *want;

	(void)state;
	world_init(&w);
	add(&w, HOOK("\"always\":true", "\"poststop\""));
	add(&w, text);
	assert_int_equal(hooks_make(w.hooks, &w.about, &out, &w.err), 0);
	want = json_pack("{s:[{s:s,s:[ss],s:[s],s:i}],s:[{s:s,s:[s]},"
			 "{s:s,s:[ss],s:[s],s:i}]}",
	    "prestart", "path", "/bin/h", "args", "h", "-v", "env", "A=b",
	    "timeout", 5, "poststop", "path", "/bin/h", "env",
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
	    "/bin",
	    "path", "/bin/h", "args", "h", "-v", "env", "A=b", "timeout", 5);
	assert_non_null(want);
	assert_true(json_equal(out, want));
	json_decref(out);
	json_decref(want);
	world_free(&w);
}

/* Every condition must hold. */
static void
t_when(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} rows[] = {
		{ HOOK("\"always\":true", "\"prestart\""), 1 },
		{ HOOK("\"commands\":[\"^/usr/bin/pr\"]", "\"prestart\""), 1 },
		{ HOOK("\"commands\":[\"no\",\"og$\"]", "\"prestart\""), 1 },
		{ HOOK("\"commands\":[\"^-x\"]", "\"prestart\""), 0 },
		{ HOOK("\"annotations\":{\"^a[.]b$\":\"^y\"}", "\"prestart\""),
		    1 },
		{ HOOK("\"annotations\":{\"^a[.]b$\":\"^n\"}", "\"prestart\""),
		    0 },
		{ HOOK("\"annotations\":{\"^a\":\"y\",\"^c\":\"z\"}",
		      "\"prestart\""),
		    1 },
		{ HOOK("\"annotations\":{\"^a\":\"y\",\"^d\":\"\"}",
		      "\"prestart\""),
		    0 },
		{ HOOK("\"hasBindMounts\":true", "\"prestart\""), 0 },
		{ HOOK("\"hasBindMounts\":false", "\"prestart\""), 1 },
		{ HOOK("\"always\":true,\"hasBindMounts\":true",
		      "\"prestart\""),
		    0 },
		{ HOOK("\"always\":false,\"hasBindMounts\":false",
		      "\"prestart\""),
		    0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		world_init(&w);
		pod_annotation(&w, "a.b", "yes");
		ctr_annotation(&w, "c", "z");
		add(&w, rows[i].text);
		if (made(&w, "prestart") != rows[i].n)
			fail_msg("%s", rows[i].text);
		world_free(&w);
	}
}

static void
t_mounts(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.ctr.n_mounts = 1;
	add(&w, HOOK("\"hasBindMounts\":true", "\"createRuntime\""));
	assert_int_equal(made(&w, "createRuntime"), 1);
	world_free(&w);
}

/* A container cannot take back what its pod says. */
static void
t_pod_wins(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	pod_annotation(&w, "k", "on");
	ctr_annotation(&w, "k", "off");
	add(&w, HOOK("\"annotations\":{\"^k$\":\"^off$\"}", "\"prestart\""));
	assert_int_equal(made(&w, "prestart"), 0);
	world_free(&w);
}

static void
t_long_annotation(void **state)
{
	char value[HOOKS_TEXT_MAX + 2];
	struct world w;
	json_t *out;

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	world_init(&w);
	pod_annotation(&w, "k", value);
	add(&w, HOOK("\"annotations\":{\"^other$\":\"x\"}", "\"prestart\""));
	assert_int_equal(made(&w, "prestart"), 0);
	add(&w, HOOK("\"annotations\":{\"^k$\":\"x\"}", "\"prestart\""));
	assert_int_equal(hooks_make(w.hooks, &w.about, &out, &w.err), -1);
	assert_int_equal(w.err.code, CERR_INVALID_ARGUMENT);
	world_free(&w);
}

/* What cannot be understood stops every container. */
static void
t_broken(void **state)
{
	static const char *const rows[] = {
		"",
		"[]",
		"{\"version\":\"1.0.0\"}",
		"{\"version\":\"0.1.0\",\"hook\":{\"path\":\"/h\"},\"when\":"
		"{\"always\":true},\"stages\":[\"prestart\"]}",
		"{\"version\":\"1.0.0\",\"hook\":{\"path\":\"h\"},\"when\":"
		"{\"always\":true},\"stages\":[\"prestart\"]}",
		"{\"version\":\"1.0.0\",\"hook\":{\"path\":\"/h\","
		"\"args\":[1]},\"when\":{\"always\":true},"
		"\"stages\":[\"prestart\"]}",
		"{\"version\":\"1.0.0\",\"hook\":{\"path\":\"/h\","
		"\"timeout\":0},\"when\":{\"always\":true},"
		"\"stages\":[\"prestart\"]}",
		HOOK("", "\"prestart\""),
		HOOK("\"always\":1", "\"prestart\""),
		HOOK("\"sometimes\":true", "\"prestart\""),
		HOOK("\"commands\":[\"(\"]", "\"prestart\""),
		HOOK("\"commands\":\"x\"", "\"prestart\""),
		HOOK("\"annotations\":{\"[\":\"x\"}", "\"prestart\""),
		HOOK("\"annotations\":{\"x\":\"[\"}", "\"prestart\""),
		HOOK("\"always\":true", ""),
		HOOK("\"always\":true", "\"lunch\""),
		HOOK("\"always\":true", "1"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		json_t *out;

		world_init(&w);
		add(&w, rows[i]);
		if (hooks_make(w.hooks, &w.about, &out, &w.err) != -1)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(w.err.code, CERR_FAILED_PRECONDITION);
		assert_non_null(strstr(w.err.text, "x.json"));
		assert_null(out);
		world_free(&w);
	}
}

/* Patterns that regcomp(3) would fill the memory with. */
static void
t_repetitions(void **state)
{
	static const char *const fine[] = { "^key$", "a+", "(a|b)*c{2,9}",
		"[[:alpha:]]+\\+\\+\\+", "(a)[\\1]", "a\\\\1", "[]+*]+", "",
		"x{", "[", "\\", "a)b(", ".*/sh", "((a+)+)+" };
	static const char *const much[] = { "a++++++++++++++++++++",
		"((((((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+)+)+",
		"((a{255}){255}){255}", "(a{200}){200}", "a{99999999999}",
		"(a)\\1", "^(a*)(a*)(a*)\\1\\2\\3b$", "((a*)*\\2)*b",
		"(a*){6600}", "(a+++++b+++++c+++++d+++++)+++++++" };

	(void)state;
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		assert_true(regex_cost(fine[i]) < 100);
	for (size_t i = 0; i < sizeof(much) / sizeof(much[0]); i++)
		assert_true(regex_cost(much[i]) > REGEX_COST_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_none),
		cmocka_unit_test(t_form),
		cmocka_unit_test(t_when),
		cmocka_unit_test(t_mounts),
		cmocka_unit_test(t_pod_wins),
		cmocka_unit_test(t_long_annotation),
		cmocka_unit_test(t_broken),
		cmocka_unit_test(t_repetitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
