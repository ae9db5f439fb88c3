#include <string.h>

#include "lib/metric.h"

static const struct metric_info metric_infos[] = {
#define METRIC(id, group, type, metric, label_names, text)                     \
	[METRIC_ID_##id] = { .name = (metric),                                 \
		.help = (text),                                                \
		.labels = (label_names),                                       \
		.groups = (group),                                             \
		.kind = METRIC_##type },
#include "lib/metric_table.h"
#undef METRIC
};

static const struct {
	const char *name;
	uint32_t bit;
} metric_groups[] = {
	{ "cpu", METRIC_IN_CPU },
	{ "disk", METRIC_IN_DISK },
	{ "diskIO", METRIC_IN_DISKIO },
	{ "hugetlb", METRIC_IN_HUGETLB },
	{ "memory", METRIC_IN_MEMORY },
	{ "network", METRIC_IN_NETWORK },
	{ "oom", METRIC_IN_OOM },
	{ "process", METRIC_IN_PROCESS },
	{ "spec", METRIC_IN_SPEC },
	{ "pressure", METRIC_IN_PRESSURE },
};

#define METRIC_NGROUPS (sizeof(metric_groups) / sizeof(metric_groups[0]))

const struct metric_info *
metric_info(uint32_t id)
{
	return id < METRIC_COUNT ? &metric_infos[id] : NULL;
}

uint32_t
metric_group(const char *name)
{
	for (size_t i = 0; i < METRIC_NGROUPS; i++) {
		if (strcmp(metric_groups[i].name, name) == 0)
			return metric_groups[i].bit;
	}
	return strcmp(name, "all") == 0 ? METRIC_IN_ALL : 0;
}

const char *
metric_group_name(size_t i, uint32_t *bit)
{
	if (i >= METRIC_NGROUPS)
		return NULL;
	*bit = metric_groups[i].bit;
	return metric_groups[i].name;
}
