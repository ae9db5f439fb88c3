#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/cdi.h"
#include "lib/fdio.h"
#include "lib/json.h"

struct cdi_apply {
	const struct cdi *c;
	const struct cdi_how *how;
	json_t *spec;
	struct cerr *err;
	size_t node; /* the next of c->nodes */
};

static int
cdi_no_memory(const struct cdi_apply *a)
{
	return cerr_set(a->err, CERR_RESOURCE_EXHAUSTED,
	    "no memory for CDI devices");
}

/* Takes value. */
static int
cdi_append(const struct cdi_apply *a, json_t *list, json_t *value)
{
	return json_array_append_new(list, value) == -1 ? cdi_no_memory(a) : 0;
}

/* The member of o, an empty list or object if there is none. */
static json_t *
cdi_member(json_t *o, const char *key, bool list)
{
	json_t *v = json_object_get(o, key);

	if (v != NULL)
		return v;
	v = list ? json_array() : json_object();
	return json_object_set_new(o, key, v) == -1 ? NULL : v;
}

static void
cdi_remove(json_t *list, const char *key, const char *value)
{
	for (size_t i = json_array_size(list); i > 0; i--) {
		const char *s = json_string_value(
		    json_object_get(json_array_get(list, i - 1), key));

		if (s != NULL && strcmp(s, value) == 0)
			(void)json_array_remove(list, i - 1);
	}
}

/* ---- env ---- */

static int
cdi_env(struct cdi_apply *a, json_t *v)
{
	json_t *env =
	    cdi_member(cdi_member(a->spec, "process", false), "env", true);
	const char *text = json_string_value(v);
	size_t name = text == NULL ? 0 : strcspn(text, "=");

	if (name == 0 || text[name] != '=')
		return cerr_set(a->err, CERR_FAILED_PRECONDITION,
		    "CDI: env: not NAME=VALUE");
	for (size_t i = json_array_size(env); i > 0; i--) {
		if (strncmp(json_string_value(json_array_get(env, i - 1)), text,
			name + 1) == 0)
			(void)json_array_remove(env, i - 1);
	}
	return cdi_append(a, env, json_incref(v));
}

/* ---- mounts ---- */

static size_t
cdi_depth(const char *path)
{
	size_t n = 0;

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

/* Behind all that may be above it.  Takes mount. */
static int
cdi_put_mount(struct cdi_apply *a, const char *to, json_t *mount)
{
	json_t *mounts = cdi_member(a->spec, "mounts", true);
	size_t at = 0;

	cdi_remove(mounts, "destination", to);
	for (size_t i = 0; i < json_array_size(mounts); i++) {
		if (cdi_depth(json_string_value(
			json_object_get(json_array_get(mounts, i),
			    "destination"))) <= cdi_depth(to))
			at = i + 1;
	}
	return json_array_insert_new(mounts, at, mount) == -1 ? cdi_no_memory(a)
							      : 0;
}

/* A copy of the options, which say that it is a bind mount. */
static json_t *
cdi_mount_options(const json_t *options, bool bind)
{
	json_t *all = json_array(), *o;
	size_t i;

	json_array_foreach(options, i, o) {
		const char *s = json_string_value(o);

		if (s == NULL || json_array_append(all, o) == -1) {
			json_decref(all);
			return NULL;
		}
		bind =
		    bind && strcmp(s, "bind") != 0 && strcmp(s, "rbind") != 0;
	}
	if (bind && json_array_append_new(all, json_string("rbind")) == -1) {
		json_decref(all);
		return NULL;
	}
	return all;
}

static int
cdi_mount(struct cdi_apply *a, json_t *v)
{
	char from[POLICY_PATH_MAX], to[POLICY_PATH_MAX];
	const char *host, *ctr, *type;
	json_t *options;

	if (json_want_str(v, "hostPath", true, &host, a->err) == -1 ||
	    json_want_str(v, "containerPath", true, &ctr, a->err) == -1 ||
	    json_want_str(v, "type", false, &type, a->err) == -1 ||
	    json_want(v, "options", JSON_ARRAY, false, &options, a->err) ==
		-1 ||
	    policy_clean_path("CDI: hostPath", host, from, a->err) == -1 ||
	    policy_clean_path("CDI: containerPath", ctr, to, a->err) == -1)
		return -1;
	if (type[0] == '\0')
		type = "bind";
	if (to[1] == '\0' || strcmp(to, "/proc") == 0 ||
	    strncmp(to, "/proc/", 6) == 0)
		return cerr_set(a->err, CERR_FAILED_PRECONDITION,
		    "CDI: nothing may be mounted at %.128s", to);
	options = cdi_mount_options(options, strcmp(type, "bind") == 0);
	if (options == NULL)
		return cerr_set(a->err, CERR_FAILED_PRECONDITION,
		    "CDI: mounts: options are not strings");
	return cdi_put_mount(a, to,
	    json_pack("{s:s, s:s, s:s, s:o}", "destination", to, "source", from,
		"type", type, "options", options));
}

/* ---- device nodes ---- */

/* Type, numbers, mode and owner: of the description, else of the host. */
static int
cdi_node_fill(const struct cdi_apply *a, const struct cdi_node *n,
    struct devlist_entry *e)
{
	const struct {
		const char *key;
		uint64_t have;
	} rows[] = {
		{ "major", e->major },
		{ "minor", e->minor },
		{ "fileMode", e->mode },
		{ "uid", a->how->user->uid > 0 ? a->how->user->uid : e->uid },
		{ "gid", a->how->user->gid > 0 ? a->how->user->gid : e->gid },
	};
	uint64_t got[5];
	const char *type;

	for (size_t i = 0; i < 5; i++) {
		if (json_want_size(n->what, rows[i].key, false, &got[i],
			a->err) == -1)
			return -1;
		if (json_object_get(n->what, rows[i].key) == NULL)
			got[i] = rows[i].have;
		if (got[i] > UINT32_MAX)
			return cerr_set(a->err, CERR_FAILED_PRECONDITION,
			    "CDI: %s: out of range", rows[i].key);
	}
	if (json_want_str(n->what, "type", false, &type, a->err) == -1)
		return -1;
	if (type[0] != '\0')
		e->type = type[0] == 'u' ? 'c' : type[0];
	e->major = (unsigned int)got[0];
	e->minor = (unsigned int)got[1];
	e->mode = (mode_t)got[2] & 07777;
	e->uid = (uid_t)got[3];
	e->gid = (gid_t)got[4];
	return 0;
}

static int
cdi_node_rule(struct cdi_apply *a, const struct cdi_node *n,
    const struct devlist_entry *e)
{
	json_t *linux = cdi_member(a->spec, "linux", false);
	json_t *rules =
	    cdi_member(cdi_member(linux, "resources", false), "devices", true);
	char type[2] = { e->type, '\0' };
	const char *access;

	if (e->type == 'p')
		return 0;
	if (json_want_str(n->what, "permissions", false, &access, a->err) == -1)
		return -1;
	if (strlen(access) > 3 || strspn(access, "rwm") != strlen(access))
		return cerr_set(a->err, CERR_FAILED_PRECONDITION,
		    "CDI: permissions \"%.8s\"", access);
	return cdi_append(a, rules,
	    json_pack("{s:b, s:s, s:I, s:I, s:s}", "allow", 1, "type", type,
		"major", (json_int_t)e->major, "minor", (json_int_t)e->minor,
		"access", access[0] != '\0' ? access : "rwm"));
}

static int
cdi_node_make(struct cdi_apply *a, const char *to,
    const struct devlist_entry *e)
{
	json_t *devices =
	    cdi_member(cdi_member(a->spec, "linux", false), "devices", true);
	char type[2] = { e->type, '\0' };

	cdi_remove(devices, "path", to);
	return cdi_append(a, devices,
	    json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "path", to, "type",
		type, "major", (json_int_t)e->major, "minor",
		(json_int_t)e->minor, "fileMode", (json_int_t)e->mode, "uid",
		(json_int_t)e->uid, "gid", (json_int_t)e->gid));
}

static int
cdi_node(struct cdi_apply *a, json_t *v)
{
	const struct cdi_node *n = &a->c->nodes[a->node++];
	struct devlist_entry e = { .mode = 0666 };
	char to[POLICY_PATH_MAX];

	if (policy_clean_path("CDI: path",
		json_string_value(json_object_get(v, "path")), to,
		a->err) == -1)
		return -1;
	if (n->list.n == 1 && strcmp(n->list.entries[0].path, n->host) == 0)
		e = n->list.entries[0];
	else if (!n->known)
		return cerr_set(a->err, CERR_FAILED_PRECONDITION,
		    "CDI: %.256s is not a device", n->host);
	if (cdi_node_fill(a, n, &e) == -1 || cdi_node_rule(a, n, &e) == -1)
		return -1;
	/* Nobody makes devices in a user namespace. */
	if (a->how->userns)
		return cdi_put_mount(a, to,
		    json_pack("{s:s, s:s, s:s, s:[s,s,s,s]}", "destination", to,
			"source", n->host, "type", "bind", "options", "bind",
			"rprivate", "nosuid", "noexec"));
	return cdi_node_make(a, to, &e);
}

/* ---- hooks, groups ---- */

static int
cdi_hook(struct cdi_apply *a, json_t *v)
{
	static const char *const stages[] = { "prestart", "createRuntime",
		"createContainer", "startContainer", "poststart", "poststop" };
	static const char *const keys[] = { "path", "args", "env", "timeout" };
	const char *stage, *path;
	json_t *hook = json_object(), *list;
	size_t i = 0;

	if (json_want_str(v, "hookName", true, &stage, a->err) == -1 ||
	    json_want_str(v, "path", true, &path, a->err) == -1) {
		json_decref(hook);
		return -1;
	}
	while (i < 6 && strcmp(stages[i], stage) != 0)
		i++;
	if (i == 6 || path[0] != '/' || !a->how->hooks) {
		json_decref(hook);
		return cerr_set(a->err, CERR_FAILED_PRECONDITION,
		    !a->how->hooks
			? "CDI: hook %.64s %.256s: \"cdi hooks\" of "
			  "criod.conf does not allow any"
			: "CDI: hook %.64s %.256s: no such stage, or path",
		    stage, path);
	}
	for (i = 0; i < 4; i++) {
		json_t *one = json_object_get(v, keys[i]);

		if (one != NULL)
			(void)json_object_set(hook, keys[i], one);
	}
	list = cdi_member(cdi_member(a->spec, "hooks", false), stage, true);
	return cdi_append(a, list, hook);
}

static int
cdi_gid(struct cdi_apply *a, json_t *v)
{
	json_t *user =
	    cdi_member(cdi_member(a->spec, "process", false), "user", false);
	json_int_t gid = json_integer_value(v);

	if (!json_is_integer(v) || gid <= 0 || gid >= UINT32_MAX)
		return cerr_set(a->err, CERR_FAILED_PRECONDITION,
		    "CDI: additionalGids: not a group");
	return cdi_append(a, cdi_member(user, "additionalGids", true),
	    json_incref(v));
}

static const struct {
	const char *key;
	int (*fn)(struct cdi_apply *a, json_t *v);
} cdi_steps[] = {
	{ "env", cdi_env },
	{ "deviceNodes", cdi_node },
	{ "mounts", cdi_mount },
	{ "hooks", cdi_hook },
	{ "additionalGids", cdi_gid },
};

static int
cdi_step(struct cdi_apply *a, size_t step, const json_t *edits)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(edits, cdi_steps[step].key), i, v) {
		if (cdi_steps[step].fn(a, v) == -1)
			return -1;
	}
	return 0;
}

int
cdi_apply(const struct cdi *c, const struct cdi_how *how, json_t *spec,
    struct cerr *err)
{
	struct cdi_apply a = { .c = c, .how = how, .spec = spec, .err = err };
	json_t *edits;
	size_t i;

	json_array_foreach(c->edits, i, edits) {
		for (size_t k = 0; k < sizeof(cdi_steps) / sizeof(cdi_steps[0]);
		     k++) {
			if (cdi_step(&a, k, edits) == 0)
				continue;
			if (err->code == CERR_INVALID_ARGUMENT)
				err->code = CERR_FAILED_PRECONDITION;
			return -1;
		}
	}
	return 0;
}
