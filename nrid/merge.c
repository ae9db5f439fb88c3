#include <stdio.h>
#include <string.h>

#include "nrid/merge.h"

#define MERGE_CLAIMS_MAX 8192 /* of one request */

/* One plugin's part in the sum. */
struct merge_part {
	struct merge *m;
	const char *plugin;
	const char *ctr; /* the container it is about */
	struct cerr *err;
};

void *
merge_alloc(struct pballoc *mem, size_t n, size_t size)
{
	void *p = NULL;

	if (n == 0)
		n = 1;
	if (n <= mem->budget / size)
		p = mem->alloc.alloc(mem->alloc.allocator_data, n * size);
	if (p != NULL)
		memset(p, 0, n * size);
	return p;
}

static int
merge_exhausted(struct cerr *err)
{
	return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
	    "NRI plugins ask for too much");
}

/* ---- ownership ---- */

static struct merge_claim *
merge_find_claim(const struct merge_part *p, Nri__Field field, const char *key)
{
	for (size_t i = 0; i < p->m->nclaims; i++) {
		struct merge_claim *c = &p->m->claims[i];

		if (c->field != field || strcmp(c->ctr, p->ctr) != 0)
			continue;
		if (key == NULL || strcmp(c->key, key) == 0)
			return c;
	}
	return NULL;
}

static void
merge_unclaim(const struct merge_part *p, Nri__Field field, const char *key)
{
	struct merge_claim *c = merge_find_claim(p, field, key);

	if (c != NULL)
		*c = p->m->claims[--p->m->nclaims];
}

static const char *
merge_field_name(Nri__Field field)
{
	const ProtobufCEnumValue *v =
	    protobuf_c_enum_descriptor_get_value(&nri__field__descriptor,
		(int)field);

	return v == NULL ? "a field" : v->name;
}

static int
merge_add_claim(const struct merge_part *p, Nri__Field field, const char *key)
{
	struct merge *m = p->m;
	struct merge_claim *all;

	if (m->nclaims == m->maxclaims) {
		size_t max = m->maxclaims == 0 ? 32 : m->maxclaims * 2;

		all = max > MERGE_CLAIMS_MAX
			  ? NULL
			  : merge_alloc(m->mem, max, sizeof(*all));
		if (all == NULL)
			return merge_exhausted(p->err);
		if (m->nclaims > 0)
			memcpy(all, m->claims, m->nclaims * sizeof(*all));
		m->claims = all;
		m->maxclaims = max;
	}
	m->claims[m->nclaims++] =
	    (struct merge_claim){ p->ctr, key, field, p->plugin };
	return 0;
}

static int
merge_claim(const struct merge_part *p, Nri__Field field, const char *key)
{
	const struct merge_claim *c = merge_find_claim(p, field, key);

	if (c == NULL)
		return merge_add_claim(p, field, key);
	if (strcmp(c->plugin, p->plugin) == 0)
		return 0;
	return cerr_set(p->err, CERR_ABORTED,
	    "NRI plugins %s and %s both set %s%s%.256s of container %.64s",
	    c->plugin, p->plugin, merge_field_name(field),
	    key != NULL ? " " : "", key != NULL ? key : "", p->ctr);
}

/* ---- lists whose elements have a key ---- */

/* A repeated field of messages: where it is, and where its elements' key. */
struct merge_list {
	Nri__Field field;
	size_t n, items;	   /* offsets in the message that is merged */
	size_t key;		   /* in an element */
	size_t view_n, view_items; /* in the view */
};

#define MERGE_NONE ((size_t)-1)

static size_t *
merge_n(void *message, size_t offset)
{
	return (size_t *)(void *)((char *)message + offset);
}

static void ***
merge_items(void *message, size_t offset)
{
	return (void ***)(void *)((char *)message + offset);
}

static const char *
merge_key(const struct merge_list *l, const void *item)
{
	return *(char *const *)(const void *)((const char *)item + l->key);
}

static void
merge_remove(const struct merge_list *l, void **items, size_t *n,
    const char *key)
{
	size_t keep = 0;

	for (size_t i = 0; i < *n; i++) {
		if (strcmp(merge_key(l, items[i]), key) != 0)
			items[keep++] = items[i];
	}
	*n = keep;
}

/* Room for more elements behind those that are there. */
static int
merge_reserve(const struct merge_part *p, void ***items, size_t n, size_t more)
{
	void **all = merge_alloc(p->m->mem, n + more, sizeof(*all));

	if (all == NULL)
		return merge_exhausted(p->err);
	if (n > 0)
		memcpy(all, *items, n * sizeof(*all));
	*items = all;
	return 0;
}

/* With or without the mark of a removal. */
static int
merge_list_one(const struct merge_part *p, const struct merge_list *l,
    void *item, void **to, size_t *nto, void **view, size_t *nview)
{
	const char *key = merge_key(l, item);
	bool removal = key[0] == '-';

	if (removal)
		key++;
	if (key[0] == '\0')
		return cerr_set(p->err, CERR_INVALID_ARGUMENT,
		    "NRI plugin %s: %s without a name", p->plugin,
		    merge_field_name(l->field));
	if (removal)
		merge_unclaim(p, l->field, key);
	else if (merge_claim(p, l->field, key) == -1)
		return -1;
	merge_remove(l, to, nto, key);
	to[(*nto)++] = item;
	if (view == NULL)
		return 0;
	merge_remove(l, view, nview, key);
	if (!removal)
		view[(*nview)++] = item;
	return 0;
}

/*
 * Removals first, whatever their place: "without what is there, then mine".
 * to keeps their marks, for what was there before any plugin.
 */
static int
merge_list(const struct merge_part *p, const struct merge_list *l, void *from,
    void *to, void *view)
{
	size_t n = *merge_n(from, l->n);
	void **items = *merge_items(from, l->items);
	size_t *nto = merge_n(to, l->n), *nview = NULL;
	void ***out = merge_items(to, l->items), ***vout = NULL;

	if (n == 0)
		return 0;
	if (view != NULL && l->view_n != MERGE_NONE) {
		nview = merge_n(view, l->view_n);
		vout = merge_items(view, l->view_items);
		if (merge_reserve(p, vout, *nview, n) == -1)
			return -1;
	}
	if (merge_reserve(p, out, *nto, n) == -1)
		return -1;
	for (int adding = 0; adding < 2; adding++) {
		for (size_t i = 0; i < n; i++) {
			bool add = merge_key(l, items[i])[0] != '-';

			if (add == (adding != 0) &&
			    merge_list_one(p, l, items[i], *out, nto,
				vout != NULL ? *vout : NULL, nview) == -1)
				return -1;
		}
	}
	return 0;
}

#define MERGE_LIST(f, message, member, element, k, viewed, vmember)            \
	{                                                                      \
		NRI__FIELD__##f, offsetof(message, n_##member),                \
		    offsetof(message, member), offsetof(element, k),           \
		    offsetof(viewed, n_##vmember), offsetof(viewed, vmember)   \
	}
#define MERGE_LIST_UNSEEN(f, message, member, element, k)                      \
	{                                                                      \
		NRI__FIELD__##f, offsetof(message, n_##member),                \
		    offsetof(message, member), offsetof(element, k),           \
		    MERGE_NONE, MERGE_NONE                                     \
	}

static const struct merge_list merge_lists[] = {
	MERGE_LIST(Annotations, Nri__ContainerAdjustment, annotations,
	    Nri__ContainerAdjustment__AnnotationsEntry, key, Nri__Container,
	    annotations),
	MERGE_LIST(Mounts, Nri__ContainerAdjustment, mounts, Nri__Mount,
	    destination, Nri__Container, mounts),
	MERGE_LIST_UNSEEN(Env, Nri__ContainerAdjustment, env, Nri__KeyValue,
	    key),
	MERGE_LIST(Rlimits, Nri__ContainerAdjustment, rlimits, Nri__POSIXRlimit,
	    type, Nri__Container, rlimits),
	MERGE_LIST_UNSEEN(CdiDevices, Nri__ContainerAdjustment, cdi_devices,
	    Nri__CDIDevice, name),
};

static const struct merge_list merge_linux_lists[] = {
	MERGE_LIST(Devices, Nri__LinuxContainerAdjustment, devices,
	    Nri__LinuxDevice, path, Nri__LinuxContainer, devices),
	MERGE_LIST(Namespace, Nri__LinuxContainerAdjustment, namespaces,
	    Nri__LinuxNamespace, type, Nri__LinuxContainer, namespaces),
	MERGE_LIST(Sysctl, Nri__LinuxContainerAdjustment, sysctl,
	    Nri__LinuxContainerAdjustment__SysctlEntry, key,
	    Nri__LinuxContainer, sysctl),
	MERGE_LIST(LinuxNetDevices, Nri__LinuxContainerAdjustment, net_devices,
	    Nri__LinuxContainerAdjustment__NetDevicesEntry, key,
	    Nri__LinuxContainer, net_devices),
};

static const struct merge_list merge_resource_lists[] = {
	MERGE_LIST(HugepageLimits, Nri__LinuxResources, hugepage_limits,
	    Nri__HugepageLimit, page_size, Nri__LinuxResources,
	    hugepage_limits),
	MERGE_LIST(CgroupsUnified, Nri__LinuxResources, unified,
	    Nri__LinuxResources__UnifiedEntry, key, Nri__LinuxResources,
	    unified),
};

static int
merge_all_lists(const struct merge_part *p, const struct merge_list *l,
    size_t n, void *from, void *to, void *view)
{
	for (size_t i = 0; i < n; i++) {
		if (merge_list(p, &l[i], from, to, view) == -1)
			return -1;
	}
	return 0;
}

#define MERGE_LISTS(p, table, from, to, view)                                  \
	merge_all_lists(p, table, sizeof(table) / sizeof((table)[0]), from,    \
	    to, view)

/* ---- single values ---- */

/* A pointer: to a message, NULL if absent, or to a string, empty if so. */
struct merge_value {
	Nri__Field field;
	size_t offset, view;
	bool text;
};

static void **
merge_pointer(void *message, size_t offset)
{
	return (void **)(void *)((char *)message + offset);
}

static int
merge_values(const struct merge_part *p, const struct merge_value *v, size_t n,
    void *from, void *to, void *view)
{
	for (size_t i = 0; i < n; i++) {
		void *value = *merge_pointer(from, v[i].offset);

		if (value == NULL ||
		    (v[i].text && *(const char *)value == '\0'))
			continue;
		if (merge_claim(p, v[i].field, NULL) == -1)
			return -1;
		*merge_pointer(to, v[i].offset) = value;
		if (view != NULL && v[i].view != MERGE_NONE)
			*merge_pointer(view, v[i].view) = value;
	}
	return 0;
}

#define MERGE_SAME(f, message, member, text)                                   \
	{                                                                      \
		NRI__FIELD__##f, offsetof(message, member),                    \
		    offsetof(message, member), text                            \
	}
#define MERGE_LINUX(f, member, text)                                           \
	{                                                                      \
		NRI__FIELD__##f,                                               \
		    offsetof(Nri__LinuxContainerAdjustment, member),           \
		    offsetof(Nri__LinuxContainer, member), text                \
	}

static const struct merge_value merge_memory_values[] = {
	MERGE_SAME(MemLimit, Nri__LinuxMemory, limit, false),
	MERGE_SAME(MemReservation, Nri__LinuxMemory, reservation, false),
	MERGE_SAME(MemSwapLimit, Nri__LinuxMemory, swap, false),
	MERGE_SAME(MemKernelLimit, Nri__LinuxMemory, kernel, false),
	MERGE_SAME(MemTCPLimit, Nri__LinuxMemory, kernel_tcp, false),
	MERGE_SAME(MemSwappiness, Nri__LinuxMemory, swappiness, false),
	MERGE_SAME(MemDisableOomKiller, Nri__LinuxMemory, disable_oom_killer,
	    false),
	MERGE_SAME(MemUseHierarchy, Nri__LinuxMemory, use_hierarchy, false),
};

static const struct merge_value merge_cpu_values[] = {
	MERGE_SAME(CPUShares, Nri__LinuxCPU, shares, false),
	MERGE_SAME(CPUQuota, Nri__LinuxCPU, quota, false),
	MERGE_SAME(CPUPeriod, Nri__LinuxCPU, period, false),
	MERGE_SAME(CPURealtimeRuntime, Nri__LinuxCPU, realtime_runtime, false),
	MERGE_SAME(CPURealtimePeriod, Nri__LinuxCPU, realtime_period, false),
	MERGE_SAME(CPUSetCPUs, Nri__LinuxCPU, cpus, true),
	MERGE_SAME(CPUSetMems, Nri__LinuxCPU, mems, true),
};

static const struct merge_value merge_resource_values[] = {
	MERGE_SAME(BlockioClass, Nri__LinuxResources, blockio_class, false),
	MERGE_SAME(RdtClass, Nri__LinuxResources, rdt_class, false),
	MERGE_SAME(PidsLimit, Nri__LinuxResources, pids, false),
};

static const struct merge_value merge_linux_values[] = {
	MERGE_LINUX(CgroupsPath, cgroups_path, true),
	MERGE_LINUX(OomScoreAdj, oom_score_adj, false),
	MERGE_LINUX(IoPriority, io_priority, false),
	MERGE_LINUX(SeccompPolicy, seccomp_policy, false),
	MERGE_LINUX(LinuxSched, scheduler, false),
	MERGE_LINUX(RdtClosID, rdt, false),
	{ NRI__FIELD__MemoryPolicy,
	    offsetof(Nri__LinuxContainerAdjustment, memory_policy), MERGE_NONE,
	    false },
};

#define MERGE_VALUES(p, table, from, to, view)                                 \
	merge_values(p, table, sizeof(table) / sizeof((table)[0]), from, to,   \
	    view)

/* ---- resources ---- */

/* An empty one of the arena in *where, unless there is one. */
#define MERGE_MAKE(p, where, init)                                             \
	((where) != NULL || (((where) = merge_alloc((p)->m->mem, 1,            \
				  sizeof(*(where)))) != NULL &&                \
				(init(where), true)))

static int
merge_memory_cpu(const struct merge_part *p, Nri__LinuxResources *from,
    Nri__LinuxResources *to)
{
	if (from->memory != NULL) {
		if (!MERGE_MAKE(p, to->memory, nri__linux_memory__init))
			return merge_exhausted(p->err);
		if (MERGE_VALUES(p, merge_memory_values, from->memory,
			to->memory, NULL) == -1)
			return -1;
	}
	if (from->cpu != NULL) {
		if (!MERGE_MAKE(p, to->cpu, nri__linux_cpu__init))
			return merge_exhausted(p->err);
		if (MERGE_VALUES(p, merge_cpu_values, from->cpu, to->cpu,
			NULL) == -1)
			return -1;
	}
	return 0;
}

/* Rules for devices add up; nobody owns them. */
static int
merge_device_rules(const struct merge_part *p, Nri__LinuxResources *from,
    Nri__LinuxResources *to)
{
	void **all = (void **)to->devices;

	if (from->n_devices == 0)
		return 0;
	if (merge_reserve(p, &all, to->n_devices, from->n_devices) == -1)
		return -1;
	to->devices = (Nri__LinuxDeviceCgroup **)all;
	for (size_t i = 0; i < from->n_devices; i++)
		to->devices[to->n_devices++] = from->devices[i];
	return 0;
}

static int
merge_resources(const struct merge_part *p, Nri__LinuxResources *from,
    Nri__LinuxResources *to)
{
	if (merge_memory_cpu(p, from, to) == -1 ||
	    MERGE_VALUES(p, merge_resource_values, from, to, NULL) == -1 ||
	    MERGE_LISTS(p, merge_resource_lists, from, to, NULL) == -1)
		return -1;
	return merge_device_rules(p, from, to);
}

/* ---- the rest of an adjustment ---- */

static bool
merge_env_is(const char *entry, const char *key, size_t len)
{
	return strncmp(entry, key, len) == 0 && entry[len] == '=';
}

/* The view's environment is a list of NAME=VALUE. */
static int
merge_env_view(const struct merge_part *p, const Nri__ContainerAdjustment *from)
{
	Nri__Container *view = p->m->view;
	void **all = (void **)view->env;

	if (merge_reserve(p, &all, view->n_env, from->n_env) == -1)
		return -1;
	view->env = (char **)all;
	for (size_t i = 0; i < from->n_env; i++) {
		const Nri__KeyValue *kv = from->env[i];
		const char *key = kv->key + (kv->key[0] == '-');
		size_t len = strlen(key), size = len + strlen(kv->value) + 2;
		size_t keep = 0;
		char *entry;

		for (size_t j = 0; j < view->n_env; j++) {
			if (!merge_env_is(view->env[j], key, len))
				view->env[keep++] = view->env[j];
		}
		view->n_env = keep;
		if (kv->key[0] == '-')
			continue;
		entry = merge_alloc(p->m->mem, size, 1);
		if (entry == NULL)
			return merge_exhausted(p->err);
		(void)snprintf(entry, size, "%s=%s", key, kv->value);
		view->env[view->n_env++] = entry;
	}
	return 0;
}

/* An empty first word takes them from who had set them. */
static int
merge_args(const struct merge_part *p, const Nri__ContainerAdjustment *from)
{
	Nri__ContainerAdjustment *to = p->m->adjust;
	size_t skip = from->n_args > 0 && from->args[0][0] == '\0';

	if (from->n_args == 0)
		return 0;
	if (skip > 0)
		merge_unclaim(p, NRI__FIELD__Args, NULL);
	if (from->n_args == skip)
		return cerr_set(p->err, CERR_INVALID_ARGUMENT,
		    "NRI plugin %s: no arguments", p->plugin);
	if (merge_claim(p, NRI__FIELD__Args, NULL) == -1)
		return -1;
	to->args = from->args + skip;
	to->n_args = from->n_args - skip;
	p->m->view->args = to->args;
	p->m->view->n_args = to->n_args;
	return 0;
}

/* Hooks add up. */
struct merge_hooks {
	size_t n, items;
};

#define MERGE_HOOKS(member)                                                    \
	{                                                                      \
		offsetof(Nri__Hooks, n_##member), offsetof(Nri__Hooks, member) \
	}

static const struct merge_hooks merge_hook_lists[] = {
	MERGE_HOOKS(prestart),
	MERGE_HOOKS(create_runtime),
	MERGE_HOOKS(create_container),
	MERGE_HOOKS(start_container),
	MERGE_HOOKS(poststart),
	MERGE_HOOKS(poststop),
};

static int
merge_hooks_into(const struct merge_part *p, Nri__Hooks *from, Nri__Hooks *to)
{
	for (size_t i = 0;
	     i < sizeof(merge_hook_lists) / sizeof(merge_hook_lists[0]); i++) {
		const struct merge_hooks *l = &merge_hook_lists[i];
		size_t n = *merge_n(from, l->n), *nto = merge_n(to, l->n);
		void ***out = merge_items(to, l->items);

		if (n == 0)
			continue;
		if (merge_reserve(p, out, *nto, n) == -1)
			return -1;
		memcpy(*out + *nto, *merge_items(from, l->items),
		    n * sizeof(**out));
		*nto += n;
	}
	return 0;
}

static int
merge_hooks(const struct merge_part *p, Nri__Hooks *from)
{
	struct merge *m = p->m;

	if (from == NULL)
		return 0;
	if (!MERGE_MAKE(p, m->adjust->hooks, nri__hooks__init) ||
	    !MERGE_MAKE(p, m->view->hooks, nri__hooks__init))
		return merge_exhausted(p->err);
	if (merge_find_claim(p, NRI__FIELD__OciHooks, NULL) == NULL &&
	    merge_add_claim(p, NRI__FIELD__OciHooks, NULL) == -1)
		return -1;
	if (merge_hooks_into(p, from, m->adjust->hooks) == -1)
		return -1;
	return merge_hooks_into(p, from, m->view->hooks);
}

/* The view's resources follow without a claim of their own. */
static int
merge_linux_resources(const struct merge_part *p, Nri__LinuxResources *from)
{
	Nri__LinuxContainerAdjustment *to = p->m->adjust->linux;
	Nri__LinuxContainer *view = p->m->view->linux;

	if (from == NULL)
		return 0;
	if (!MERGE_MAKE(p, to->resources, nri__linux_resources__init) ||
	    !MERGE_MAKE(p, view->resources, nri__linux_resources__init))
		return merge_exhausted(p->err);
	if (merge_resources(p, from, to->resources) == -1)
		return -1;
	return merge_resources(p, from, view->resources);
}

static int
merge_linux(const struct merge_part *p, Nri__LinuxContainerAdjustment *from)
{
	struct merge *m = p->m;

	if (from == NULL)
		return 0;
	if (!MERGE_MAKE(p, m->adjust->linux,
		nri__linux_container_adjustment__init) ||
	    !MERGE_MAKE(p, m->view->linux, nri__linux_container__init))
		return merge_exhausted(p->err);
	if (MERGE_LISTS(p, merge_linux_lists, from, m->adjust->linux,
		m->view->linux) == -1 ||
	    MERGE_VALUES(p, merge_linux_values, from, m->adjust->linux,
		m->view->linux) == -1)
		return -1;
	return merge_linux_resources(p, from->resources);
}

int
merge_init(struct merge *m, struct pballoc *mem, const char *id)
{
	*m = (struct merge){ .mem = mem, .id = id };
	m->adjust = merge_alloc(mem, 1, sizeof(*m->adjust));
	m->updates = merge_alloc(mem, MERGE_UPDATES_MAX, sizeof(*m->updates));
	if (m->adjust == NULL || m->updates == NULL)
		return -1;
	nri__container_adjustment__init(m->adjust);
	return 0;
}

int
merge_adjust(struct merge *m, const char *plugin,
    const Nri__ContainerAdjustment *from_, struct cerr *err)
{
	struct merge_part p = { m, plugin, m->id, err };
	/* Only its lists are read; they become parts of the sum. */
	Nri__ContainerAdjustment copy, *from = &copy;

	if (from_ == NULL)
		return 0;
	copy = *from_;
	if (MERGE_LISTS(&p, merge_lists, from, m->adjust, m->view) == -1 ||
	    merge_env_view(&p, from) == -1 || merge_args(&p, from) == -1 ||
	    merge_hooks(&p, from->hooks) == -1)
		return -1;
	return merge_linux(&p, from->linux);
}

/* ---- updates ---- */

static Nri__ContainerUpdate *
merge_find_update(struct merge *m, const char *id)
{
	for (size_t i = 0; i < m->nupdates; i++) {
		if (strcmp(m->updates[i]->container_id, id) == 0)
			return m->updates[i];
	}
	return NULL;
}

static Nri__ContainerUpdate *
merge_new_update(const struct merge_part *p, const Nri__ContainerUpdate *from)
{
	Nri__ContainerUpdate *u = NULL;

	if (p->m->nupdates < MERGE_UPDATES_MAX)
		u = merge_alloc(p->m->mem, 1, sizeof(*u));
	if (u == NULL)
		return NULL;
	nri__container_update__init(u);
	u->container_id = from->container_id;
	u->ignore_failure = from->ignore_failure;
	if (!MERGE_MAKE(p, u->linux, nri__linux_container_update__init) ||
	    !MERGE_MAKE(p, u->linux->resources, nri__linux_resources__init))
		return NULL;
	p->m->updates[p->m->nupdates++] = u;
	return u;
}

static int
merge_update(struct merge_part *p, Nri__ContainerUpdate *from)
{
	Nri__LinuxResources *r =
	    from->linux != NULL ? from->linux->resources : NULL;
	Nri__ContainerUpdate *u;

	p->ctr = from->container_id;
	if (strcmp(p->ctr, p->m->id) == 0) {
		if (p->m->asked == NULL)
			return cerr_set(p->err, CERR_INVALID_ARGUMENT,
			    "NRI plugin %s: update of container %.64s in the "
			    "midst of its own change",
			    p->plugin, p->ctr);
		return r == NULL ? 0 : merge_resources(p, r, p->m->asked);
	}
	u = merge_find_update(p->m, p->ctr);
	if (u == NULL)
		u = merge_new_update(p, from);
	if (u == NULL)
		return merge_exhausted(p->err);
	u->ignore_failure = u->ignore_failure && from->ignore_failure;
	return r == NULL ? 0 : merge_resources(p, r, u->linux->resources);
}

int
merge_updates(struct merge *m, const char *plugin,
    Nri__ContainerUpdate *const *from, size_t n, struct cerr *err)
{
	struct merge_part p = { m, plugin, NULL, err };

	for (size_t i = 0; i < n; i++) {
		if (merge_update(&p, from[i]) == -1 && !from[i]->ignore_failure)
			return -1;
	}
	return 0;
}

/* ---- owners ---- */

static int
merge_own_simple(struct merge *m, Nri__FieldOwners *o,
    const struct merge_claim *c)
{
	Nri__FieldOwners__SimpleEntry *e = merge_alloc(m->mem, 1, sizeof(*e));

	if (e == NULL)
		return -1;
	nri__field_owners__simple_entry__init(e);
	e->key = (int32_t)c->field;
	e->value = (char *)(uintptr_t)c->plugin;
	o->simple[o->n_simple++] = e;
	return 0;
}

static Nri__CompoundFieldOwners *
merge_compound(struct merge *m, Nri__FieldOwners *o, Nri__Field field)
{
	Nri__FieldOwners__CompoundEntry *e;

	for (size_t i = 0; i < o->n_compound; i++) {
		if (o->compound[i]->key == (int32_t)field)
			return o->compound[i]->value;
	}
	e = merge_alloc(m->mem, 1, sizeof(*e));
	if (e == NULL)
		return NULL;
	nri__field_owners__compound_entry__init(e);
	e->key = (int32_t)field;
	e->value = merge_alloc(m->mem, 1, sizeof(*e->value));
	if (e->value == NULL)
		return NULL;
	nri__compound_field_owners__init(e->value);
	e->value->owners =
	    merge_alloc(m->mem, m->nclaims, sizeof(*e->value->owners));
	if (e->value->owners == NULL)
		return NULL;
	o->compound[o->n_compound++] = e;
	return e->value;
}

static int
merge_own_compound(struct merge *m, Nri__FieldOwners *o,
    const struct merge_claim *c)
{
	Nri__CompoundFieldOwners *f = merge_compound(m, o, c->field);
	Nri__CompoundFieldOwners__OwnersEntry *e =
	    merge_alloc(m->mem, 1, sizeof(*e));

	if (f == NULL || e == NULL)
		return -1;
	nri__compound_field_owners__owners_entry__init(e);
	e->key = (char *)(uintptr_t)c->key;
	e->value = (char *)(uintptr_t)c->plugin;
	f->owners[f->n_owners++] = e;
	return 0;
}

static Nri__FieldOwners *
merge_fields(struct merge *m)
{
	Nri__FieldOwners *o = merge_alloc(m->mem, 1, sizeof(*o));
	int rv = 0;

	if (o == NULL)
		return NULL;
	nri__field_owners__init(o);
	o->simple = merge_alloc(m->mem, m->nclaims, sizeof(*o->simple));
	o->compound = merge_alloc(m->mem, m->nclaims, sizeof(*o->compound));
	if (o->simple == NULL || o->compound == NULL)
		return NULL;
	for (size_t i = 0; rv == 0 && i < m->nclaims; i++) {
		if (strcmp(m->claims[i].ctr, m->id) != 0)
			continue;
		rv = m->claims[i].key == NULL
			 ? merge_own_simple(m, o, &m->claims[i])
			 : merge_own_compound(m, o, &m->claims[i]);
	}
	return rv == 0 ? o : NULL;
}

Nri__OwningPlugins *
merge_owners(struct merge *m)
{
	Nri__OwningPlugins *all = merge_alloc(m->mem, 1, sizeof(*all));
	Nri__OwningPlugins__OwnersEntry *e = merge_alloc(m->mem, 1, sizeof(*e));

	if (all == NULL || e == NULL)
		return NULL;
	nri__owning_plugins__init(all);
	nri__owning_plugins__owners_entry__init(e);
	e->key = (char *)(uintptr_t)m->id;
	e->value = merge_fields(m);
	all->owners = merge_alloc(m->mem, 1, sizeof(*all->owners));
	if (e->value == NULL || all->owners == NULL)
		return NULL;
	all->owners[all->n_owners++] = e;
	return all;
}
