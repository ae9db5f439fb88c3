#include <stdio.h>
#include <string.h>

#include "execd/ctr_flags.h"
#include "execd/nri_apply.h"
#include "execd/nri_json.h"
#include "execd/spec_part.h"
#include "lib/fdio.h"

#define NRI_ITEMS_MAX 1024 /* of any list */

struct nri_apply {
	const struct nri_rules *rules;
	const Nri__ContainerAdjustment *adjust;
	struct spec_out *spec;
	json_t *process, *linux; /* of the configuration; borrowed */
	struct cerr *err;
};

static int
nri_no_memory(struct nri_apply *a)
{
	return cerr_set(a->err, CERR_RESOURCE_EXHAUSTED,
	    "NRI adjustment: no memory, or not UTF-8");
}

static int
nri_bad(struct nri_apply *a, const char *what, const char *value)
{
	return cerr_set(a->err, CERR_INVALID_ARGUMENT,
	    "NRI adjustment: %s \"%.128s\"", what, value);
}

static bool
nri_removal(const char **key)
{
	if (**key != '-')
		return false;
	++*key;
	return true;
}

/* parent's member key, made if it is not there; NULL without memory. */
static json_t *
nri_member(json_t *parent, const char *key, json_t *fresh)
{
	json_t *o = json_object_get(parent, key);

	if (o != NULL) {
		json_decref(fresh);
		return o;
	}
	return json_object_set_new(parent, key, fresh) == 0 ? fresh : NULL;
}

/* Takes value. */
static int
nri_set(struct nri_apply *a, json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0 ? 0
							    : nri_no_memory(a);
}

static int
nri_append(struct nri_apply *a, json_t *array, json_t *value)
{
	return json_array_append_new(array, value) == 0 ? 0 : nri_no_memory(a);
}

/* Takes out what has key as its name. */
static void
nri_drop(json_t *array, const char *name, const char *key)
{
	for (size_t i = json_array_size(array); i > 0; i--) {
		const char *v = json_string_value(
		    json_object_get(json_array_get(array, i - 1), name));

		if (v != NULL && strcmp(v, key) == 0)
			(void)json_array_remove(array, i - 1);
	}
}

/* ---- what is refused ---- */

static int
nri_check_allowed(struct nri_apply *a)
{
	const Criod__BootExecd *boot = a->rules->boot;
	const Nri__LinuxContainerAdjustment *l = a->adjust->linux;
	const struct {
		bool asked;
		const char *what;
	} rows[] = {
		{ a->adjust->hooks != NULL && !boot->nri_hooks, "hooks" },
		{ l != NULL && l->seccomp_policy != NULL && !boot->nri_seccomp,
		    "a seccomp policy" },
		{ l != NULL && l->n_namespaces > 0, "namespaces" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].asked)
			return cerr_set(a->err, CERR_PERMISSION_DENIED,
			    "NRI adjustment: criod.conf does not allow %s",
			    rows[i].what);
	}
	return 0;
}

static bool
nri_named(const Nri__OptionalString *class)
{
	return class != NULL && class->value[0] != '\0';
}

/* Nothing here is passed over: a plugin relies on what it asks for. */
static int
nri_check_supported(struct nri_apply *a)
{
	const Nri__LinuxContainerAdjustment *l = a->adjust->linux;
	const Nri__LinuxResources *r = l != NULL ? l->resources : NULL;
	const struct {
		bool asked;
		const char *what;
	} rows[] = {
		{ l != NULL && l->io_priority != NULL, "an I/O priority" },
		{ l != NULL && l->scheduler != NULL, "a scheduler" },
		{ l != NULL && l->rdt != NULL, "RDT" },
		{ l != NULL && l->memory_policy != NULL, "a memory policy" },
		{ l != NULL && l->n_net_devices > 0, "network devices" },
		{ r != NULL && nri_named(r->blockio_class), "an I/O class" },
		{ r != NULL && nri_named(r->rdt_class), "an RDT class" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].asked)
			return cerr_set(a->err, CERR_FAILED_PRECONDITION,
			    "NRI adjustment: %s cannot be set here",
			    rows[i].what);
	}
	return 0;
}

static int
nri_check_lengths(struct nri_apply *a)
{
	const Nri__ContainerAdjustment *j = a->adjust;
	const Nri__LinuxContainerAdjustment *l = j->linux;

	if (j->n_annotations > NRI_ITEMS_MAX || j->n_mounts > NRI_ITEMS_MAX ||
	    j->n_env > 65536 || j->n_args > 4096 ||
	    j->n_rlimits > NRI_ITEMS_MAX ||
	    (l != NULL &&
		(l->n_devices > NRI_ITEMS_MAX || l->n_sysctl > NRI_ITEMS_MAX)))
		return cerr_set(a->err, CERR_INVALID_ARGUMENT,
		    "NRI adjustment: too long a list");
	return 0;
}

/* ---- annotations, environment, arguments ---- */

/* Those that change what runtimes do are no annotations but orders. */
static bool
nri_annotation_steers(const char *key)
{
	static const char *const starts[] = { "run.oci.", "org.criu.",
		"org.systemd.", "io.katacontainers.", "dev.gvisor.",
		"module.wasm.", "io.kubernetes.cri-o." };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (strncmp(key, starts[i], strlen(starts[i])) == 0)
			return true;
	}
	return false;
}

static int
nri_annotations(struct nri_apply *a)
{
	json_t *o;

	if (a->adjust->n_annotations == 0)
		return 0;
	o = nri_member(a->spec->root, "annotations", json_object());
	if (o == NULL)
		return nri_no_memory(a);
	for (size_t i = 0; i < a->adjust->n_annotations; i++) {
		const char *key = a->adjust->annotations[i]->key;

		if (nri_removal(&key)) {
			(void)json_object_del(o, key);
			continue;
		}
		if (nri_annotation_steers(key))
			return cerr_set(a->err, CERR_PERMISSION_DENIED,
			    "NRI adjustment: annotation %.128s", key);
		if (nri_set(a, o, key,
			json_string(a->adjust->annotations[i]->value)) == -1)
			return -1;
	}
	return 0;
}

static void
nri_env_drop(json_t *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = json_array_size(env); i > 0; i--) {
		const char *v = json_string_value(json_array_get(env, i - 1));

		if (v != NULL && strncmp(v, name, len) == 0 && v[len] == '=')
			(void)json_array_remove(env, i - 1);
	}
}

static int
nri_env(struct nri_apply *a)
{
	json_t *env = json_object_get(a->process, "env");

	for (size_t i = 0; i < a->adjust->n_env; i++) {
		const Nri__KeyValue *kv = a->adjust->env[i];
		const char *name = kv->key;
		bool removal = nri_removal(&name);

		if (name[0] == '\0' || strchr(name, '=') != NULL)
			return nri_bad(a, "environment variable", name);
		nri_env_drop(env, name);
		if (!removal &&
		    nri_append(a, env,
			json_sprintf("%s=%s", name, kv->value)) == -1)
			return -1;
	}
	return 0;
}

static int
nri_args(struct nri_apply *a)
{
	json_t *args;

	if (a->adjust->n_args == 0)
		return 0;
	args = json_array();
	if (args == NULL || nri_set(a, a->process, "args", args) == -1)
		return nri_no_memory(a);
	for (size_t i = 0; i < a->adjust->n_args; i++) {
		if (nri_append(a, args, json_string(a->adjust->args[i])) == -1)
			return -1;
	}
	return 0;
}

/* ---- hooks, limits ---- */

/* Takes list; its elements go to the end of what the stage has. */
static int
nri_hooks_stage(struct nri_apply *a, json_t *hooks, const char *stage,
    json_t *list)
{
	json_t *have = nri_member(hooks, stage, json_array()), *v;
	size_t i;

	if (have == NULL)
		return nri_no_memory(a);
	json_array_foreach(list, i, v) {
		const char *path =
		    json_string_value(json_object_get(v, "path"));

		if (path == NULL)
			return nri_bad(a, "hook", stage);
		if (policy_check_path("NRI adjustment: hook", path, a->err) ==
			-1 ||
		    nri_append(a, have, json_incref(v)) == -1)
			return -1;
	}
	return 0;
}

static int
nri_hooks(struct nri_apply *a)
{
	json_t *from, *to, *list;
	const char *stage;
	int rv = 0;

	if (a->adjust->hooks == NULL)
		return 0;
	from = nri_json_from(a->adjust->hooks);
	to = nri_member(a->spec->root, "hooks", json_object());
	if (from == NULL || to == NULL)
		rv = nri_no_memory(a);
	json_object_foreach(from, stage, list) {
		if (rv == 0)
			rv = nri_hooks_stage(a, to, stage, list);
	}
	json_decref(from);
	return rv;
}

static int
nri_rlimits(struct nri_apply *a)
{
	json_t *list;

	if (a->adjust->n_rlimits == 0)
		return 0;
	list = nri_member(a->process, "rlimits", json_array());
	if (list == NULL)
		return nri_no_memory(a);
	for (size_t i = 0; i < a->adjust->n_rlimits; i++) {
		const Nri__POSIXRlimit *r = a->adjust->rlimits[i];
		const char *type = r->type;

		if (nri_removal(&type)) {
			nri_drop(list, "type", type);
			continue;
		}
		if (strncmp(type, "RLIMIT_", 7) != 0 || strlen(type) > 32 ||
		    r->soft > r->hard || r->hard > INT64_MAX)
			return nri_bad(a, "rlimit", type);
		nri_drop(list, "type", type);
		if (nri_append(a, list, nri_json_from(r)) == -1)
			return -1;
	}
	return 0;
}

/* ---- mounts ---- */

static bool
nri_mount_type(const char *type)
{
	static const char *const types[] = { "", "bind", "none", "tmpfs",
		"cgroup", "cgroup2", "mqueue", "sysfs", "devpts", "hugetlbfs" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(type, types[i]) == 0)
			return true;
	}
	return false;
}

static bool
nri_mount_is_bind(const Nri__Mount *m)
{
	for (size_t i = 0; i < m->n_options; i++) {
		if (strcmp(m->options[i], "bind") == 0 ||
		    strcmp(m->options[i], "rbind") == 0)
			return true;
	}
	return strcmp(m->type, "bind") == 0 || m->type[0] == '\0';
}

/* Words and numbers, "size=64m"; sharing with the host is for privileged. */
static int
nri_mount_options(struct nri_apply *a, const Nri__Mount *m)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=_.%-";

	if (m->n_options > 64)
		return nri_bad(a, "mount with too many options",
		    m->destination);
	for (size_t i = 0; i < m->n_options; i++) {
		const char *o = m->options[i];

		if (o[0] == '\0' || strlen(o) > 128 ||
		    o[strspn(o, set)] != '\0')
			return nri_bad(a, "mount option", o);
		if ((strcmp(o, "rshared") == 0 || strcmp(o, "shared") == 0) &&
		    !a->rules->privileged)
			return cerr_set(a->err, CERR_PERMISSION_DENIED,
			    "NRI adjustment: only a privileged container may "
			    "share mounts with the host");
	}
	return 0;
}

static int
nri_mount_check(struct nri_apply *a, const Nri__Mount *m,
    char to[POLICY_PATH_MAX])
{
	const char *source = m->source;

	if (policy_clean_path("NRI adjustment: mount", m->destination, to,
		a->err) == -1 ||
	    nri_mount_options(a, m) == -1)
		return -1;
	if (!nri_mount_type(m->type))
		return nri_bad(a, "mount type", m->type);
	if (nri_mount_is_bind(m) &&
	    policy_check_path("NRI adjustment: mount source", source, a->err) ==
		-1)
		return -1;
	if (to[1] == '\0' || !spec_mount_proc_allowed(to, source))
		return nri_bad(a, "nothing may be mounted at", to);
	return 0;
}

static size_t
nri_depth(const char *path)
{
	size_t n = 0;

	for (; path != NULL && *path != '\0'; path++)
		n += *path == '/';
	return n;
}

/* Behind those of its depth: parents come first. */
static size_t
nri_mount_place(const json_t *mounts, const char *to)
{
	size_t depth = nri_depth(to), i;
	json_t *v;

	json_array_foreach(mounts, i, v) {
		if (nri_depth(json_string_value(
			json_object_get(v, "destination"))) > depth)
			return i;
	}
	return json_array_size(mounts);
}

/* A mount that is to reach the container later needs a root that lets it. */
static int
nri_mount_propagation(struct nri_apply *a, const Nri__Mount *m)
{
	const char *have =
	    json_string_value(json_object_get(a->linux, "rootfsPropagation"));

	for (size_t i = 0; i < m->n_options; i++) {
		const char *o = m->options[i];
		bool shared = strcmp(o, "rshared") == 0;

		if (!shared && strcmp(o, "rslave") != 0)
			continue;
		if (!shared && have != NULL && strcmp(have, "rshared") == 0)
			continue;
		return nri_set(a, a->linux, "rootfsPropagation",
		    json_string(o));
	}
	return 0;
}

static int
nri_mount(struct nri_apply *a, json_t *mounts, const Nri__Mount *m)
{
	char to[POLICY_PATH_MAX];
	json_t *o;

	if (nri_mount_check(a, m, to) == -1 ||
	    nri_mount_propagation(a, m) == -1)
		return -1;
	o = nri_json_from(m);
	if (o == NULL ||
	    json_object_set_new(o, "destination", json_string(to)) == -1 ||
	    (m->type[0] == '\0' &&
		json_object_set_new(o, "type", json_string("bind")) == -1)) {
		json_decref(o);
		return nri_no_memory(a);
	}
	nri_drop(mounts, "destination", to);
	return json_array_insert_new(mounts, nri_mount_place(mounts, to), o) ==
		       0
		   ? 0
		   : nri_no_memory(a);
}

static int
nri_mounts(struct nri_apply *a)
{
	json_t *mounts = json_object_get(a->spec->root, "mounts");

	for (size_t i = 0; i < a->adjust->n_mounts; i++) {
		const char *to = a->adjust->mounts[i]->destination;

		if (nri_removal(&to))
			nri_drop(mounts, "destination", to);
	}
	for (size_t i = 0; i < a->adjust->n_mounts; i++) {
		if (a->adjust->mounts[i]->destination[0] != '-' &&
		    nri_mount(a, mounts, a->adjust->mounts[i]) == -1)
			return -1;
	}
	return 0;
}

/* ---- devices ---- */

static int
nri_device_rule(struct nri_apply *a, const Nri__LinuxDevice *d)
{
	json_t *r = nri_member(a->linux, "resources", json_object());
	json_t *rules = nri_member(r, "devices", json_array());

	if (rules == NULL)
		return nri_no_memory(a);
	return nri_append(a, rules,
	    json_pack("{s:b, s:s, s:I, s:I, s:s}", "allow", 1, "type", d->type,
		"major", (json_int_t)d->major, "minor", (json_int_t)d->minor,
		"access", "rwm"));
}

static int
nri_device(struct nri_apply *a, json_t *list, const Nri__LinuxDevice *d)
{
	const char *path = d->path;

	if (nri_removal(&path)) {
		nri_drop(list, "path", path);
		return 0;
	}
	if (policy_check_path("NRI adjustment: device", path, a->err) == -1)
		return -1;
	if (strlen(d->type) != 1 || strchr("bcu", d->type[0]) == NULL ||
	    d->major < 0 || d->minor < 0 || d->major > UINT32_MAX ||
	    d->minor > UINT32_MAX)
		return nri_bad(a, "device", path);
	nri_drop(list, "path", path);
	if (nri_append(a, list, nri_json_from(d)) == -1)
		return -1;
	return nri_device_rule(a, d);
}

static int
nri_devices(struct nri_apply *a)
{
	const Nri__LinuxContainerAdjustment *l = a->adjust->linux;
	json_t *list = nri_member(a->linux, "devices", json_array());

	if (list == NULL)
		return nri_no_memory(a);
	for (size_t i = 0; i < l->n_devices; i++) {
		if (nri_device(a, list, l->devices[i]) == -1)
			return -1;
	}
	return 0;
}

/* ---- resources ---- */

/* Every member of from goes to to. */
static int
nri_overlay(struct nri_apply *a, json_t *to, json_t *from)
{
	return json_object_update(to, from) == 0 ? 0 : nri_no_memory(a);
}

/* A swap limit that would be below the new memory limit follows it. */
static int
nri_memory(struct nri_apply *a, json_t *to, json_t *from)
{
	json_t *limit = json_object_get(from, "limit");
	json_t *swap = json_object_get(to, "swap");

	if (nri_overlay(a, to, from) == -1)
		return -1;
	if (limit == NULL || json_object_get(from, "swap") != NULL ||
	    swap == NULL || json_integer_value(swap) < 0 ||
	    json_integer_value(swap) >= json_integer_value(limit))
		return 0;
	return nri_set(a, to, "swap", json_incref(limit));
}

static int
nri_unified(struct nri_apply *a, json_t *to, json_t *from)
{
	const char *key;
	json_t *v;

	if (!a->rules->boot->cgroup2)
		return cerr_set(a->err, CERR_FAILED_PRECONDITION,
		    "NRI adjustment: unified: this host has no cgroup v2");
	json_object_foreach(from, key, v) {
		if (!spec_unified_key(key))
			return nri_bad(a, "unified", key);
	}
	return nri_overlay(a, to, from);
}

static int
nri_hugepages(struct nri_apply *a, json_t *to, json_t *from)
{
	size_t i;
	json_t *v;

	if (!a->rules->boot->hugetlb)
		return 0;
	json_array_foreach(from, i, v) {
		const char *size =
		    json_string_value(json_object_get(v, "pageSize"));

		if (size == NULL || !spec_page_size(size))
			return nri_bad(a, "huge pages",
			    size == NULL ? "" : size);
		nri_drop(to, "pageSize", size);
		if (nri_append(a, to, json_incref(v)) == -1)
			return -1;
	}
	return 0;
}

static int
nri_rules_add(struct nri_apply *a, json_t *to, json_t *from)
{
	return json_array_extend(to, from) == 0 ? 0 : nri_no_memory(a);
}

static const struct {
	const char *key;
	json_type type;
	int (*put)(struct nri_apply *a, json_t *to, json_t *from);
} nri_resource_parts[] = {
	{ "cpu", JSON_OBJECT, nri_overlay },
	{ "memory", JSON_OBJECT, nri_memory },
	{ "pids", JSON_OBJECT, nri_overlay },
	{ "unified", JSON_OBJECT, nri_unified },
	{ "hugepageLimits", JSON_ARRAY, nri_hugepages },
	{ "devices", JSON_ARRAY, nri_rules_add },
};

static int
nri_resources_into(struct nri_apply *a, json_t *to, json_t *from)
{
	size_t n = sizeof(nri_resource_parts) / sizeof(nri_resource_parts[0]);

	for (size_t i = 0; i < n; i++) {
		json_t *part = json_object_get(from, nri_resource_parts[i].key);
		json_t *have;

		if (part == NULL)
			continue;
		have = nri_member(to, nri_resource_parts[i].key,
		    nri_resource_parts[i].type == JSON_ARRAY ? json_array()
							     : json_object());
		if (have == NULL)
			return nri_no_memory(a);
		if (nri_resource_parts[i].put(a, have, part) == -1)
			return -1;
	}
	return 0;
}

static int
nri_resources(struct nri_apply *a)
{
	const Nri__LinuxResources *r = a->adjust->linux->resources;
	json_t *to = nri_member(a->linux, "resources", json_object()), *from;
	int rv;

	if (r == NULL)
		return 0;
	from = nri_json_from(r);
	rv = from == NULL || to == NULL ? nri_no_memory(a)
					: nri_resources_into(a, to, from);
	json_decref(from);
	return rv;
}

/* ---- the rest of linux ---- */

static int
nri_oom(struct nri_apply *a)
{
	const Nri__OptionalInt *o = a->adjust->linux->oom_score_adj;
	int64_t v;

	if (o == NULL)
		return 0;
	v = o->value;
	if (v < -1000 || v > 1000)
		return cerr_set(a->err, CERR_INVALID_ARGUMENT,
		    "NRI adjustment: oom_score_adj %lld", (long long)v);
	if (v < a->rules->boot->oom_score_adj_min)
		v = a->rules->boot->oom_score_adj_min;
	a->spec->oom_score_adj = v;
	return nri_set(a, a->process, "oomScoreAdj", json_integer(v));
}

static int
nri_sysctl(struct nri_apply *a)
{
	const Nri__LinuxContainerAdjustment *l = a->adjust->linux;
	json_t *o = NULL;
	char path[POLICY_SYSCTL];

	if (l->n_sysctl > 0) {
		o = nri_member(a->linux, "sysctl", json_object());
		if (o == NULL)
			return nri_no_memory(a);
	}
	for (size_t i = 0; i < l->n_sysctl; i++) {
		const char *key = l->sysctl[i]->key;

		if (nri_removal(&key)) {
			(void)json_object_del(o, key);
			continue;
		}
		if (policy_check_sysctl(key, l->sysctl[i]->value,
			a->rules->pod->namespaces, path, a->err) == -1 ||
		    nri_set(a, o, key, json_string(l->sysctl[i]->value)) == -1)
			return -1;
	}
	return 0;
}

static int
nri_seccomp(struct nri_apply *a)
{
	const Nri__LinuxSeccomp *s = a->adjust->linux->seccomp_policy;

	if (s == NULL)
		return 0;
	if (s->listener_path[0] != '\0')
		return cerr_set(a->err, CERR_PERMISSION_DENIED,
		    "NRI adjustment: a seccomp listener");
	a->spec->flags |= CTR_FLAG_SECCOMP;
	return nri_set(a, a->linux, "seccomp", nri_json_from(s));
}

/* A container stays where its pod is accounted for. */
static int
nri_cgroups_path(struct nri_apply *a)
{
	const char *asked = a->adjust->linux->cgroups_path;
	const char *have =
	    json_string_value(json_object_get(a->linux, "cgroupsPath"));

	if (asked[0] == '\0' || (have != NULL && strcmp(asked, have) == 0))
		return 0;
	return cerr_set(a->err, CERR_PERMISSION_DENIED,
	    "NRI adjustment: a container stays in its pod's cgroup");
}

static int
nri_linux(struct nri_apply *a)
{
	if (a->adjust->linux == NULL)
		return 0;
	if (nri_devices(a) == -1 || nri_resources(a) == -1 ||
	    nri_oom(a) == -1 || nri_sysctl(a) == -1)
		return -1;
	return nri_seccomp(a) == -1 ? -1 : nri_cgroups_path(a);
}

int
nri_apply(const struct nri_rules *rules, const Nri__ContainerAdjustment *adjust,
    struct spec_out *spec, struct cerr *err)
{
	struct nri_apply a = {
		.rules = rules,
		.adjust = adjust,
		.spec = spec,
		.process = json_object_get(spec->root, "process"),
		.linux = json_object_get(spec->root, "linux"),
		.err = err,
	};

	if (nri_check_lengths(&a) == -1 || nri_check_allowed(&a) == -1 ||
	    nri_check_supported(&a) == -1)
		return -1;
	if (nri_annotations(&a) == -1 || nri_env(&a) == -1 ||
	    nri_args(&a) == -1 || nri_hooks(&a) == -1 ||
	    nri_rlimits(&a) == -1 || nri_mounts(&a) == -1)
		return -1;
	return nri_linux(&a);
}
