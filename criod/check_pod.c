#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "criod/check.h"
#include "criod/check_linux.h"
#include "criod/check_tab.h"
#include "criod/pb.h"

#define CHECK_FIELD(type, field) #field, offsetof(type, field)
#define CHECK_DNS(field)                                                       \
#field, offsetof(Runtime__V1__DNSConfig, n_##field),                   \
	    offsetof(Runtime__V1__DNSConfig, field)
#define CHECK_PORTS_MAX 1024

static const struct check_string check_metadata[] = {
	{ CHECK_FIELD(Runtime__V1__PodSandboxMetadata, name),
	    check_value_name },
	{ "namespace", offsetof(Runtime__V1__PodSandboxMetadata, namespace_),
	    check_value_name },
	{ CHECK_FIELD(Runtime__V1__PodSandboxMetadata, uid), check_value_name },
};

static const struct check_string check_config[] = {
	{ CHECK_FIELD(Runtime__V1__PodSandboxConfig, hostname),
	    check_value_opt_hostname },
	{ CHECK_FIELD(Runtime__V1__PodSandboxConfig, log_directory),
	    check_value_opt_path },
};

static const struct check_list check_dns[] = {
	{ CHECK_DNS(servers), check_value_ip, 16 },
	{ CHECK_DNS(searches), check_value_word, 64 },
	{ CHECK_DNS(options), check_value_word, 64 },
};

static int
check_port(const Runtime__V1__PortMapping *p, size_t i, struct cerr *err)
{
	const char *why = check_value_opt_ip(p->host_ip);
	char item[CHECK_PATH_SIZE];

	check_path_item(item, "config", "port_mappings", i);
	if (p->container_port < 0 || p->container_port > 65535)
		return check_fail(err, item, "container_port", "out of range");
	if (p->host_port < 0 || p->host_port > 65535)
		return check_fail(err, item, "host_port", "out of range");
	if (p->host_port > 0 && p->container_port == 0)
		return check_fail(err, item, "container_port",
		    "must be given with host_port");
	return why == NULL ? 0 : check_fail(err, item, "host_ip", why);
}

static int
check_ports(const Runtime__V1__PodSandboxConfig *c, struct cerr *err)
{
	if (c->n_port_mappings > CHECK_PORTS_MAX)
		return check_fail(err, "config", "port_mappings", "too many");
	for (size_t i = 0; i < c->n_port_mappings; i++) {
		if (check_port(c->port_mappings[i], i, err) == -1)
			return -1;
	}
	return 0;
}

/* A sysctl of a namespace that is the host's would be the host's. */
static int
check_sysctl_owner(const char *name, const Runtime__V1__NamespaceOption *ns,
    struct cerr *err)
{
	bool net = strncmp(name, "net.", 4) == 0;
	Runtime__V1__NamespaceMode mode;

	if (ns == NULL)
		return 0;
	mode = net ? ns->network : ns->ipc;
	if (mode != RUNTIME__V1__NAMESPACE_MODE__NODE)
		return 0;
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "config.linux.sysctls[%s]: the pod uses the host's %s namespace",
	    name, net ? "network" : "IPC");
}

static int
check_sysctls(const Runtime__V1__LinuxPodSandboxConfig *l, struct cerr *err)
{
	const Runtime__V1__LinuxSandboxSecurityContext *s = l->security_context;

	if (check_map((void *const *)l->sysctls, l->n_sysctls,
		"config.linux.sysctls", check_value_sysctl_name,
		check_value_sysctl_value, err) == -1)
		return -1;
	for (size_t i = 0; i < l->n_sysctls; i++) {
		if (check_sysctl_owner(l->sysctls[i]->key,
			s == NULL ? NULL : s->namespace_options, err) == -1)
			return -1;
	}
	return 0;
}

static int
check_pod_security(const Runtime__V1__LinuxSandboxSecurityContext *s,
    struct cerr *err)
{
	static const char path[] = "config.linux.security_context";
	struct check_identity id;

	if (s == NULL)
		return 0;
	id = (struct check_identity){ s->run_as_user, s->run_as_group, NULL,
		s->supplemental_groups, s->n_supplemental_groups };
	if (check_identity(&id, path, err) == -1 ||
	    check_namespaces(s->namespace_options, true, path, err) == -1 ||
	    check_seccomp(s->seccomp, s->seccomp_profile_path, path, err) ==
		-1 ||
	    check_apparmor(s->apparmor, "", path, err) == -1)
		return -1;
	return check_selinux(s->selinux_options,
	    "config.linux.security_context.selinux_options", err);
}

static int
check_pod_linux(const Runtime__V1__LinuxPodSandboxConfig *l, struct cerr *err)
{
	const char *why;

	if (l == NULL)
		return 0;
	why = check_value_opt_cgroup(l->cgroup_parent);
	if (why != NULL)
		return check_fail(err, "config.linux", "cgroup_parent", why);
	if (check_pod_security(l->security_context, err) == -1 ||
	    check_sysctls(l, err) == -1 ||
	    check_resources(l->overhead, "config.linux.overhead", err) == -1)
		return -1;
	return check_resources(l->resources, "config.linux.resources", err);
}

/* These two go to netd, whose messages have a bound of their own. */
static int
check_bandwidth(const Runtime__V1__PodSandboxConfig *c, struct cerr *err)
{
	static const char *const keys[] = {
		"kubernetes.io/ingress-bandwidth",
		"kubernetes.io/egress-bandwidth",
	};

	for (size_t i = 0; i < CHECK_COUNT(keys); i++) {
		const char *v = pb_map_get((void *const *)c->annotations,
		    c->n_annotations, keys[i]);

		if (v != NULL && check_value_word(v) != NULL)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "config.annotations[%s]: %s", keys[i],
			    check_value_word(v));
	}
	return 0;
}

static int
check_pod_config(const Runtime__V1__PodSandboxConfig *c, struct cerr *err)
{
	if (protobuf_c_message_get_packed_size(&c->base) > CHECK_CONFIG_MAX)
		return check_fail(err, "config", "", "larger than 3 MiB");
	if (check_strings(c->metadata, "config.metadata", check_metadata,
		CHECK_COUNT(check_metadata), err) == -1 ||
	    check_enums(c, "config", err) == -1 ||
	    check_strings(c, "config", check_config, CHECK_COUNT(check_config),
		err) == -1)
		return -1;
	if (c->dns_config != NULL &&
	    check_lists(c->dns_config, "config.dns_config", check_dns,
		CHECK_COUNT(check_dns), err) == -1)
		return -1;
	if (check_ports(c, err) == -1 ||
	    check_maps((void *const *)c->labels, c->n_labels,
		(void *const *)c->annotations, c->n_annotations, err) == -1 ||
	    check_bandwidth(c, err) == -1)
		return -1;
	return check_pod_linux(c->linux, err);
}

static int
check_runtime(const char *name, const Criod__BootFront *boot, struct cerr *err)
{
	if (name[0] == '\0')
		return 0;
	for (size_t i = 0; i < boot->n_runtimes; i++) {
		if (strcmp(boot->runtimes[i]->name, name) == 0)
			return 0;
	}
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "runtime_handler: no runtime is named %.64s", name);
}

int
check_run_pod(const Runtime__V1__RunPodSandboxRequest *r,
    const Criod__BootFront *boot, struct cerr *err)
{
	if (r->config == NULL)
		return check_fail(err, "", "config", "must be given");
	if (r->config->metadata == NULL)
		return check_fail(err, "config", "metadata", "must be given");
	if (check_pod_config(r->config, err) == -1)
		return -1;
	return check_runtime(r->runtime_handler, boot, err);
}
