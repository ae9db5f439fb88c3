/* What was read, under cAdvisor's names. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/stats.h"
#include "lib/log.h"
#include "lib/metric.h"

#define METRIC_S_NS 1000000000U
#define METRIC_S_US 1000000U

/* One number is one metric.  unit: how many of it are one of the metric's. */
static const struct {
	enum stat_num num;
	enum metric_id id;
	uint64_t unit;
} metric_nums[] = {
	{ STAT_CPU_USER, METRIC_ID_CPU_USER, METRIC_S_NS },
	{ STAT_CPU_SYSTEM, METRIC_ID_CPU_SYSTEM, METRIC_S_NS },
	{ STAT_CFS_PERIODS, METRIC_ID_CFS_PERIODS, 1 },
	{ STAT_CFS_THROTTLED, METRIC_ID_CFS_THROTTLED_PERIODS, 1 },
	{ STAT_CFS_THROTTLED_NS, METRIC_ID_CFS_THROTTLED, METRIC_S_NS },
	{ STAT_MEM_CACHE, METRIC_ID_MEMORY_CACHE, 1 },
	{ STAT_MEM_RSS, METRIC_ID_MEMORY_RSS, 1 },
	{ STAT_MEM_KERNEL, METRIC_ID_MEMORY_KERNEL, 1 },
	{ STAT_MEM_MAPPED, METRIC_ID_MEMORY_MAPPED, 1 },
	{ STAT_MEM_FAILCNT, METRIC_ID_MEMORY_FAILCNT, 1 },
	{ STAT_MEM_USAGE, METRIC_ID_MEMORY_USAGE, 1 },
	{ STAT_MEM_PEAK, METRIC_ID_MEMORY_MAX, 1 },
	{ STAT_MEM_MIN, METRIC_ID_SPEC_RESERVATION, 1 },
	{ STAT_OOM_KILLS, METRIC_ID_OOM, 1 },
	{ STAT_NFDS, METRIC_ID_FILES, 1 },
	{ STAT_NPROCESSES, METRIC_ID_PROCESSES, 1 },
	{ STAT_NSOCKETS, METRIC_ID_SOCKETS, 1 },
	{ STAT_THREADS, METRIC_ID_THREADS, 1 },
};

static const struct {
	enum stat_psi_of of;
	enum metric_id some, full;
} metric_psi[] = {
	{ STAT_PSI_CPU, METRIC_ID_PRESSURE_CPU_SOME,
	    METRIC_ID_PRESSURE_CPU_FULL },
	{ STAT_PSI_MEMORY, METRIC_ID_PRESSURE_MEMORY_SOME,
	    METRIC_ID_PRESSURE_MEMORY_FULL },
	{ STAT_PSI_IO, METRIC_ID_PRESSURE_IO_SOME, METRIC_ID_PRESSURE_IO_FULL },
};

static const enum metric_id metric_net[STAT_NNET] = {
	[STAT_RX_BYTES] = METRIC_ID_NET_RX_BYTES,
	[STAT_RX_PACKETS] = METRIC_ID_NET_RX_PACKETS,
	[STAT_RX_ERRORS] = METRIC_ID_NET_RX_ERRORS,
	[STAT_RX_DROPPED] = METRIC_ID_NET_RX_DROPPED,
	[STAT_TX_BYTES] = METRIC_ID_NET_TX_BYTES,
	[STAT_TX_PACKETS] = METRIC_ID_NET_TX_PACKETS,
	[STAT_TX_ERRORS] = METRIC_ID_NET_TX_ERRORS,
	[STAT_TX_DROPPED] = METRIC_ID_NET_TX_DROPPED,
};

static const struct {
	enum metric_id id;
	const char *operation; /* of container_blkio_device_usage_total */
} metric_io[STAT_NIO] = {
	[STAT_IO_RBYTES] = { METRIC_ID_FS_READ_BYTES, "read" },
	[STAT_IO_WBYTES] = { METRIC_ID_FS_WRITE_BYTES, "write" },
	[STAT_IO_RIOS] = { METRIC_ID_FS_READS, NULL },
	[STAT_IO_WIOS] = { METRIC_ID_FS_WRITES, NULL },
};

#define METRIC_COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

struct metric_out {
	Criod__StatsItem *item;
	uint32_t groups;
	size_t size;
};

static bool
metric_wanted(const struct metric_out *o, enum metric_id id)
{
	return (metric_info(id)->groups & o->groups) != 0;
}

static void
metric_add(struct metric_out *o, enum metric_id id, uint64_t value,
    const char *const *labels, size_t n)
{
	Criod__StatsItem *item = o->item;
	Criod__StatsMetric *m;

	if (!metric_wanted(o, id))
		return;
	if (item->n_metrics == o->size) {
		o->size = o->size == 0 ? 64 : 2 * o->size;
		item->metrics = reallocarray(item->metrics, o->size, sizeof(m));
		if (item->metrics == NULL)
			fatal("reallocarray");
	}
	m = execd_alloc(1, sizeof(*m));
	criod__stats_metric__init(m);
	m->id = id;
	m->value = value;
	m->labels = execd_alloc(n + 1, sizeof(*m->labels));
	for (size_t i = 0; i < n; i++)
		m->labels[m->n_labels++] = execd_strdup(labels[i]);
	item->metrics[item->n_metrics++] = m;
}

static void
metric_plain(struct metric_out *o, enum metric_id id, uint64_t value)
{
	metric_add(o, id, value, NULL, 0);
}

static void
metric_label(struct metric_out *o, enum metric_id id, uint64_t value,
    const char *label)
{
	metric_add(o, id, value, &label, 1);
}

static void
metric_all_nums(struct metric_out *o, const struct stat_sample *s)
{
	for (size_t i = 0; i < METRIC_COUNT_OF(metric_nums); i++) {
		enum stat_num num = metric_nums[i].num;

		if (s->has[num])
			metric_plain(o, metric_nums[i].id,
			    s->v[num] / metric_nums[i].unit);
	}
	if (s->has[STAT_CPU_USAGE])
		metric_label(o, METRIC_ID_CPU_USAGE,
		    s->v[STAT_CPU_USAGE] / METRIC_S_NS, "total");
	if (s->has[STAT_THREADS])
		metric_plain(o, METRIC_ID_THREADS_MAX, s->v[STAT_THREADS_MAX]);
	if (s->has[STAT_NOFILE])
		metric_label(o, METRIC_ID_ULIMITS, s->v[STAT_NOFILE],
		    "max_open_files");
}

static void
metric_all_memory(struct metric_out *o, const struct stat_sample *s)
{
	static const struct {
		enum stat_num num;
		const char *type;
	} faults[] = { { STAT_PGFAULT, "pgfault" },
		{ STAT_PGMAJFAULT, "pgmajfault" } };
	static const char *const scopes[] = { "container", "hierarchy" };
	uint64_t used, limit;
	bool limited;

	if (!s->has[STAT_MEM_USAGE])
		return;
	metric_plain(o, METRIC_ID_MEMORY_WORKING_SET, stat_working_set(s));
	if (stat_swap(s, &used, &limited, &limit))
		metric_plain(o, METRIC_ID_MEMORY_SWAP, used);
	for (size_t i = 0; i < 4; i++) {
		const char *labels[] = { faults[i / 2].type, scopes[i % 2] };

		if (s->has[faults[i / 2].num])
			metric_add(o, METRIC_ID_MEMORY_FAILURES,
			    s->v[faults[i / 2].num], labels, 2);
	}
}

static void
metric_all_psi(struct metric_out *o, const struct stat_sample *s)
{
	for (size_t i = 0; i < METRIC_COUNT_OF(metric_psi); i++) {
		const struct stat_psi *some = &s->some[metric_psi[i].of];
		const struct stat_psi *full = &s->full[metric_psi[i].of];

		if (!some->set)
			continue;
		metric_plain(o, metric_psi[i].some, some->total / METRIC_S_US);
		metric_plain(o, metric_psi[i].full, full->total / METRIC_S_US);
	}
}

static void
metric_all_net(struct metric_out *o, const struct stat_sample *s)
{
	for (size_t i = 0; i < s->nnet; i++) {
		if (strcmp(s->net[i].name, "lo") == 0)
			continue;
		for (size_t k = 0; k < STAT_NNET; k++)
			metric_label(o, metric_net[k], s->net[i].v[k],
			    s->net[i].name);
	}
}

static void
metric_device(struct metric_out *o, const struct stat_io *io)
{
	char major[12], minor[12], device[24];
	const char *labels[] = { device, major, minor, NULL };

	(void)snprintf(major, sizeof(major), "%u", io->major);
	(void)snprintf(minor, sizeof(minor), "%u", io->minor);
	(void)snprintf(device, sizeof(device), "%s:%s", major, minor);
	for (size_t i = 0; i < STAT_NIO; i++) {
		metric_label(o, metric_io[i].id, io->v[i], device);
		labels[3] = metric_io[i].operation;
		if (labels[3] != NULL)
			metric_add(o, METRIC_ID_BLKIO, io->v[i], labels, 4);
	}
}

static void
metric_all_huge(struct metric_out *o, const struct stat_sample *s)
{
	for (size_t i = 0; i < STAT_NHUGE; i++) {
		if (s->huge[i].set)
			metric_label(o, METRIC_ID_HUGETLB_USAGE,
			    s->huge[i].usage, stat_huge_name(i));
		if (s->huge[i].max_set)
			metric_label(o, METRIC_ID_HUGETLB_MAX, s->huge[i].max,
			    stat_huge_name(i));
	}
}

static void
metric_all_layer(struct metric_out *o, const struct stats *s)
{
	if (s->usage_at == 0)
		return;
	metric_plain(o, METRIC_ID_FS_USAGE, s->usage.bytes);
	metric_plain(o, METRIC_ID_FS_LIMIT, s->usage.fs_bytes);
	metric_plain(o, METRIC_ID_FS_INODES, s->usage.fs_inodes);
	metric_plain(o, METRIC_ID_FS_INODES_FREE, s->usage.fs_free_inodes);
}

void
stats_metric_fill(Criod__StatsItem *item, const struct stats *s,
    uint32_t groups)
{
	struct metric_out o = { .item = item, .groups = groups };

	if (s->what == 0)
		return;
	metric_plain(&o, METRIC_ID_LAST_SEEN,
	    s->now.v[STAT_WALL] / METRIC_S_NS);
	metric_all_nums(&o, &s->now);
	metric_all_memory(&o, &s->now);
	metric_all_psi(&o, &s->now);
	metric_all_net(&o, &s->now);
	for (size_t i = 0; i < s->now.nio; i++)
		metric_device(&o, &s->now.io[i]);
	metric_all_huge(&o, &s->now);
	metric_all_layer(&o, s);
}

void
stats_metric_free(Criod__StatsItem *item)
{
	for (size_t i = 0; i < item->n_metrics; i++) {
		Criod__StatsMetric *m = item->metrics[i];

		for (size_t k = 0; k < m->n_labels; k++)
			free(m->labels[k]);
		free(m->labels);
		free(m);
	}
	free(item->metrics);
	item->metrics = NULL;
	item->n_metrics = 0;
}
