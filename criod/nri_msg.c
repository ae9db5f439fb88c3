#include <stdio.h>
#include <string.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/nri_msg.h"
#include "criod/pb.h"
#include "criod/pod.h"

/* 0 is "not given" in the CRI. */
static Nri__OptionalInt64 *
nri_int64(Nri__OptionalInt64 *o, int64_t value)
{
	nri__optional_int64__init(o);
	o->value = value;
	return value == 0 ? NULL : o;
}

static Nri__OptionalUInt64 *
nri_uint64(Nri__OptionalUInt64 *o, int64_t value)
{
	nri__optional_uint64__init(o);
	o->value = (uint64_t)value;
	return value <= 0 ? NULL : o;
}

Nri__LinuxResources *
nri_msg_resources(struct nri_resources_msg *m,
    const Runtime__V1__LinuxContainerResources *r)
{
	if (r == NULL)
		return NULL;
	nri__linux_resources__init(&m->res);
	nri__linux_memory__init(&m->memory);
	nri__linux_cpu__init(&m->cpu);
	m->res.memory = &m->memory;
	m->res.cpu = &m->cpu;
	m->memory.limit = nri_int64(&m->limit, r->memory_limit_in_bytes);
	m->memory.swap = nri_int64(&m->swap, r->memory_swap_limit_in_bytes);
	m->cpu.quota = nri_int64(&m->quota, r->cpu_quota);
	m->cpu.shares = nri_uint64(&m->shares, r->cpu_shares);
	m->cpu.period = nri_uint64(&m->period, r->cpu_period);
	m->cpu.cpus = r->cpuset_cpus;
	m->cpu.mems = r->cpuset_mems;
	/* Both interfaces have the same two fields. */
	m->res.n_hugepage_limits = r->n_hugepage_limits;
	m->res.hugepage_limits = PB_MAP(Nri__HugepageLimit, r->hugepage_limits);
	m->res.n_unified = r->n_unified;
	m->res.unified = PB_MAP(Nri__LinuxResources__UnifiedEntry, r->unified);
	return &m->res;
}

static bool
nri_unknown(const Nri__LinuxResources *r)
{
	const Nri__LinuxMemory *m = r->memory;
	const Nri__LinuxCPU *c = r->cpu;

	return r->pids != NULL || r->n_devices > 0 ||
	       r->blockio_class != NULL || r->rdt_class != NULL ||
	       (m != NULL &&
		   (m->reservation != NULL || m->kernel != NULL ||
		       m->kernel_tcp != NULL || m->swappiness != NULL ||
		       m->disable_oom_killer != NULL ||
		       m->use_hierarchy != NULL)) ||
	       (c != NULL &&
		   (c->realtime_runtime != NULL || c->realtime_period != NULL));
}

static int64_t
nri_unsigned(const Nri__OptionalUInt64 *o)
{
	return o == NULL || o->value > INT64_MAX ? 0 : (int64_t)o->value;
}

Runtime__V1__LinuxContainerResources *
nri_msg_change(const Nri__LinuxResources *r, struct cerr *err)
{
	Runtime__V1__LinuxContainerResources c =
	    RUNTIME__V1__LINUX_CONTAINER_RESOURCES__INIT;

	if (nri_unknown(r)) {
		(void)cerr_set(err, CERR_FAILED_PRECONDITION,
		    "NRI update: only what the CRI's resources have can be "
		    "changed");
		return NULL;
	}
	if (r->memory != NULL) {
		if (r->memory->limit != NULL)
			c.memory_limit_in_bytes = r->memory->limit->value;
		if (r->memory->swap != NULL)
			c.memory_swap_limit_in_bytes = r->memory->swap->value;
	}
	if (r->cpu != NULL) {
		if (r->cpu->quota != NULL)
			c.cpu_quota = r->cpu->quota->value;
		c.cpu_shares = nri_unsigned(r->cpu->shares);
		c.cpu_period = nri_unsigned(r->cpu->period);
		c.cpuset_cpus = r->cpu->cpus;
		c.cpuset_mems = r->cpu->mems;
	}
	c.n_hugepage_limits = r->n_hugepage_limits;
	c.hugepage_limits =
	    PB_MAP(Runtime__V1__HugepageLimit, r->hugepage_limits);
	c.n_unified = r->n_unified;
	c.unified = PB_MAP(Runtime__V1__LinuxContainerResources__UnifiedEntry,
	    r->unified);
	return pb_copy(&c);
}

/* The namespaces that are the pod's own, and where they are pinned. */
static void
nri_namespaces(struct nri_pod_msg *m, const struct pod *pod)
{
	const Runtime__V1__NamespaceOption *o = pod_namespaces(pod);
	const struct {
		const char *type, *file;
		bool own;
	} rows[NRI_MSG_NS] = {
		{ "network", "net", !pod_host_network(pod) },
		{ "ipc", "ipc",
		    o == NULL || o->ipc != RUNTIME__V1__NAMESPACE_MODE__NODE },
		{ "uts", "uts", !pod_host_network(pod) },
		{ "pid", "pid",
		    o == NULL || o->pid == RUNTIME__V1__NAMESPACE_MODE__POD },
	};

	m->linux.namespaces = m->nslist;
	for (size_t i = 0; i < NRI_MSG_NS; i++) {
		Nri__LinuxNamespace *ns = &m->ns[m->linux.n_namespaces];

		if (!rows[i].own)
			continue;
		(void)snprintf(m->paths[i], sizeof(m->paths[i]), "%s/%s/%s",
		    pod->front->boot->netns_directory, pod->id, rows[i].file);
		nri__linux_namespace__init(ns);
		ns->type = pb_str(rows[i].type);
		ns->path = m->paths[i];
		m->nslist[m->linux.n_namespaces++] = ns;
	}
}

static void
nri_linux(struct nri_pod_msg *m, const struct pod *pod)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = pod->config->linux;

	nri__linux_pod_sandbox__init(&m->linux);
	nri_namespaces(m, pod);
	m->pod.linux = &m->linux;
	if (l == NULL)
		return;
	m->linux.cgroup_parent = l->cgroup_parent;
	m->linux.pod_overhead = nri_msg_resources(&m->overhead, l->overhead);
	m->linux.pod_resources = nri_msg_resources(&m->resources, l->resources);
}

void
nri_msg_pod(struct nri_pod_msg *m, const struct pod *pod)
{
	const Runtime__V1__PodSandboxConfig *c = pod->config;

	nri__pod_sandbox__init(&m->pod);
	m->pod.id = pb_str(pod->id);
	m->pod.name = c->metadata->name;
	m->pod.uid = c->metadata->uid;
	m->pod.namespace_ = c->metadata->namespace_;
	m->pod.n_labels = c->n_labels;
	m->pod.labels = PB_MAP(Nri__PodSandbox__LabelsEntry, c->labels);
	m->pod.n_annotations = c->n_annotations;
	m->pod.annotations =
	    PB_MAP(Nri__PodSandbox__AnnotationsEntry, c->annotations);
	m->pod.runtime_handler = pod->runtime;
	m->pod.n_ips = pod->nips;
	m->pod.ips = pod->ips;
	nri_linux(m, pod);
}

static Nri__ContainerState
nri_ctr_state(const struct ctr *c)
{
	static const Nri__ContainerState states[] = {
		[CTR_NEW] = NRI__CONTAINER_STATE__CONTAINER_UNKNOWN,
		[CTR_CREATED] = NRI__CONTAINER_STATE__CONTAINER_CREATED,
		[CTR_RUNNING] = NRI__CONTAINER_STATE__CONTAINER_RUNNING,
		[CTR_EXITED] = NRI__CONTAINER_STATE__CONTAINER_STOPPED,
	};

	return states[c->state];
}

void
nri_msg_ctr(struct nri_ctr_msg *m, const struct ctr *c)
{
	const Runtime__V1__ContainerConfig *config = c->config;

	nri__container__init(&m->ctr);
	nri__image__init(&m->image);
	m->ctr.id = pb_str(c->id);
	m->ctr.pod_sandbox_id = pb_str(c->pod_id);
	m->ctr.name = config->metadata->name;
	m->ctr.state = nri_ctr_state(c);
	m->ctr.n_labels = config->n_labels;
	m->ctr.labels = PB_MAP(Nri__Container__LabelsEntry, config->labels);
	m->ctr.n_annotations = config->n_annotations;
	m->ctr.annotations =
	    PB_MAP(Nri__Container__AnnotationsEntry, config->annotations);
	m->ctr.created_at = c->created_at;
	m->ctr.started_at = c->started_at;
	m->ctr.finished_at = c->finished_at;
	m->ctr.exit_code = c->exit_code;
	if (c->reason != NULL)
		m->ctr.status_reason = c->reason;
	if (c->message != NULL)
		m->ctr.status_message = c->message;
	m->ctr.image = &m->image;
	if (c->image_name != NULL)
		m->image.name = c->image_name;
	if (c->made == NULL)
		return;
	m->ctr.pid = (uint32_t)c->made->pid;
	m->image.digest = c->made->image_ref;
	m->image.config_digest = c->made->image_id;
}
