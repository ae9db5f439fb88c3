#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "execd/caps.h"
#include "execd/seccomp_load.h"
#include "lib/capname.h"
#include "lib/json.h"

#define LOAD_RULES_MAX 4096
#define LOAD_NAMES_MAX 16384 /* of all rules */
#define LOAD_NAME_MAX  64
#define LOAD_ARGS_MAX  6
#define LOAD_ERRNO_MAX 4095

#if defined(__x86_64__)
#define LOAD_NATIVE "SCMP_ARCH_X86_64"
#define LOAD_GOARCH "amd64"
#elif defined(__aarch64__)
#define LOAD_NATIVE "SCMP_ARCH_AARCH64"
#define LOAD_GOARCH "arm64"
#elif defined(__riscv)
#define LOAD_NATIVE "SCMP_ARCH_RISCV64"
#define LOAD_GOARCH "riscv64"
#elif defined(__powerpc64__)
#define LOAD_NATIVE "SCMP_ARCH_PPC64LE"
#define LOAD_GOARCH "ppc64le"
#elif defined(__s390x__)
#define LOAD_NATIVE "SCMP_ARCH_S390X"
#define LOAD_GOARCH "s390x"
#else
#error "name this architecture"
#endif

struct load {
	const struct seccomp_host *host;
	size_t names;
	struct cerr *err;
};

static const char *const load_actions[] = { "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO",
	"SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
	"SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP", NULL };

static const char *const load_flags[] = { "SECCOMP_FILTER_FLAG_LOG",
	"SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC", NULL };

static const char *const load_arches[] = { "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",
	"SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64",
	"SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64",
	"SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64",
	"SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE",
	"SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X",
	"SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64", NULL };

static const char *const load_ops[] = { "SCMP_CMP_EQ", "SCMP_CMP_GE",
	"SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
	"SCMP_CMP_NE", NULL };

static const char *const load_top_keys[] = { "archMap", "architectures",
	"comment", "defaultAction", "defaultErrno", "defaultErrnoRet", "flags",
	"syscalls", NULL };

static const char *const load_rule_keys[] = { "action", "args", "comment",
	"errno", "errnoRet", "excludes", "includes", "name", "names", NULL };

static const char *const load_arg_keys[] = { "index", "op", "value", "valueTwo",
	NULL };

static const char *const load_when_keys[] = { "arches", "caps", "minKernel",
	NULL };

static int
load_fail(struct load *l, const char *what, const char *word)
{
	return cerr_set(l->err, CERR_INVALID_ARGUMENT, "%s \"%.64s\"", what,
	    word);
}

static int
load_no_memory(struct load *l)
{
	return cerr_set(l->err, CERR_RESOURCE_EXHAUSTED,
	    "no memory for the profile");
}

static bool
load_among(const char *const *list, const char *word)
{
	while (*list != NULL && strcmp(*list, word) != 0)
		list++;
	return *list != NULL;
}

/* An object with no member but these. */
static int
load_keys(struct load *l, const json_t *o, const char *const *keys)
{
	const char *key;
	json_t *v;

	if (!json_is_object(o))
		return cerr_set(l->err, CERR_INVALID_ARGUMENT,
		    "not an object where one should be");
	/* jansson's iterator wants it writable, and does not write. */
	json_object_foreach((json_t *)(uintptr_t)o, key, v) {
		if (!load_among(keys, key))
			return load_fail(l, "unknown member", key);
	}
	return 0;
}

/* A string of the list at key, into out; absent is fine unless needed. */
static int
load_word(struct load *l, const json_t *o, const char *key, bool needed,
    const char *const *list, json_t *out)
{
	const char *s;

	if (json_want_str(o, key, needed, &s, l->err) == -1)
		return -1;
	if (s[0] == '\0' && !needed)
		return 0;
	if (!load_among(list, s))
		return load_fail(l, key, s);
	return json_object_set_new(out, key, json_string(s)) == -1
		   ? load_no_memory(l)
		   : 0;
}

/* An integer of at most max at key, into out, unless it is absent. */
static int
load_number(struct load *l, const json_t *o, const char *key, uint64_t max,
    json_t *out)
{
	uint64_t v;

	if (json_want_size(o, key, false, &v, l->err) == -1)
		return -1;
	if (v > max)
		return load_fail(l, key, "is too large");
	if (json_is_null(json_object_get(o, key)) ||
	    json_object_get(o, key) == NULL)
		return 0;
	return json_object_set_new(out, key, json_integer((json_int_t)v)) == -1
		   ? load_no_memory(l)
		   : 0;
}

/* An error's name says what its number says again. */
static int
load_errno(struct load *l, const json_t *o, const char *name,
    const char *number, json_t *out)
{
	if (json_object_get(o, name) != NULL &&
	    !json_is_integer(json_object_get(o, number)))
		return load_fail(l, name, "without its number");
	return load_number(l, o, number, LOAD_ERRNO_MAX, out);
}

static bool
load_call_valid(const char *s)
{
	size_t n = 0;

	while (islower((unsigned char)s[n]) || isdigit((unsigned char)s[n]) ||
	       s[n] == '_')
		n++;
	return n > 0 && n <= LOAD_NAME_MAX && s[n] == '\0';
}

/* Appends the strings at key to out; valid is for each, or list. */
static int
load_strings(struct load *l, const json_t *o, const char *key,
    bool (*valid)(const char *), const char *const *list, json_t *out)
{
	json_t *a, *v;
	size_t i;

	if (json_want(o, key, JSON_ARRAY, false, &a, l->err) == -1)
		return -1;
	json_array_foreach(a, i, v) {
		const char *s = json_string_value(v);

		if (s == NULL)
			return load_fail(l, key, "holds what is no string");
		if (valid != NULL ? !valid(s) : !load_among(list, s))
			return load_fail(l, key, s);
		if (json_array_append_new(out, json_string(s)) == -1)
			return load_no_memory(l);
	}
	return 0;
}

/* ---- conditions ---- */

enum load_found { LOAD_NONE, LOAD_SOME, LOAD_ALL };

/* How many of the strings at key hold here. */
static int
load_holds(struct load *l, const json_t *o, const char *key,
    bool (*holds)(const struct load *, const char *), enum load_found *found)
{
	size_t i, yes = 0;
	json_t *a, *v;

	*found = LOAD_NONE;
	if (json_want(o, key, JSON_ARRAY, false, &a, l->err) == -1)
		return -1;
	json_array_foreach(a, i, v) {
		if (!json_is_string(v))
			return load_fail(l, key, "holds what is no string");
		yes += holds(l, json_string_value(v));
	}
	if (yes > 0)
		*found = yes == json_array_size(a) ? LOAD_ALL : LOAD_SOME;
	return 0;
}

static bool
load_has_cap(const struct load *l, const char *name)
{
	int cap = capname_number(name);

	return cap != -1 && (l->host->caps & CAPS_BIT(cap)) != 0;
}

static bool
load_is_arch(const struct load *l, const char *name)
{
	(void)l;
	return strcmp(name, LOAD_GOARCH) == 0;
}

/* "4.8": is this kernel of that version, or newer?  True if none is named. */
static int
load_kernel(struct load *l, const json_t *o, bool *newer)
{
	const unsigned int *have = l->host->kernel;
	unsigned int want[2];
	const char *s;
	char end;

	*newer = true;
	if (json_want_str(o, "minKernel", false, &s, l->err) == -1)
		return -1;
	if (s[0] == '\0')
		return 0;
	if (sscanf(s, "%5u.%5u%c", &want[0], &want[1], &end) != 2)
		return load_fail(l, "minKernel", s);
	*newer = have[0] != want[0] ? have[0] > want[0] : have[1] >= want[1];
	return 0;
}

/* What "includes" or "excludes" of a rule come to. */
struct load_when {
	enum load_found caps, arches;
	bool some_caps, some_arches, some_kernel; /* are named at all */
	bool newer;
};

static int
load_when(struct load *l, const json_t *rule, const char *key,
    struct load_when *w)
{
	json_t *o;

	*w = (struct load_when){ .newer = true };
	if (json_want(rule, key, JSON_OBJECT, false, &o, l->err) == -1)
		return -1;
	if (o == NULL)
		return 0;
	if (load_keys(l, o, load_when_keys) == -1 ||
	    load_holds(l, o, "caps", load_has_cap, &w->caps) == -1 ||
	    load_holds(l, o, "arches", load_is_arch, &w->arches) == -1 ||
	    load_kernel(l, o, &w->newer) == -1)
		return -1;
	w->some_caps = json_array_size(json_object_get(o, "caps")) > 0;
	w->some_arches = json_array_size(json_object_get(o, "arches")) > 0;
	w->some_kernel = json_object_get(o, "minKernel") != NULL;
	return 0;
}

/* All capabilities, one of the architectures, the kernel; and no other. */
static int
load_applies(struct load *l, const json_t *rule, bool *yes)
{
	struct load_when in, out;

	if (load_when(l, rule, "includes", &in) == -1 ||
	    load_when(l, rule, "excludes", &out) == -1)
		return -1;
	*yes = in.newer && (!in.some_caps || in.caps == LOAD_ALL) &&
	       (!in.some_arches || in.arches != LOAD_NONE) &&
	       out.caps == LOAD_NONE && out.arches == LOAD_NONE &&
	       !(out.some_kernel && out.newer);
	return 0;
}

/* ---- rules ---- */

static int
load_arg(struct load *l, const json_t *arg, json_t *list)
{
	json_t *out = json_object();
	uint64_t number;

	if (out == NULL || json_array_append_new(list, out) == -1)
		return load_no_memory(l);
	if (load_keys(l, arg, load_arg_keys) == -1 ||
	    json_want_size(arg, "index", true, &number, l->err) == -1 ||
	    json_want_size(arg, "value", true, &number, l->err) == -1 ||
	    load_number(l, arg, "index", LOAD_ARGS_MAX - 1, out) == -1 ||
	    load_number(l, arg, "value", UINT64_MAX, out) == -1 ||
	    load_number(l, arg, "valueTwo", UINT64_MAX, out) == -1)
		return -1;
	return load_word(l, arg, "op", true, load_ops, out);
}

static int
load_args(struct load *l, const json_t *rule, json_t *out)
{
	json_t *a, *v, *list;
	size_t i;

	if (json_want(rule, "args", JSON_ARRAY, false, &a, l->err) == -1)
		return -1;
	if (json_array_size(a) == 0)
		return 0;
	if (json_array_size(a) > LOAD_ARGS_MAX)
		return load_fail(l, "args", "are too many");
	list = json_array();
	if (json_object_set_new(out, "args", list) == -1)
		return load_no_memory(l);
	json_array_foreach(a, i, v) {
		if (load_arg(l, v, list) == -1)
			return -1;
	}
	return 0;
}

/* Old profiles have one name a rule. */
static int
load_names(struct load *l, const json_t *rule, json_t *out)
{
	json_t *names = json_array();
	const char *one;

	if (json_object_set_new(out, "names", names) == -1)
		return load_no_memory(l);
	if (load_strings(l, rule, "names", load_call_valid, NULL, names) ==
		-1 ||
	    json_want_str(rule, "name", false, &one, l->err) == -1)
		return -1;
	if (one[0] != '\0' && !load_call_valid(one))
		return load_fail(l, "name", one);
	if (one[0] != '\0' &&
	    json_array_append_new(names, json_string(one)) == -1)
		return load_no_memory(l);
	l->names += json_array_size(names);
	if (json_array_size(names) == 0 || l->names > LOAD_NAMES_MAX)
		return load_fail(l, "names", "are none, or too many");
	return 0;
}

static int
load_rule(struct load *l, const json_t *rule, json_t *list)
{
	json_t *out;
	bool applies;

	if (load_keys(l, rule, load_rule_keys) == -1 ||
	    load_applies(l, rule, &applies) == -1)
		return -1;
	out = json_object();
	if (out == NULL)
		return load_no_memory(l);
	/* One that does not apply here is looked at all the same. */
	if (load_names(l, rule, out) == -1 ||
	    load_word(l, rule, "action", true, load_actions, out) == -1 ||
	    load_errno(l, rule, "errno", "errnoRet", out) == -1 ||
	    load_args(l, rule, out) == -1) {
		json_decref(out);
		return -1;
	}
	if (!applies)
		json_decref(out);
	else if (json_array_append_new(list, out) == -1)
		return load_no_memory(l);
	return 0;
}

static int
load_rules(struct load *l, const json_t *profile, json_t *out)
{
	json_t *a, *v, *list = json_array();
	size_t i;

	if (json_object_set_new(out, "syscalls", list) == -1)
		return load_no_memory(l);
	if (json_want(profile, "syscalls", JSON_ARRAY, false, &a, l->err) == -1)
		return -1;
	if (json_array_size(a) > LOAD_RULES_MAX)
		return load_fail(l, "syscalls", "are too many");
	json_array_foreach(a, i, v) {
		if (load_rule(l, v, list) == -1)
			return -1;
	}
	return 0;
}

/* ---- architectures ---- */

static int
load_arch_map(struct load *l, const json_t *profile, json_t *list)
{
	const char *arch;
	json_t *a, *v;
	size_t i;

	if (json_want(profile, "archMap", JSON_ARRAY, false, &a, l->err) == -1)
		return -1;
	json_array_foreach(a, i, v) {
		if (json_want_str(v, "architecture", true, &arch, l->err) == -1)
			return -1;
		if (strcmp(arch, LOAD_NATIVE) != 0)
			continue;
		if (json_array_append_new(list, json_string(arch)) == -1)
			return load_no_memory(l);
		return load_strings(l, v, "subArchitectures", NULL, load_arches,
		    list);
	}
	return 0;
}

static int
load_list(struct load *l, json_t *out, const char *key, json_t *list)
{
	if (json_array_size(list) == 0) {
		json_decref(list);
		return 0;
	}
	return json_object_set_new(out, key, list) == -1 ? load_no_memory(l)
							 : 0;
}

static int
load_architectures(struct load *l, const json_t *profile, json_t *out)
{
	json_t *list = json_array();

	if (list == NULL)
		return load_no_memory(l);
	if (json_object_get(profile, "archMap") != NULL &&
	    json_object_get(profile, "architectures") != NULL) {
		json_decref(list);
		return load_fail(l, "archMap", "beside architectures");
	}
	if (load_arch_map(l, profile, list) == -1 ||
	    load_strings(l, profile, "architectures", NULL, load_arches,
		list) == -1) {
		json_decref(list);
		return -1;
	}
	return load_list(l, out, "architectures", list);
}

static int
load_filter_flags(struct load *l, const json_t *profile, json_t *out)
{
	json_t *list = json_array();

	if (list == NULL)
		return load_no_memory(l);
	if (load_strings(l, profile, "flags", NULL, load_flags, list) == -1) {
		json_decref(list);
		return -1;
	}
	return load_list(l, out, "flags", list);
}

static int
load_all(struct load *l, const json_t *profile, json_t *out)
{
	if (load_keys(l, profile, load_top_keys) == -1 ||
	    load_word(l, profile, "defaultAction", true, load_actions, out) ==
		-1 ||
	    load_errno(l, profile, "defaultErrno", "defaultErrnoRet", out) ==
		-1 ||
	    load_architectures(l, profile, out) == -1 ||
	    load_filter_flags(l, profile, out) == -1)
		return -1;
	return load_rules(l, profile, out);
}

json_t *
seccomp_load(const json_t *profile, const struct seccomp_host *host,
    struct cerr *err)
{
	struct cerr why = { .code = CERR_INTERNAL };
	struct load l = { .host = host, .err = &why };
	json_t *out = json_object();

	if (out != NULL && load_all(&l, profile, out) == 0)
		return out;
	json_decref(out);
	(void)cerr_set(err, why.code, "seccomp profile: %s", why.text);
	return NULL;
}
