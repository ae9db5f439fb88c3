#ifndef CRIOD_EXECD_STAT_FILE_H
#define CRIOD_EXECD_STAT_FILE_H

/*
 * What the launcher reads for L_STATS, and how it hands that over: a sealed
 * file of records, each a header of three little-endian u32 (which of the
 * message's names, which file, how many bytes) and that many bytes, just as
 * the kernel gave them.
 */

#include <stddef.h>
#include <stdint.h>

#define STAT_NAME_SIZE	 65 /* 'c' or '@', and the id of container or pod */
#define STAT_NAMES_MAX	 32 /* of one message */
#define STAT_HEADER	 12
#define STAT_FILE_MAX	 (64U * 1024)
#define STAT_TOTAL_MAX	 (16U * 1024 * 1024)
#define STAT_NUMBERS_MAX 8

/* What of them is wanted: fixed_stats.what. */
#define STAT_WANT_CGROUP    0x1U
#define STAT_WANT_NET	    0x2U /* of pods */
#define STAT_WANT_PROCESSES 0x4U /* descriptors and sockets: costs more */
#define STAT_WANT_ALL	    0x7U

enum stat_file {
	/* Not files: little-endian u64, as many as named. */
	STAT_TIMES,	/* wall time, CLOCK_BOOTTIME; in nanoseconds */
	STAT_COUNT,	/* processes */
	STAT_PROCESSES, /* descriptors, sockets, soft limit of descriptors */
	STAT_NET_DEV,	/* /proc/net/dev */
	/* cgroup v2 */
	STAT_V2_CPU,
	STAT_V2_CPU_PRESSURE,
	STAT_V2_MEMORY_CURRENT,
	STAT_V2_MEMORY_EVENTS,
	STAT_V2_MEMORY_MAX,
	STAT_V2_MEMORY_MIN,
	STAT_V2_MEMORY_PEAK,
	STAT_V2_MEMORY_PRESSURE,
	STAT_V2_MEMORY_STAT,
	STAT_V2_SWAP_CURRENT,
	STAT_V2_SWAP_MAX,
	STAT_V2_IO,
	STAT_V2_IO_PRESSURE,
	STAT_V2_PIDS_CURRENT,
	STAT_V2_PIDS_MAX,
	STAT_V2_HUGE_64K,
	STAT_V2_HUGE_2M,
	STAT_V2_HUGE_32M,
	STAT_V2_HUGE_1G,
	/* cgroup v1 */
	STAT_V1_CPUACCT_USAGE,
	STAT_V1_CPUACCT_STAT,
	STAT_V1_CPU,
	STAT_V1_MEMORY_USAGE,
	STAT_V1_MEMORY_MAX_USAGE,
	STAT_V1_MEMORY_LIMIT,
	STAT_V1_MEMORY_SOFT,
	STAT_V1_MEMORY_FAILCNT,
	STAT_V1_MEMORY_STAT,
	STAT_V1_MEMORY_KERNEL,
	STAT_V1_MEMORY_OOM,
	STAT_V1_MEMSW_USAGE,
	STAT_V1_MEMSW_LIMIT,
	STAT_V1_PIDS_CURRENT,
	STAT_V1_PIDS_MAX,
	STAT_V1_IO_BYTES,
	STAT_V1_IO_OPS,
	STAT_V1_HUGE_64K,
	STAT_V1_HUGE_2M,
	STAT_V1_HUGE_32M,
	STAT_V1_HUGE_1G,
	STAT_V1_HUGE_MAX_64K,
	STAT_V1_HUGE_MAX_2M,
	STAT_V1_HUGE_MAX_32M,
	STAT_V1_HUGE_MAX_1G,
	STAT_NFILES,
};

#endif
