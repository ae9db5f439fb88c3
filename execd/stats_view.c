/* What was read, as the CRI's messages. */
#include <stdlib.h>
#include <string.h>

#include "execd/stats.h"

#define VIEW_VALUES 32

struct stats_view {
	Criod__StatsItem item;
	Runtime__V1__CpuUsage cpu;
	Runtime__V1__MemoryUsage memory;
	Runtime__V1__SwapUsage swap;
	Runtime__V1__IoUsage io;
	Runtime__V1__ProcessUsage process;
	Runtime__V1__NetworkUsage network;
	Runtime__V1__FilesystemUsage layer;
	Runtime__V1__FilesystemIdentifier layer_id;
	Runtime__V1__PsiStats psi[STAT_NPSI];
	Runtime__V1__PsiData psi_data[2 * STAT_NPSI];
	Runtime__V1__UInt64Value values[VIEW_VALUES];
	size_t nvalues;
	Runtime__V1__NetworkInterfaceUsage *interfaces; /* owned */
	Runtime__V1__NetworkInterfaceUsage **others;	/* owned */
	Runtime__V1__UInt64Value *counts;		/* owned */
	size_t ncounts;
};

static Runtime__V1__UInt64Value *
view_u64(Runtime__V1__UInt64Value *v, uint64_t value)
{
	runtime__v1__uint64_value__init(v);
	v->value = value;
	return v;
}

static Runtime__V1__UInt64Value *
view_value(struct stats_view *v, uint64_t value)
{
	return view_u64(&v->values[v->nvalues++], value);
}

/* NULL if the kernel did not say. */
static Runtime__V1__UInt64Value *
view_num(struct stats_view *v, const struct stats *s, enum stat_num num)
{
	return s->now.has[num] ? view_value(v, s->now.v[num]) : NULL;
}

static Runtime__V1__PsiData *
view_psi_data(Runtime__V1__PsiData *d, const struct stat_psi *p)
{
	runtime__v1__psi_data__init(d);
	d->total = p->total;
	d->avg10 = p->avg10;
	d->avg60 = p->avg60;
	d->avg300 = p->avg300;
	return d;
}

static Runtime__V1__PsiStats *
view_psi(struct stats_view *v, const struct stats *s, enum stat_psi_of of)
{
	Runtime__V1__PsiStats *psi = &v->psi[of];
	const struct stat_psi *some = &s->now.some[of],
			      *full = &s->now.full[of];

	if (!some->set)
		return NULL;
	runtime__v1__psi_stats__init(psi);
	psi->some = view_psi_data(&v->psi_data[2 * of], some);
	/* The root's CPU has no "full": nothing, then. */
	psi->full = view_psi_data(&v->psi_data[2 * of + 1], full);
	return psi;
}

static void
view_cpu(struct stats_view *v, const struct stats *s, int64_t at)
{
	if (!s->now.has[STAT_CPU_USAGE])
		return;
	runtime__v1__cpu_usage__init(&v->cpu);
	v->cpu.timestamp = at;
	v->cpu.usage_core_nano_seconds = view_num(v, s, STAT_CPU_USAGE);
	if (s->rate_set)
		v->cpu.usage_nano_cores = view_value(v, s->rate);
	v->cpu.psi = view_psi(v, s, STAT_PSI_CPU);
	v->item.cpu = &v->cpu;
}

static void
view_memory(struct stats_view *v, const struct stats *s, int64_t at)
{
	const struct stat_sample *n = &s->now;
	uint64_t set = stat_working_set(n);

	if (!n->has[STAT_MEM_USAGE])
		return;
	runtime__v1__memory_usage__init(&v->memory);
	v->memory.timestamp = at;
	v->memory.usage_bytes = view_num(v, s, STAT_MEM_USAGE);
	v->memory.working_set_bytes = view_value(v, set);
	if (n->has[STAT_MEM_LIMIT])
		v->memory.available_bytes = view_value(v,
		    n->v[STAT_MEM_LIMIT] > set ? n->v[STAT_MEM_LIMIT] - set
					       : 0);
	v->memory.rss_bytes = view_num(v, s, STAT_MEM_RSS);
	v->memory.page_faults = view_num(v, s, STAT_PGFAULT);
	v->memory.major_page_faults = view_num(v, s, STAT_PGMAJFAULT);
	v->memory.psi = view_psi(v, s, STAT_PSI_MEMORY);
	v->item.memory = &v->memory;
}

static void
view_swap(struct stats_view *v, const struct stats *s, int64_t at)
{
	uint64_t used, limit;
	bool limited;

	if (!stat_swap(&s->now, &used, &limited, &limit))
		return;
	runtime__v1__swap_usage__init(&v->swap);
	v->swap.timestamp = at;
	v->swap.swap_usage_bytes = view_value(v, used);
	if (limited)
		v->swap.swap_available_bytes =
		    view_value(v, limit > used ? limit - used : 0);
	v->item.swap = &v->swap;
}

static void
view_rest(struct stats_view *v, const struct stats *s, int64_t at)
{
	runtime__v1__io_usage__init(&v->io);
	v->io.timestamp = at;
	v->io.psi = view_psi(v, s, STAT_PSI_IO);
	if (v->io.psi != NULL)
		v->item.io = &v->io;
	if (!s->now.has[STAT_NPROCESSES])
		return;
	runtime__v1__process_usage__init(&v->process);
	v->process.timestamp = at;
	v->process.process_count = view_num(v, s, STAT_NPROCESSES);
	v->item.process = &v->process;
}

static void
view_interface(struct stats_view *v, struct stat_net *n,
    Runtime__V1__NetworkInterfaceUsage *i)
{
	runtime__v1__network_interface_usage__init(i);
	i->name = n->name;
	i->rx_bytes = view_u64(&v->counts[v->ncounts++], n->v[STAT_RX_BYTES]);
	i->rx_errors = view_u64(&v->counts[v->ncounts++], n->v[STAT_RX_ERRORS]);
	i->tx_bytes = view_u64(&v->counts[v->ncounts++], n->v[STAT_TX_BYTES]);
	i->tx_errors = view_u64(&v->counts[v->ncounts++], n->v[STAT_TX_ERRORS]);
}

/* The default interface is eth0, as CNI's callers name it, else the first. */
static void
view_network(struct stats_view *v, const struct stats *s, int64_t at)
{
	size_t n = s->now.nnet, others = 0;

	if (!s->now.net_set)
		return;
	runtime__v1__network_usage__init(&v->network);
	v->network.timestamp = at;
	v->item.network = &v->network;
	v->interfaces = execd_alloc(n + 1, sizeof(*v->interfaces));
	v->others = execd_alloc(n + 1, sizeof(*v->others));
	v->counts = execd_alloc(4 * n + 1, sizeof(*v->counts));
	for (size_t i = 0; i < n; i++) {
		struct stat_net *net = &s->now.net[i];
		Runtime__V1__NetworkInterfaceUsage *u = &v->interfaces[i];

		if (strcmp(net->name, "lo") == 0)
			continue;
		view_interface(v, net, u);
		if (v->network.default_interface == NULL ||
		    strcmp(net->name, "eth0") == 0) {
			if (v->network.default_interface != NULL)
				v->others[others++] =
				    v->network.default_interface;
			v->network.default_interface = u;
		} else {
			v->others[others++] = u;
		}
	}
	v->network.interfaces = v->others;
	v->network.n_interfaces = others;
}

static void
view_layer(struct stats_view *v, struct execd *x, const struct stats *s)
{
	if (s->usage_at == 0)
		return;
	runtime__v1__filesystem_usage__init(&v->layer);
	runtime__v1__filesystem_identifier__init(&v->layer_id);
	v->layer_id.mountpoint = x->boot->container_directory;
	v->layer.timestamp = s->usage_at;
	v->layer.fs_id = &v->layer_id;
	v->layer.used_bytes = view_value(v, s->usage.bytes);
	v->layer.inodes_used = view_value(v, s->usage.inodes);
	v->item.writable_layer = &v->layer;
}

struct stats_view *
stats_view_new(struct execd *x, char *id, const struct stats *s,
    uint32_t metrics)
{
	struct stats_view *v = execd_alloc(1, sizeof(*v));
	int64_t at = s->what == 0 ? 0 : (int64_t)s->now.v[STAT_WALL];

	criod__stats_item__init(&v->item);
	v->item.id = id;
	v->item.sampled_at = at;
	if (metrics != 0) {
		stats_metric_fill(&v->item, s, metrics);
		return v;
	}
	if (at != 0) {
		view_cpu(v, s, at);
		view_memory(v, s, at);
		view_swap(v, s, at);
		view_rest(v, s, at);
		view_network(v, s, at);
	}
	view_layer(v, x, s);
	return v;
}

Criod__StatsItem *
stats_view_item(struct stats_view *v)
{
	return &v->item;
}

void
stats_view_free(struct stats_view *v)
{
	stats_metric_free(&v->item);
	free(v->interfaces);
	free(v->others);
	free(v->counts);
	free(v);
}
