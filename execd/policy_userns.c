#include "execd/pod_ns.h"
#include "execd/policy.h"

/* As a kubelet sends them: one range that begins with the pod's root. */
static int
policy_userns_ids(Runtime__V1__IDMapping *const *maps, size_t n,
    const char *field, struct policy_ids *out, struct cerr *err)
{
	if (n != 1)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "userns_options.%s: there must be one mapping, not %zu",
		    field, n);
	if (maps[0]->container_id != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "userns_options.%s: container id 0 is not mapped", field);
	if (maps[0]->length < POLICY_USERNS_COUNT)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "userns_options.%s: maps %u ids, fewer than %u", field,
		    maps[0]->length, POLICY_USERNS_COUNT);
	if (maps[0]->host_id < POLICY_USERNS_FIRST)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "userns_options.%s: ids below %u are the host's own", field,
		    POLICY_USERNS_FIRST);
	if (maps[0]->length >= UINT32_MAX - maps[0]->host_id)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "userns_options.%s: maps ids above the largest", field);
	*out = (struct policy_ids){ maps[0]->host_id, maps[0]->length };
	return 0;
}

static int
policy_userns_none(const Runtime__V1__UserNamespace *u, struct cerr *err)
{
	if (u->mode != RUNTIME__V1__NAMESPACE_MODE__NODE)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "userns_options.mode: must be POD or NODE");
	if (u->n_uids > 0 || u->n_gids > 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "userns_options: mappings without mode POD");
	return 0;
}

int
policy_pod_userns(const Runtime__V1__PodSandboxConfig *c,
    struct policy_pod *out, struct cerr *err)
{
	const Runtime__V1__LinuxSandboxSecurityContext *sc =
	    c->linux != NULL ? c->linux->security_context : NULL;
	const Runtime__V1__UserNamespace *u =
	    sc != NULL && sc->namespace_options != NULL
		? sc->namespace_options->userns_options
		: NULL;

	if (u == NULL)
		return 0;
	if (u->mode != RUNTIME__V1__NAMESPACE_MODE__POD)
		return policy_userns_none(u, err);
	if (policy_userns_ids(u->uids, u->n_uids, "uids", &out->uids, err) ==
		-1 ||
	    policy_userns_ids(u->gids, u->n_gids, "gids", &out->gids, err) ==
		-1)
		return -1;
	if (out->privileged)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "userns_options: a privileged pod has the host's users");
	if (out->host_pid || (out->namespaces & POD_NS_IPC) == 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "userns_options: the host's pid or ipc namespace cannot be "
		    "used from a user namespace");
	out->namespaces |= POD_NS_USER;
	return 0;
}

static bool
policy_userns_equal(Runtime__V1__IDMapping *const *maps, size_t n,
    const struct policy_ids *ids)
{
	return n == 1 && maps[0]->container_id == 0 &&
	       maps[0]->host_id == ids->host && maps[0]->length == ids->count;
}

int
policy_ctr_userns(const struct policy_pod *pod,
    const Runtime__V1__UserNamespace *u, struct cerr *err)
{
	bool own = (pod->namespaces & POD_NS_USER) != 0;

	if (u == NULL)
		return 0;
	if (u->mode != RUNTIME__V1__NAMESPACE_MODE__POD) {
		if (policy_userns_none(u, err) == -1)
			return -1;
		return !own ? 0
			    : cerr_set(err, CERR_INVALID_ARGUMENT,
				  "namespace_options.userns_options: the pod "
				  "does not use the host's");
	}
	if (!own || !policy_userns_equal(u->uids, u->n_uids, &pod->uids) ||
	    !policy_userns_equal(u->gids, u->n_gids, &pod->gids))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "namespace_options.userns_options: not as the pod's");
	return 0;
}

int
policy_mount_userns(const struct policy_pod *pod, const Runtime__V1__Mount *m,
    struct cerr *err)
{
	if (m->n_uidmappings == 0 && m->n_gidmappings == 0)
		return 0;
	if ((pod->namespaces & POD_NS_USER) == 0 ||
	    !policy_userns_equal(m->uidmappings, m->n_uidmappings,
		&pod->uids) ||
	    !policy_userns_equal(m->gidmappings, m->n_gidmappings, &pod->gids))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "mounts: uidMappings and gidMappings are not those of the "
		    "pod's user namespace");
	if (m->propagation ==
	    RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_BIDIRECTIONAL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "mounts: an id-mapped mount cannot be bidirectional");
	return 0;
}

int
policy_host_id(const struct policy_pod *pod, const struct policy_ids *ids,
    const char *field, uint32_t id, uint32_t *host, struct cerr *err)
{
	*host = id;
	if ((pod->namespaces & POD_NS_USER) == 0)
		return 0;
	if (id >= ids->count)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s %u is not mapped in the pod's user namespace", field,
		    id);
	*host += ids->host;
	return 0;
}
