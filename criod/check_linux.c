#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "criod/check_linux.h"
#include "criod/check_tab.h"

#define CHECK_FIELD(type, field) #field, offsetof(type, field)

static int
check_identity_groups(const struct check_identity *id, const char *path,
    struct cerr *err)
{
	char item[CHECK_PATH_SIZE];

	if (id->ngroups > CHECK_GROUPS_MAX)
		return check_fail(err, path, "supplemental_groups", "too many");
	for (size_t i = 0; i < id->ngroups; i++) {
		if (id->groups[i] < 0 || id->groups[i] > CHECK_ID_MAX) {
			check_path_item(item, path, "supplemental_groups", i);
			return check_fail(err, item, "", "out of range");
		}
	}
	return 0;
}

static bool
check_id(const Runtime__V1__Int64Value *v)
{
	return v == NULL || (v->value >= 0 && v->value <= CHECK_ID_MAX);
}

int
check_identity(const struct check_identity *id, const char *path,
    struct cerr *err)
{
	const char *name = id->name == NULL ? "" : id->name;
	const char *why = check_value_opt_user(name);

	if (!check_id(id->user))
		return check_fail(err, path, "run_as_user", "out of range");
	if (!check_id(id->group))
		return check_fail(err, path, "run_as_group", "out of range");
	if (why != NULL)
		return check_fail(err, path, "run_as_username", why);
	if (id->group != NULL && id->user == NULL && name[0] == '\0')
		return check_fail(err, path, "run_as_group",
		    "given without run_as_user or run_as_username");
	return check_identity_groups(id, path, err);
}

/* What clients wrote before there was a field for it; "" is "unset". */
static bool
check_profile_name(const char *name, const char **ref)
{
	static const char *const names[] = { "", "runtime/default",
		"docker/default", "unconfined" };
	static const char local[] = "localhost/";

	*ref = NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	if (strncmp(name, local, sizeof(local) - 1) != 0)
		return false;
	*ref = name + sizeof(local) - 1;
	return true;
}

/* A profile in both of its fields; valid is for a localhost one's name. */
struct check_profile {
	const Runtime__V1__SecurityProfile *profile;
	const char *old, *field, *old_field;
	const char *(*valid)(const char *ref);
};

static int
check_profile(const struct check_profile *c, const char *path, struct cerr *err)
{
	char at[64];
	const char *ref = NULL, *field = c->old_field, *why;

	(void)snprintf(at, sizeof(at), "%s.localhost_ref", c->field);
	if (c->profile != NULL) {
		field = at;
		ref = c->profile->localhost_ref;
		if (c->profile->profile_type !=
		    RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Localhost)
			return ref[0] == '\0'
				   ? 0
				   : check_fail(err, path, at,
					 "given without profile type "
					 "Localhost");
	} else if (!check_profile_name(c->old, &ref)) {
		return check_fail(err, path, field, "no profile");
	}
	why = ref != NULL ? c->valid(ref) : NULL;
	return why != NULL ? check_fail(err, path, field, why) : 0;
}

int
check_seccomp(const Runtime__V1__SecurityProfile *p, const char *deprecated,
    const char *path, struct cerr *err)
{
	const struct check_profile c = { p, deprecated, "seccomp",
		"seccomp_profile_path", check_value_path };

	return check_profile(&c, path, err);
}

int
check_apparmor(const Runtime__V1__SecurityProfile *p, const char *deprecated,
    const char *path, struct cerr *err)
{
	const struct check_profile c = { p, deprecated, "apparmor",
		"apparmor_profile", check_value_word };

	return check_profile(&c, path, err);
}

#define CHECK_USERNS "namespace_options.userns_options"

/* As a kubelet sends it; which ids are allowed is execd's to say. */
static const char *
check_userns_map(Runtime__V1__IDMapping *const *maps, size_t n)
{
	if (n != 1)
		return "must have one mapping";
	if (maps[0]->container_id != 0)
		return "does not map container id 0";
	return maps[0]->length == 0 ? "maps nothing" : NULL;
}

static int
check_userns(const Runtime__V1__UserNamespace *u, const char *path,
    struct cerr *err)
{
	const char *uids, *gids;

	if (u == NULL)
		return 0;
	if (u->mode == RUNTIME__V1__NAMESPACE_MODE__NODE)
		return u->n_uids == 0 && u->n_gids == 0
			   ? 0
			   : check_fail(err, path, CHECK_USERNS,
				 "has mappings without mode POD");
	if (u->mode != RUNTIME__V1__NAMESPACE_MODE__POD)
		return check_fail(err, path, CHECK_USERNS ".mode",
		    "must be POD or NODE");
	uids = check_userns_map(u->uids, u->n_uids);
	if (uids != NULL)
		return check_fail(err, path, CHECK_USERNS ".uids", uids);
	gids = check_userns_map(u->gids, u->n_gids);
	return gids == NULL ? 0
			    : check_fail(err, path, CHECK_USERNS ".gids", gids);
}

static bool
check_is_pod_or_node(Runtime__V1__NamespaceMode mode)
{
	return mode == RUNTIME__V1__NAMESPACE_MODE__POD ||
	       mode == RUNTIME__V1__NAMESPACE_MODE__NODE;
}

int
check_namespaces(const Runtime__V1__NamespaceOption *o, bool pod,
    const char *path, struct cerr *err)
{
	bool target;

	if (o == NULL)
		return 0;
	target = o->pid == RUNTIME__V1__NAMESPACE_MODE__TARGET;
	if (!check_is_pod_or_node(o->network))
		return check_fail(err, path, "namespace_options.network",
		    "must be POD or NODE");
	if (!check_is_pod_or_node(o->ipc))
		return check_fail(err, path, "namespace_options.ipc",
		    "must be POD or NODE");
	if (pod && target)
		return check_fail(err, path, "namespace_options.pid",
		    "must be POD, CONTAINER or NODE");
	if (!pod && target != (o->target_id[0] != '\0'))
		return check_fail(err, path, "namespace_options.target_id",
		    "goes with pid TARGET, and only with it");
	return check_userns(o->userns_options, path, err);
}

#define CHECK_RES(field)                                                       \
	CHECK_FIELD(Runtime__V1__LinuxContainerResources, field)

/* Microseconds: the kernel's bounds of CFS bandwidth, sched(7). */
#define CHECK_CPU_LEAST 1000
#define CHECK_QUOTA_MAX ((INT64_C(1) << 44) - 1)

static const struct check_number check_resource_numbers[] = {
	{ CHECK_RES(cpu_period), 0, 1000000, CHECK_CPU_LEAST },
	{ CHECK_RES(cpu_quota), -1, CHECK_QUOTA_MAX, CHECK_CPU_LEAST },
	{ CHECK_RES(cpu_shares), 0, INT64_MAX, 0 },
	{ CHECK_RES(memory_limit_in_bytes), -1, INT64_MAX, 0 },
	{ CHECK_RES(memory_swap_limit_in_bytes), -1, INT64_MAX, 0 },
	{ CHECK_RES(oom_score_adj), -1000, 1000, 0 },
};

static const struct check_string check_resource_strings[] = {
	{ CHECK_RES(cpuset_cpus), check_value_opt_cpuset },
	{ CHECK_RES(cpuset_mems), check_value_opt_cpuset },
};

static int
check_hugepages(const Runtime__V1__LinuxContainerResources *r, const char *path,
    struct cerr *err)
{
	char item[CHECK_PATH_SIZE];

	if (r->n_hugepage_limits > 64)
		return check_fail(err, path, "hugepage_limits", "too many");
	for (size_t i = 0; i < r->n_hugepage_limits; i++) {
		const char *why =
		    check_value_page_size(r->hugepage_limits[i]->page_size);

		if (why != NULL) {
			check_path_item(item, path, "hugepage_limits", i);
			return check_fail(err, item, "page_size", why);
		}
	}
	return 0;
}

static int
check_unified(const Runtime__V1__LinuxContainerResources *r, const char *path,
    struct cerr *err)
{
	char at[CHECK_PATH_SIZE];

	check_path_item(at, path, "unified", 0);
	*strrchr(at, '[') = '\0';
	return check_map((void *const *)r->unified, r->n_unified, at,
	    check_value_unified_key, check_value_opt_line, err);
}

int
check_resources(const Runtime__V1__LinuxContainerResources *r, const char *path,
    struct cerr *err)
{
	if (r == NULL)
		return 0;
	if (check_numbers(r, path, check_resource_numbers,
		CHECK_COUNT(check_resource_numbers), err) == -1 ||
	    check_strings(r, path, check_resource_strings,
		CHECK_COUNT(check_resource_strings), err) == -1 ||
	    check_hugepages(r, path, err) == -1)
		return -1;
	if (r->memory_swap_limit_in_bytes > 0 &&
	    r->memory_swap_limit_in_bytes < r->memory_limit_in_bytes)
		return check_fail(err, path, "memory_swap_limit_in_bytes",
		    "below memory_limit_in_bytes");
	return check_unified(r, path, err);
}

#define CHECK_SELINUX(field) CHECK_FIELD(Runtime__V1__SELinuxOption, field)

static const struct check_string check_selinux_strings[] = {
	{ CHECK_SELINUX(user), check_value_opt_user },
	{ CHECK_SELINUX(role), check_value_opt_user },
	{ CHECK_SELINUX(type), check_value_opt_user },
	{ CHECK_SELINUX(level), check_value_opt_line },
};

int
check_selinux(const Runtime__V1__SELinuxOption *o, const char *path,
    struct cerr *err)
{
	if (o == NULL)
		return 0;
	return check_strings(o, path, check_selinux_strings,
	    CHECK_COUNT(check_selinux_strings), err);
}
