#include <sys/queue.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/hooks.h"
#include "execd/regex_cost.h"
#include "lib/fdio.h"
#include "lib/json.h"
#include "lib/log.h"

#define HOOKS_FILE_MAX	   (32U * 1024)
#define HOOKS_PATTERNS_MAX 64
#define HOOKS_NAME_MAX	   255

static const char *const hooks_stages[] = { "prestart", "createRuntime",
	"createContainer", "startContainer", "poststart", "poststop" };

#define HOOKS_NSTAGES (sizeof(hooks_stages) / sizeof(hooks_stages[0]))

/* Of an annotation, or (value alone) of the command. */
struct hooks_pattern {
	bool has_key;
	regex_t key, value;
};

struct hook {
	SIMPLEQ_ENTRY(hook) entry;
	char name[HOOKS_NAME_MAX + 1];
	json_t *what; /* as it goes into the configuration */
	unsigned int stages;
	struct hooks_pattern annotations[HOOKS_PATTERNS_MAX];
	struct hooks_pattern commands[HOOKS_PATTERNS_MAX];
	size_t nannotations, ncommands;
	bool has_always, always;
	bool has_mounts, mounts;
};

struct hooks {
	SIMPLEQ_HEAD(, hook) list;
	struct cerr broken;
};

struct hooks *
hooks_new(void)
{
	struct hooks *h = calloc(1, sizeof(*h));

	if (h == NULL)
		fatal("calloc");
	SIMPLEQ_INIT(&h->list);
	return h;
}

static void
hooks_patterns_free(struct hooks_pattern *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i].has_key)
			regfree(&p[i].key);
		regfree(&p[i].value);
	}
}

static void
hook_free(struct hook *k)
{
	json_decref(k->what);
	hooks_patterns_free(k->annotations, k->nannotations);
	hooks_patterns_free(k->commands, k->ncommands);
	free(k);
}

void
hooks_free(struct hooks *h)
{
	struct hook *k;

	while ((k = SIMPLEQ_FIRST(&h->list)) != NULL) {
		SIMPLEQ_REMOVE_HEAD(&h->list, entry);
		hook_free(k);
	}
	free(h);
}

/* ---- reading ---- */

static int
hook_bad(struct cerr *err, const char *what)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s", what);
}

/* Strings that name programs, arguments and variables. */
static int
hook_copy_strings(const json_t *from, const char *key, json_t *to,
    struct cerr *err)
{
	json_t *list, *v;
	size_t i;

	if (json_want(from, key, JSON_ARRAY, false, &list, err) == -1)
		return -1;
	json_array_foreach(list, i, v) {
		if (!json_is_string(v))
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "%s: not a list of strings", key);
	}
	return list == NULL ? 0 : json_object_set(to, key, list);
}

static int
hook_copy_timeout(const json_t *from, json_t *to, struct cerr *err)
{
	uint64_t seconds;

	if (json_want_size(from, "timeout", false, &seconds, err) == -1)
		return -1;
	if (json_object_get(from, "timeout") == NULL)
		return 0;
	if (seconds == 0 || seconds > INT32_MAX)
		return hook_bad(err, "timeout: not a positive number");
	return json_object_set_new(to, "timeout",
	    json_integer((json_int_t)seconds));
}

/*
 * The environment is always said: a runtime would else give the hook its own
 * or, inside of the container, the image's.
 */
static int
hook_read_what(struct hook *k, const json_t *doc, struct cerr *err)
{
	static const char env[] =
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	const char *path;
	json_t *from;

	if (json_want(doc, "hook", JSON_OBJECT, true, &from, err) == -1 ||
	    json_want_str(from, "path", true, &path, err) == -1)
		return -1;
	if (path[0] != '/')
		return hook_bad(err, "path: not absolute");
	k->what = json_pack("{s:s, s:[s]}", "path", path, "env", env);
	if (k->what == NULL)
		return hook_bad(err, "hook: not valid");
	if (hook_copy_strings(from, "args", k->what, err) == -1 ||
	    hook_copy_strings(from, "env", k->what, err) == -1)
		return -1;
	return hook_copy_timeout(from, k->what, err);
}

static int
hook_compile(regex_t *re, const char *text, struct cerr *err)
{
	if (regex_cost(text) > REGEX_COST_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "\"%.64s\": repeats too much, or refers back", text);
	if (regcomp(re, text, REG_EXTENDED | REG_NOSUB) == 0)
		return 0;
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "\"%.64s\": not an extended regular expression", text);
}

/* key NULL: of a command. */
static int
hook_add_pattern(struct hooks_pattern *list, size_t *n, const char *key,
    const json_t *value, struct cerr *err)
{
	struct hooks_pattern *p = &list[*n];

	if (!json_is_string(value))
		return hook_bad(err, "when: a pattern is not a string");
	if (*n == HOOKS_PATTERNS_MAX)
		return hook_bad(err, "when: too many patterns");
	if (key != NULL && hook_compile(&p->key, key, err) == -1)
		return -1;
	if (hook_compile(&p->value, json_string_value(value), err) == -1) {
		if (key != NULL)
			regfree(&p->key);
		return -1;
	}
	p->has_key = key != NULL;
	(*n)++;
	return 0;
}

static int
hook_read_bool(const json_t *v, bool *has, bool *value, struct cerr *err)
{
	if (!json_is_boolean(v))
		return hook_bad(err, "when: not true or false");
	*has = true;
	*value = json_is_true(v);
	return 0;
}

static int
hook_read_annotations(struct hook *k, json_t *v, struct cerr *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		return hook_bad(err, "when: annotations: not an object");
	json_object_foreach(v, key, value) {
		if (hook_add_pattern(k->annotations, &k->nannotations, key,
			value, err) == -1)
			return -1;
	}
	return 0;
}

static int
hook_read_commands(struct hook *k, const json_t *v, struct cerr *err)
{
	json_t *value;
	size_t i;

	if (!json_is_array(v))
		return hook_bad(err, "when: commands: not a list");
	json_array_foreach(v, i, value) {
		if (hook_add_pattern(k->commands, &k->ncommands, NULL, value,
			err) == -1)
			return -1;
	}
	return 0;
}

static int
hook_read_condition(struct hook *k, const char *key, json_t *v,
    struct cerr *err)
{
	if (strcmp(key, "always") == 0)
		return hook_read_bool(v, &k->has_always, &k->always, err);
	if (strcmp(key, "hasBindMounts") == 0)
		return hook_read_bool(v, &k->has_mounts, &k->mounts, err);
	if (strcmp(key, "annotations") == 0)
		return hook_read_annotations(k, v, err);
	if (strcmp(key, "commands") == 0)
		return hook_read_commands(k, v, err);
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "when: unknown condition \"%.64s\"", key);
}

static int
hook_read_when(struct hook *k, const json_t *doc, struct cerr *err)
{
	json_t *when, *value;
	const char *key;

	if (json_want(doc, "when", JSON_OBJECT, true, &when, err) == -1)
		return -1;
	json_object_foreach(when, key, value) {
		if (hook_read_condition(k, key, value, err) == -1)
			return -1;
	}
	if (!k->has_always && !k->has_mounts && k->nannotations == 0 &&
	    k->ncommands == 0)
		return hook_bad(err, "when: no condition");
	return 0;
}

static int
hook_read_stage(struct hook *k, const json_t *v, struct cerr *err)
{
	const char *name = json_string_value(v);

	for (size_t i = 0; name != NULL && i < HOOKS_NSTAGES; i++) {
		if (strcmp(name, hooks_stages[i]) == 0) {
			k->stages |= 1U << i;
			return 0;
		}
	}
	return cerr_set(err, CERR_INVALID_ARGUMENT, "stages: \"%.64s\"",
	    name == NULL ? "not a string" : name);
}

static int
hook_read_stages(struct hook *k, const json_t *doc, struct cerr *err)
{
	json_t *list, *v;
	size_t i;

	if (json_want(doc, "stages", JSON_ARRAY, true, &list, err) == -1)
		return -1;
	json_array_foreach(list, i, v) {
		if (hook_read_stage(k, v, err) == -1)
			return -1;
	}
	return k->stages == 0 ? hook_bad(err, "stages: none") : 0;
}

static int
hook_read(struct hook *k, const json_t *doc, struct cerr *err)
{
	const char *version;

	if (json_want_str(doc, "version", true, &version, err) == -1)
		return -1;
	if (strcmp(version, "1.0.0") != 0)
		return hook_bad(err, "version: not 1.0.0");
	if (hook_read_what(k, doc, err) == -1 ||
	    hook_read_when(k, doc, err) == -1)
		return -1;
	return hook_read_stages(k, doc, err);
}

void
hooks_add(struct hooks *h, const char *name, const void *text, size_t len)
{
	struct hook *k = calloc(1, sizeof(*k));
	struct cerr err = { 0 };
	json_t *doc;

	if (k == NULL)
		fatal("calloc");
	(void)snprintf(k->name, sizeof(k->name), "%s", name);
	doc = json_read_bounded("hook", text, len, HOOKS_FILE_MAX, &err);
	if (doc != NULL && hook_read(k, doc, &err) == 0) {
		SIMPLEQ_INSERT_TAIL(&h->list, k, entry);
		json_decref(doc);
		return;
	}
	json_decref(doc);
	(void)cerr_set(&h->broken, CERR_FAILED_PRECONDITION, "hook %.255s: %s",
	    name, err.text);
	log_error("%s: no container will be made", h->broken.text);
	hook_free(k);
}

/* ---- using ---- */

/* 1 matches, 0 not, -1 with err: it would take too long to tell. */
static int
hook_try(const struct hook *k, const struct hooks_pattern *p, const char *key,
    const char *value, struct cerr *err)
{
	if (key != NULL && (strlen(key) > HOOKS_TEXT_MAX ||
			       regexec(&p->key, key, 0, NULL, 0) != 0))
		return 0;
	if (strlen(value) > HOOKS_TEXT_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "hook %s: %s is longer than %d bytes", k->name,
		    key == NULL ? "the command" : "an annotation",
		    HOOKS_TEXT_MAX);
	return regexec(&p->value, value, 0, NULL, 0) == 0;
}

static const char *
hook_pod_value(const Runtime__V1__PodSandboxConfig *pod, const char *key)
{
	for (size_t i = 0; i < pod->n_annotations; i++) {
		if (strcmp(pod->annotations[i]->key, key) == 0)
			return pod->annotations[i]->value;
	}
	return NULL;
}

/* The pod's annotations hide the container's of the same name. */
static int
hook_annotated(const struct hook *k, const struct hooks_pattern *p,
    const struct hooks_about *a, struct cerr *err)
{
	int got = 0;

	for (size_t i = 0; got == 0 && i < a->pod->n_annotations; i++)
		got = hook_try(k, p, a->pod->annotations[i]->key,
		    a->pod->annotations[i]->value, err);
	for (size_t i = 0; got == 0 && i < a->ctr->n_annotations; i++) {
		const char *key = a->ctr->annotations[i]->key;

		if (hook_pod_value(a->pod, key) == NULL)
			got = hook_try(k, p, key, a->ctr->annotations[i]->value,
			    err);
	}
	return got;
}

static int
hook_all_annotated(const struct hook *k, const struct hooks_about *a,
    struct cerr *err)
{
	int got = 1;

	for (size_t i = 0; got == 1 && i < k->nannotations; i++)
		got = hook_annotated(k, &k->annotations[i], a, err);
	return got;
}

static int
hook_commanded(const struct hook *k, const struct hooks_about *a,
    struct cerr *err)
{
	const char *command = json_string_value(json_array_get(a->args, 0));
	int got = k->ncommands == 0 ? 1 : 0;

	for (size_t i = 0; got == 0 && i < k->ncommands; i++)
		got = hook_try(k, &k->commands[i], NULL,
		    command == NULL ? "" : command, err);
	return got;
}

/* Every condition that is given must hold. */
static int
hook_wanted(const struct hook *k, const struct hooks_about *a, struct cerr *err)
{
	int got;

	if (k->has_always && !k->always)
		return 0;
	if (k->has_mounts && k->mounts != (a->ctr->n_mounts > 0))
		return 0;
	got = hook_all_annotated(k, a, err);
	return got == 1 ? hook_commanded(k, a, err) : got;
}

static int
hooks_put(json_t **out, const struct hook *k)
{
	int ret = 0;

	if (*out == NULL)
		*out = json_object();
	for (size_t i = 0; ret == 0 && i < HOOKS_NSTAGES; i++) {
		json_t *list = json_object_get(*out, hooks_stages[i]);

		if ((k->stages & 1U << i) == 0)
			continue;
		if (list == NULL) {
			list = json_array();
			ret = json_object_set_new(*out, hooks_stages[i], list);
		}
		if (ret == 0)
			ret = json_array_append(list, k->what);
	}
	return ret;
}

int
hooks_make(const struct hooks *h, const struct hooks_about *about, json_t **out,
    struct cerr *err)
{
	const struct hook *k;
	int got = 0;

	*out = NULL;
	if (h->broken.code != CERR_OK) {
		*err = h->broken;
		return -1;
	}
	SIMPLEQ_FOREACH(k, &h->list, entry)
	{
		got = hook_wanted(k, about, err);
		if (got == 1 && hooks_put(out, k) == -1)
			got = cerr_set(err, CERR_RESOURCE_EXHAUSTED,
			    "no memory for hooks");
		if (got == -1)
			break;
	}
	if (got != -1)
		return 0;
	json_decref(*out);
	*out = NULL;
	return -1;
}
