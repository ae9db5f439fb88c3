#ifndef CRIOD_LIB_METRIC_H
#define CRIOD_LIB_METRIC_H

/* The metrics of pods and containers: made from lib/metric_table.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Groups, as bits. */
#define METRIC_IN_CPU	   0x001U
#define METRIC_IN_DISK	   0x002U
#define METRIC_IN_DISKIO   0x004U
#define METRIC_IN_HUGETLB  0x008U
#define METRIC_IN_MEMORY   0x010U
#define METRIC_IN_NETWORK  0x020U
#define METRIC_IN_OOM	   0x040U
#define METRIC_IN_PROCESS  0x080U
#define METRIC_IN_SPEC	   0x100U
#define METRIC_IN_PRESSURE 0x200U
#define METRIC_IN_ALL	   0x3ffU /* always on if any group is */

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

#define METRIC_LABELS_MAX 4

struct metric_info {
	const char *name;
	const char *help;
	const char *labels; /* beyond those that all have; blanks between */
	uint32_t groups;
	enum metric_kind kind;
};

enum metric_id {
#define METRIC(id, group, kind, name, labels, help) METRIC_ID_##id,
#include "lib/metric_table.h"
#undef METRIC
	METRIC_COUNT,
};

/* NULL if there is none of that number. */
const struct metric_info *metric_info(uint32_t id);

/* The bit of "cpu" and so on, METRIC_IN_ALL of "all"; 0 if it is no name. */
uint32_t metric_group(const char *name);
/* Their names in order; NULL behind the last. */
const char *metric_group_name(size_t i, uint32_t *bit);

#endif
