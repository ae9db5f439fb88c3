#ifndef CRIOD_EXECD_STAT_PARSE_H
#define CRIOD_EXECD_STAT_PARSE_H

/*
 * What the kernel's files say of a container or pod, as numbers: pure
 * functions of the text.  A file that is missing or not understood leaves
 * its numbers unset.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "execd/stat_file.h"

enum stat_num {
	STAT_WALL,	/* ns */
	STAT_MONO,	/* ns */
	STAT_CPU_USAGE, /* ns, as the next two */
	STAT_CPU_USER,
	STAT_CPU_SYSTEM,
	STAT_CFS_PERIODS,
	STAT_CFS_THROTTLED,
	STAT_CFS_THROTTLED_NS,
	STAT_MEM_USAGE,
	STAT_MEM_LIMIT, /* unset: none */
	STAT_MEM_PEAK,
	STAT_MEM_MIN,
	STAT_MEM_FAILCNT,
	STAT_MEM_RSS,
	STAT_MEM_CACHE,
	STAT_MEM_INACTIVE,
	STAT_MEM_MAPPED,
	STAT_MEM_KERNEL,
	STAT_PGFAULT,
	STAT_PGMAJFAULT,
	STAT_OOM_KILLS,
	STAT_SWAP_USAGE,
	STAT_SWAP_LIMIT,  /* unset: none */
	STAT_MEMSW_USAGE, /* v1: memory and swap */
	STAT_MEMSW_LIMIT,
	STAT_THREADS,
	STAT_THREADS_MAX, /* unset: no limit */
	STAT_NPROCESSES,
	STAT_NFDS,
	STAT_NSOCKETS,
	STAT_NOFILE,
	STAT_NNUMS,
};

struct stat_psi {
	bool set;
	double avg10, avg60, avg300;
	uint64_t total; /* microseconds */
};

enum stat_psi_of { STAT_PSI_CPU, STAT_PSI_MEMORY, STAT_PSI_IO, STAT_NPSI };

/* Columns of /proc/net/dev that are kept. */
enum stat_net_num {
	STAT_RX_BYTES,
	STAT_RX_PACKETS,
	STAT_RX_ERRORS,
	STAT_RX_DROPPED,
	STAT_TX_BYTES,
	STAT_TX_PACKETS,
	STAT_TX_ERRORS,
	STAT_TX_DROPPED,
	STAT_NNET,
};

struct stat_net {
	char name[16];
	uint64_t v[STAT_NNET];
};

enum stat_io_num {
	STAT_IO_RBYTES,
	STAT_IO_WBYTES,
	STAT_IO_RIOS,
	STAT_IO_WIOS,
	STAT_NIO,
};

struct stat_io {
	unsigned int major, minor;
	uint64_t v[STAT_NIO];
};

#define STAT_NET_MAX 256
#define STAT_IO_MAX  256
#define STAT_NHUGE   4

struct stat_huge {
	bool set, max_set;
	uint64_t usage, max;
};

struct stat_sample {
	bool has[STAT_NNUMS];
	enum stat_file from[STAT_NNUMS];
	uint64_t v[STAT_NNUMS];
	struct stat_psi some[STAT_NPSI], full[STAT_NPSI];
	struct stat_huge huge[STAT_NHUGE];
	bool net_set;
	struct stat_net *net; /* owned */
	size_t nnet;
	struct stat_io *io; /* owned */
	size_t nio;
};

/* "64KB" and so on. */
const char *stat_huge_name(size_t i);

/*
 * Reads the launcher's records into the n samples, which are empty before.
 * -1 if they are malformed; the samples must be cleared in either case.
 */
int stat_parse(const uint8_t *buf, size_t len, struct stat_sample *samples,
    size_t n) __attribute__((warn_unused_result));
void stat_clear(struct stat_sample *s);

/* Memory in use but the inactive page cache. */
uint64_t stat_working_set(const struct stat_sample *s);
/* Swap alone; false if the kernel does not count it. */
bool stat_swap(const struct stat_sample *s, uint64_t *used, bool *limited,
    uint64_t *limit);

#endif
