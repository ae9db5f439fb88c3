#include <stddef.h>
#include <string.h>

#include "criod/check.h"
#include "criod/check_linux.h"
#include "criod/check_tab.h"

#define CHECK_FIELD(type, field) #field, offsetof(type, field)
#define CHECK_LIST(type, field)                                                \
#field, offsetof(type, n_##field), offsetof(type, field)
#define CHECK_MANY 16384 /* mounts, devices, environment entries */

#define CHECK_SEC "config.linux.security_context"

static const struct check_string check_config[] = {
	{ CHECK_FIELD(Runtime__V1__ContainerConfig, working_dir),
	    check_value_opt_path },
	{ CHECK_FIELD(Runtime__V1__ContainerConfig, log_path),
	    check_value_opt_relative },
};

static const struct check_list check_config_lists[] = {
	{ CHECK_LIST(Runtime__V1__ContainerConfig, command), check_value_any,
	    CHECK_MANY },
	{ CHECK_LIST(Runtime__V1__ContainerConfig, args), check_value_any,
	    CHECK_MANY },
};

static const struct check_list check_security_lists[] = {
	{ CHECK_LIST(Runtime__V1__LinuxContainerSecurityContext, masked_paths),
	    check_value_path, 1024 },
	{ CHECK_LIST(Runtime__V1__LinuxContainerSecurityContext,
	      readonly_paths),
	    check_value_path, 1024 },
};

static const struct check_list check_capabilities[] = {
	{ CHECK_LIST(Runtime__V1__Capability, add_capabilities),
	    check_value_capability, 64 },
	{ CHECK_LIST(Runtime__V1__Capability, drop_capabilities),
	    check_value_capability, 64 },
	{ CHECK_LIST(Runtime__V1__Capability, add_ambient_capabilities),
	    check_value_capability, 64 },
};

static const struct check_string check_device_strings[] = {
	{ CHECK_FIELD(Runtime__V1__Device, container_path), check_value_path },
	{ CHECK_FIELD(Runtime__V1__Device, host_path), check_value_path },
	{ CHECK_FIELD(Runtime__V1__Device, permissions),
	    check_value_opt_permissions },
};

/* ---- mounts, devices, environment ---- */

/* A path of the host, or an image and a path in it. */
static int
check_mount_source(const Runtime__V1__Mount *m, const char *item,
    struct cerr *err)
{
	bool image = m->image != NULL && m->image->image[0] != '\0';
	const char *why = image ? NULL : check_value_path(m->host_path);

	if (why != NULL)
		return check_fail(err, item, "host_path", why);
	if (image && m->host_path[0] != '\0')
		return check_fail(err, item, "host_path", "given with image");
	if (!image && m->image_sub_path[0] != '\0')
		return check_fail(err, item, "image_sub_path",
		    "given without image");
	why = check_value_opt_relative(m->image_sub_path);
	return why == NULL ? 0 : check_fail(err, item, "image_sub_path", why);
}

static const char *
check_mount_recursive(const Runtime__V1__Mount *m)
{
	if (!m->recursive_read_only)
		return NULL;
	if (!m->readonly)
		return "needs readonly";
	if (m->propagation !=
	    RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_PRIVATE)
		return "needs private propagation";
	return NULL;
}

static int
check_mount(const Runtime__V1__Mount *m, size_t i, struct cerr *err)
{
	const char *why;
	char item[CHECK_PATH_SIZE];

	check_path_item(item, "config", "mounts", i);
	if (m->n_mount_options > 0)
		return check_fail(err, item, "mount_options", "not supported");
	why = check_value_path(m->container_path);
	if (why != NULL)
		return check_fail(err, item, "container_path", why);
	if (check_mount_source(m, item, err) == -1)
		return -1;
	why = check_mount_recursive(m);
	if (why != NULL)
		return check_fail(err, item, "recursive_read_only", why);
	return 0;
}

static int
check_mounts(const Runtime__V1__ContainerConfig *c, struct cerr *err)
{
	if (c->n_mounts > CHECK_MANY)
		return check_fail(err, "config", "mounts", "too many");
	for (size_t i = 0; i < c->n_mounts; i++) {
		if (check_mount(c->mounts[i], i, err) == -1)
			return -1;
	}
	return 0;
}

static int
check_devices(const Runtime__V1__ContainerConfig *c, struct cerr *err)
{
	char item[CHECK_PATH_SIZE];

	if (c->n_cdi_devices > CHECK_MANY)
		return check_fail(err, "config", "CDI_devices", "too many");
	if (c->n_devices > CHECK_MANY)
		return check_fail(err, "config", "devices", "too many");
	for (size_t i = 0; i < c->n_devices; i++) {
		check_path_item(item, "config", "devices", i);
		if (check_strings(c->devices[i], item, check_device_strings,
			CHECK_COUNT(check_device_strings), err) == -1)
			return -1;
	}
	return 0;
}

static const char *
check_env_value(const Runtime__V1__KeyValue *e)
{
	if (e->value.len > 0 &&
	    memchr(e->value.data, '\0', e->value.len) != NULL)
		return "has a NUL character";
	return NULL;
}

static int
check_envs(const Runtime__V1__ContainerConfig *c, struct cerr *err)
{
	char item[CHECK_PATH_SIZE];

	if (c->n_envs > CHECK_MANY)
		return check_fail(err, "config", "envs", "too many");
	for (size_t i = 0; i < c->n_envs; i++) {
		const char *key = check_value_env_name(c->envs[i]->key);
		const char *value = check_env_value(c->envs[i]);

		if (key == NULL && value == NULL)
			continue;
		check_path_item(item, "config", "envs", i);
		return check_fail(err, item, key != NULL ? "key" : "value",
		    key != NULL ? key : value);
	}
	return 0;
}

/* ---- security ---- */

static int
check_ctr_security(const Runtime__V1__LinuxContainerSecurityContext *s,
    struct cerr *err)
{
	struct check_identity id;

	if (s == NULL)
		return 0;
	id = (struct check_identity){ s->run_as_user, s->run_as_group,
		s->run_as_username, s->supplemental_groups,
		s->n_supplemental_groups };
	if (check_identity(&id, CHECK_SEC, err) == -1 ||
	    check_namespaces(s->namespace_options, false, CHECK_SEC, err) ==
		-1 ||
	    check_seccomp(s->seccomp, s->seccomp_profile_path, CHECK_SEC,
		err) == -1 ||
	    check_apparmor(s->apparmor, s->apparmor_profile, CHECK_SEC, err) ==
		-1 ||
	    check_selinux(s->selinux_options, CHECK_SEC ".selinux_options",
		err) == -1 ||
	    check_lists(s, CHECK_SEC, check_security_lists,
		CHECK_COUNT(check_security_lists), err) == -1)
		return -1;
	if (s->capabilities == NULL)
		return 0;
	return check_lists(s->capabilities, CHECK_SEC ".capabilities",
	    check_capabilities, CHECK_COUNT(check_capabilities), err);
}

static int
check_ctr_linux(const Runtime__V1__LinuxContainerConfig *l, struct cerr *err)
{
	if (l == NULL)
		return 0;
	if (check_ctr_security(l->security_context, err) == -1)
		return -1;
	return check_resources(l->resources, "config.linux.resources", err);
}

static int
check_ctr_config(const Runtime__V1__ContainerConfig *c, struct cerr *err)
{
	const char *why;

	if (c->metadata == NULL)
		return check_fail(err, "config", "metadata", "must be given");
	why = check_value_name(c->metadata->name);
	if (why != NULL)
		return check_fail(err, "config.metadata", "name", why);
	if (protobuf_c_message_get_packed_size(&c->base) > CHECK_CONFIG_MAX)
		return check_fail(err, "config", "", "larger than 3 MiB");
	if (check_image(c->image, "config.image", err) == -1 ||
	    check_enums(c, "config", err) == -1 ||
	    check_strings(c, "config", check_config, CHECK_COUNT(check_config),
		err) == -1 ||
	    check_lists(c, "config", check_config_lists,
		CHECK_COUNT(check_config_lists), err) == -1 ||
	    check_mounts(c, err) == -1 || check_devices(c, err) == -1 ||
	    check_envs(c, err) == -1 ||
	    check_maps((void *const *)c->labels, c->n_labels,
		(void *const *)c->annotations, c->n_annotations, err) == -1)
		return -1;
	return check_ctr_linux(c->linux, err);
}

int
check_create_container(const Runtime__V1__CreateContainerRequest *r,
    struct cerr *err)
{
	if (r->pod_sandbox_id[0] == '\0')
		return check_fail(err, "", "pod_sandbox_id",
		    "must not be empty");
	if (r->config == NULL)
		return check_fail(err, "", "config", "must be given");
	if (r->sandbox_config == NULL)
		return check_fail(err, "", "sandbox_config", "must be given");
	if (r->sandbox_config->metadata == NULL)
		return check_fail(err, "sandbox_config", "metadata",
		    "must be given");
	return check_ctr_config(r->config, err);
}

const Runtime__V1__NamespaceOption *
check_ctr_namespaces(const Runtime__V1__ContainerConfig *config)
{
	if (config->linux == NULL || config->linux->security_context == NULL)
		return NULL;
	return config->linux->security_context->namespace_options;
}

/* The host's namespace, asked for in a pod that has its own. */
static int
check_host_namespace(Runtime__V1__NamespaceMode ctr,
    Runtime__V1__NamespaceMode pod, const char *name, struct cerr *err)
{
	if (ctr != RUNTIME__V1__NAMESPACE_MODE__NODE ||
	    pod == RUNTIME__V1__NAMESPACE_MODE__NODE)
		return 0;
	return check_fail(err, CHECK_SEC ".namespace_options", name,
	    "NODE, but the pod sandbox does not use the host's");
}

int
check_ctr_fits_pod(const Runtime__V1__ContainerConfig *config,
    const Runtime__V1__PodSandboxConfig *pod, struct cerr *err)
{
	static const Runtime__V1__NamespaceOption none =
	    RUNTIME__V1__NAMESPACE_OPTION__INIT;
	const Runtime__V1__NamespaceOption *o = check_ctr_namespaces(config);
	const Runtime__V1__NamespaceOption *p = &none;
	const Runtime__V1__LinuxSandboxSecurityContext *s = NULL;

	if (pod->linux != NULL)
		s = pod->linux->security_context;
	if (s != NULL && s->namespace_options != NULL)
		p = s->namespace_options;
	if (config->linux != NULL && config->linux->security_context != NULL &&
	    config->linux->security_context->privileged &&
	    (s == NULL || !s->privileged))
		return check_fail(err, CHECK_SEC, "privileged",
		    "the pod sandbox is not privileged");
	if (o == NULL)
		return 0;
	if (check_host_namespace(o->network, p->network, "network", err) ==
		-1 ||
	    check_host_namespace(o->ipc, p->ipc, "ipc", err) == -1)
		return -1;
	return check_host_namespace(o->pid, p->pid, "pid", err);
}
