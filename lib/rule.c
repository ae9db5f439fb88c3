#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/capname.h"
#include "lib/rule.h"

#define RULE_NAME_MAX 128 /* of a sysctl */

static const char *const rule_accesses[RULE_ACCESS_COUNT] = {
	[RULE_ACCESS_BOTH] = "",
	[RULE_ACCESS_RO] = "read-only",
	[RULE_ACCESS_RW] = "read-write",
};

const char *
rule_access_name(unsigned int access)
{
	return access < RULE_ACCESS_COUNT ? rule_accesses[access] : "";
}

/* ---- values ---- */

static bool
rule_all_of(const char *s, const char *also)
{
	for (; *s != '\0'; s++) {
		if (!isalnum((unsigned char)*s) && strchr(also, *s) == NULL)
			return false;
	}
	return true;
}

static bool
rule_ports(const char *s, unsigned int *from, unsigned int *to)
{
	int end = 0;

	if (strspn(s, "0123456789-") != strlen(s) || strlen(s) > 11)
		return false;
	if (sscanf(s, "%5u%n", from, &end) == 1 && s[end] == '\0')
		*to = *from;
	else if (sscanf(s, "%5u-%5u%n", from, to, &end) != 2 || s[end] != '\0')
		return false;
	return *from > 0 && *from <= *to && *to <= UINT16_MAX;
}

static const char *
rule_wrong_port(const char *s)
{
	unsigned int from, to;

	return rule_ports(s, &from, &to) ? NULL : "is no port or range of them";
}

/* Clean: what is asked is compared with it as text. */
static const char *
rule_wrong_path(const char *s)
{
	size_t len = strlen(s);

	if (s[0] != '/')
		return "must be an absolute path";
	if ((len > 1 && s[len - 1] == '/') || strstr(s, "//") != NULL ||
	    strstr(s, "/./") != NULL || strstr(s, "/../") != NULL ||
	    (len > 1 && strcmp(s + len - 2, "/.") == 0) ||
	    (len > 2 && strcmp(s + len - 3, "/..") == 0))
		return "has empty, \".\" or \"..\" components";
	return NULL;
}

static const char *
rule_wrong_capability(const char *s)
{
	return strcmp(s, "default") == 0 || capname_number(s) != -1
		   ? NULL
		   : "is no capability";
}

static const char *
rule_wrong_device(const char *s)
{
	if (s[0] == '/')
		return rule_wrong_path(s);
	return strchr(s, '/') != NULL && rule_all_of(s, "._-/=:")
		   ? NULL
		   : "is neither a path nor VENDOR/CLASS";
}

static const char *
rule_wrong_sysctl(const char *s)
{
	const char *star = strchr(s, '*');

	if (strlen(s) >= RULE_NAME_MAX || !rule_all_of(s, "_-./:@*") ||
	    (star != NULL && star[1] != '\0'))
		return "is no name of sysctls";
	return NULL;
}

static const char *
rule_wrong_unconfined(const char *s)
{
	return strcmp(s, "unconfined") == 0 ? NULL : "is not unconfined";
}

static const char *
rule_wrong_unmasked(const char *s)
{
	return strcmp(s, "unmasked") == 0 ? NULL : "is not unmasked";
}

static const char *
rule_wrong_name(const char *s)
{
	return rule_all_of(s, "._-") ? NULL : "is no name";
}

static const char *
rule_wrong_registry(const char *s)
{
	return rule_all_of(s, "._-:/[]") && s[0] != '/' ? NULL
							: "is no location";
}

/* ---- comparing ---- */

static bool
rule_same(const struct rule *r, const struct rule_ask *ask)
{
	return strcmp(r->value, ask->value) == 0;
}

/* path is top, or something in it. */
static bool
rule_within(const char *path, const char *top)
{
	size_t n = strlen(top);

	if (strcmp(top, "/") == 0)
		return path[0] == '/';
	return strncmp(path, top, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static bool
rule_same_path(const struct rule *r, const struct rule_ask *ask)
{
	if (r->access == RULE_ACCESS_RO && !ask->read_only)
		return false;
	if (r->access == RULE_ACCESS_RW && ask->read_only)
		return false;
	return rule_within(ask->value, r->value) ||
	       (!r->allow && rule_within(r->value, ask->value));
}

static bool
rule_same_device(const struct rule *r, const struct rule_ask *ask)
{
	size_t n = strlen(r->value);

	if (ask->value[0] == '/')
		return rule_same_path(r, ask);
	return strncmp(r->value, ask->value, n) == 0 &&
	       (ask->value[n] == '\0' || ask->value[n] == '=');
}

static bool
rule_same_capability(const struct rule *r, const struct rule_ask *ask)
{
	if (strcmp(r->value, "default") == 0)
		return ask->usual;
	return capname_number(r->value) == capname_number(ask->value);
}

static bool
rule_same_port(const struct rule *r, const struct rule_ask *ask)
{
	unsigned int from, to, low, high;

	return rule_ports(r->value, &from, &to) &&
	       rule_ports(ask->value, &low, &high) && low >= from && high <= to;
}

/* As sysctl(8): the first of '.' and '/' separates, the other is itself. */
static void
rule_sysctl(const char *name, char path[RULE_NAME_MAX])
{
	bool dots = name[strcspn(name, "./")] == '.';
	size_t i;

	for (i = 0; i < RULE_NAME_MAX - 1 && name[i] != '\0'; i++) {
		char c = name[i];

		if (dots && (c == '.' || c == '/'))
			c = c == '.' ? '/' : '.';
		path[i] = c;
	}
	path[i] = '\0';
}

static bool
rule_same_sysctl(const struct rule *r, const struct rule_ask *ask)
{
	char rule[RULE_NAME_MAX], name[RULE_NAME_MAX];
	size_t n;

	rule_sysctl(r->value, rule);
	rule_sysctl(ask->value, name);
	n = strcspn(rule, "*");
	return rule[n] == '*' ? strncmp(rule, name, n) == 0
			      : strcmp(rule, name) == 0;
}

static bool
rule_same_registry(const struct rule *r, const struct rule_ask *ask)
{
	return rule_within(ask->value, r->value);
}

/* ---- all kinds ---- */

static const struct {
	const char *name;
	const char *(*wrong)(const char *value); /* NULL: has no value */
	bool (*same)(const struct rule *r, const struct rule_ask *ask);
} rule_kinds[RULE_COUNT] = {
	[RULE_ANY] = { "any", NULL, NULL },
	[RULE_PRIVILEGED] = { "privileged", NULL, NULL },
	[RULE_HOST_NETWORK] = { "host network", NULL, NULL },
	[RULE_HOST_PID] = { "host pid", NULL, NULL },
	[RULE_HOST_IPC] = { "host ipc", NULL, NULL },
	[RULE_HOST_USER] = { "host user", NULL, NULL },
	[RULE_HOST_PORT] = { "host port", rule_wrong_port, rule_same_port },
	[RULE_PATH] = { "path", rule_wrong_path, rule_same_path },
	[RULE_CAPABILITY] = { "capability", rule_wrong_capability,
	    rule_same_capability },
	[RULE_DEVICE] = { "device", rule_wrong_device, rule_same_device },
	[RULE_SYSCTL] = { "sysctl", rule_wrong_sysctl, rule_same_sysctl },
	[RULE_SECCOMP] = { "seccomp", rule_wrong_unconfined, rule_same },
	[RULE_APPARMOR] = { "apparmor", rule_wrong_unconfined, rule_same },
	[RULE_RUNTIME] = { "runtime", rule_wrong_name, rule_same },
	[RULE_REGISTRY] = { "registry", rule_wrong_registry,
	    rule_same_registry },
	[RULE_SELINUX] = { "selinux", rule_wrong_name, rule_same },
	[RULE_PROC] = { "proc", rule_wrong_unmasked, rule_same },
};

const char *
rule_name(unsigned int what)
{
	return what < RULE_COUNT ? rule_kinds[what].name : NULL;
}

bool
rule_has_value(enum rule_what what)
{
	return rule_kinds[what].wrong != NULL;
}

const char *
rule_value_wrong(enum rule_what what, const char *value)
{
	if (value[0] == '\0')
		return "is empty";
	return rule_kinds[what].wrong(value);
}

bool
rule_matches(const struct rule *r, const char *namespace,
    const struct rule_ask *ask)
{
	if (r->namespace[0] != '\0' && strcmp(r->namespace, namespace) != 0)
		return false;
	if (r->what == RULE_ANY)
		return true;
	if (r->what != ask->what)
		return false;
	if (r->value[0] == '\0')
		return r->access == RULE_ACCESS_BOTH ||
		       (r->access == RULE_ACCESS_RO) == ask->read_only;
	return rule_kinds[r->what].same(r, ask);
}

const struct rule *
rule_decide(const struct rule *rules, size_t n, const char *namespace,
    const struct rule_ask *ask)
{
	while (n > 0) {
		if (rule_matches(&rules[--n], namespace, ask))
			return &rules[n];
	}
	return NULL;
}
