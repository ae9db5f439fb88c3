#include <string.h>

#include "execd/ask.h"
#include "execd/pod_ns.h"
#include "lib/capname.h"

#define ASK_DEVICES "/dev" /* all of them */

static int
ask_one(const struct ask *a, enum rule_what what, const char *value,
    struct cerr *err)
{
	struct rule_ask ask = { .what = what, .value = value };

	return guard_check(a->guard, &a->who, &ask, err);
}

int
ask_pod(const struct ask *a, struct cerr *err)
{
	const struct {
		bool wanted;
		enum rule_what what;
		const char *value;
	} list[] = {
		{ true, RULE_RUNTIME, a->runtime },
		{ a->pod->privileged, RULE_PRIVILEGED, NULL },
		{ (a->pod->namespaces & POD_NS_NET) == 0, RULE_HOST_NETWORK,
		    NULL },
		{ a->pod->host_pid, RULE_HOST_PID, NULL },
		{ (a->pod->namespaces & POD_NS_IPC) == 0, RULE_HOST_IPC, NULL },
		{ (a->pod->namespaces & POD_NS_USER) == 0, RULE_HOST_USER,
		    NULL },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (list[i].wanted &&
		    ask_one(a, list[i].what, list[i].value, err) == -1)
			return -1;
	}
	return 0;
}

static int
ask_selinux(const struct ask *a, const Runtime__V1__SELinuxOption *o,
    struct cerr *err)
{
	if (o == NULL || o->type[0] == '\0')
		return 0;
	return ask_one(a, RULE_SELINUX, o->type, err);
}

int
ask_request(const struct ask *a, const Runtime__V1__PodSandboxConfig *c,
    struct cerr *err)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = c->linux;

	if (l != NULL && l->security_context != NULL &&
	    ask_selinux(a, l->security_context->selinux_options, err) == -1)
		return -1;
	for (size_t i = 0; l != NULL && i < l->n_sysctls; i++) {
		if (ask_one(a, RULE_SYSCTL, l->sysctls[i]->key, err) == -1)
			return -1;
	}
	return 0;
}

int
ask_path(const struct ask *a, const char *path, bool read_only,
    struct cerr *err)
{
	struct rule_ask ask = { .what = RULE_PATH,
		.value = path,
		.read_only = read_only };

	return guard_check(a->guard, &a->who, &ask, err);
}

int
ask_device(const struct ask *a, const char *name, struct cerr *err)
{
	return ask_one(a, RULE_DEVICE, name, err);
}

static int
ask_capabilities(const struct ask *a, uint64_t caps, struct cerr *err)
{
	uint64_t usual = caps_default();

	for (unsigned int i = 0; i < capname_count(); i++) {
		struct rule_ask ask = { .what = RULE_CAPABILITY,
			.usual = (usual & CAPS_BIT(i)) != 0 };

		if ((caps & CAPS_BIT(i)) == 0)
			continue;
		ask.value = capname_name(i);
		if (guard_check(a->guard, &a->who, &ask, err) == -1)
			return -1;
	}
	return 0;
}

/* Both lists were checked by policy_check_ctr. */
static int
ask_lists(const struct ask *a, const Runtime__V1__ContainerConfig *c,
    struct cerr *err)
{
	char path[POLICY_PATH_MAX];

	for (size_t i = 0; i < c->n_mounts; i++) {
		const Runtime__V1__Mount *m = c->mounts[i];

		if (policy_mount_image(m))
			continue;
		if (policy_clean_path("mounts", m->host_path, path, err) ==
			-1 ||
		    ask_path(a, path, m->readonly, err) == -1)
			return -1;
	}
	for (size_t i = 0; i < c->n_devices; i++) {
		if (policy_clean_path("devices", c->devices[i]->host_path, path,
			err) == -1 ||
		    ask_device(a, path, err) == -1)
			return -1;
	}
	return 0;
}

/* What keeps it from what its capabilities do not. */
static int
ask_confinement(const struct ask *a, const struct ask_ctr *c, struct cerr *err)
{
	const struct {
		bool wanted;
		enum rule_what what;
		const char *value;
	} list[] = {
		{ c->no_seccomp, RULE_SECCOMP, "unconfined" },
		{ c->no_apparmor, RULE_APPARMOR, "unconfined" },
		{ c->unmasked, RULE_PROC, "unmasked" },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (list[i].wanted &&
		    ask_one(a, list[i].what, list[i].value, err) == -1)
			return -1;
	}
	return 0;
}

int
ask_ctr(const struct ask *a, const struct ask_ctr *c, struct cerr *err)
{
	const Runtime__V1__LinuxContainerConfig *l = c->config->linux;
	const Runtime__V1__LinuxContainerSecurityContext *sc =
	    l != NULL ? l->security_context : NULL;
	bool privileged = sc != NULL && sc->privileged;

	if (ask_pod(a, err) == -1)
		return -1;
	if (privileged && (ask_one(a, RULE_PRIVILEGED, NULL, err) == -1 ||
			      ask_device(a, ASK_DEVICES, err) == -1))
		return -1;
	if (ask_lists(a, c->config, err) == -1 ||
	    ask_capabilities(a, c->caps, err) == -1)
		return -1;
	if (sc != NULL && ask_selinux(a, sc->selinux_options, err) == -1)
		return -1;
	return ask_confinement(a, c, err);
}

/* ---- NRI ---- */

static bool
ask_read_only(const Nri__Mount *m)
{
	for (size_t i = 0; i < m->n_options; i++) {
		if (strcmp(m->options[i], "ro") == 0)
			return true;
	}
	return false;
}

/* Of a bind mount; whatever else has a source that is no path. */
static int
ask_nri_mount(const struct ask *a, const Nri__Mount *m, struct cerr *err)
{
	char path[POLICY_PATH_MAX];

	if (m->destination[0] == '-' || m->source[0] != '/')
		return 0;
	if (policy_clean_path("NRI adjustment: mount", m->source, path, err) ==
	    -1)
		return -1;
	return ask_path(a, path, ask_read_only(m), err);
}

static int
ask_nri_linux(const struct ask *a, const Nri__LinuxContainerAdjustment *l,
    struct cerr *err)
{
	const Nri__LinuxResources *r = l->resources;

	for (size_t i = 0; i < l->n_devices; i++) {
		if (l->devices[i]->path[0] != '-' &&
		    ask_device(a, l->devices[i]->path, err) == -1)
			return -1;
	}
	/* By number: that may be any. */
	for (size_t i = 0; r != NULL && i < r->n_devices; i++) {
		if (r->devices[i]->allow &&
		    ask_device(a, ASK_DEVICES, err) == -1)
			return -1;
	}
	for (size_t i = 0; i < l->n_sysctl; i++) {
		if (l->sysctl[i]->key[0] != '-' &&
		    ask_one(a, RULE_SYSCTL, l->sysctl[i]->key, err) == -1)
			return -1;
	}
	return 0;
}

int
ask_adjustment(const struct ask *a, const Nri__ContainerAdjustment *adjust,
    struct cerr *err)
{
	for (size_t i = 0; i < adjust->n_mounts; i++) {
		if (ask_nri_mount(a, adjust->mounts[i], err) == -1)
			return -1;
	}
	return adjust->linux != NULL ? ask_nri_linux(a, adjust->linux, err) : 0;
}
