#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/stat_parse.h"
#include "lib/mono.h"

#define STAT_LINE_MAX 1024
/* What v1 says for "no limit" is the largest number of whole pages. */
#define STAT_NO_LIMIT (UINT64_C(1) << 62)
#define STAT_US_NS    1000U

/* One number is all of the file. */
static const struct {
	enum stat_file file;
	enum stat_num num;
} stat_single[] = {
	{ STAT_V2_MEMORY_CURRENT, STAT_MEM_USAGE },
	{ STAT_V2_MEMORY_MAX, STAT_MEM_LIMIT },
	{ STAT_V2_MEMORY_MIN, STAT_MEM_MIN },
	{ STAT_V2_MEMORY_PEAK, STAT_MEM_PEAK },
	{ STAT_V2_SWAP_CURRENT, STAT_SWAP_USAGE },
	{ STAT_V2_SWAP_MAX, STAT_SWAP_LIMIT },
	{ STAT_V2_PIDS_CURRENT, STAT_THREADS },
	{ STAT_V2_PIDS_MAX, STAT_THREADS_MAX },
	{ STAT_V1_CPUACCT_USAGE, STAT_CPU_USAGE },
	{ STAT_V1_MEMORY_USAGE, STAT_MEM_USAGE },
	{ STAT_V1_MEMORY_MAX_USAGE, STAT_MEM_PEAK },
	{ STAT_V1_MEMORY_LIMIT, STAT_MEM_LIMIT },
	{ STAT_V1_MEMORY_SOFT, STAT_MEM_MIN },
	{ STAT_V1_MEMORY_FAILCNT, STAT_MEM_FAILCNT },
	{ STAT_V1_MEMORY_KERNEL, STAT_MEM_KERNEL },
	{ STAT_V1_MEMSW_USAGE, STAT_MEMSW_USAGE },
	{ STAT_V1_MEMSW_LIMIT, STAT_MEMSW_LIMIT },
	{ STAT_V1_PIDS_CURRENT, STAT_THREADS },
	{ STAT_V1_PIDS_MAX, STAT_THREADS_MAX },
};

/* unit: what one is worth; 0: a clock tick, in nanoseconds. */
static const struct {
	enum stat_file file;
	const char *key;
	enum stat_num num;
	uint64_t unit;
} stat_keyed[] = {
	{ STAT_V2_CPU, "usage_usec", STAT_CPU_USAGE, STAT_US_NS },
	{ STAT_V2_CPU, "user_usec", STAT_CPU_USER, STAT_US_NS },
	{ STAT_V2_CPU, "system_usec", STAT_CPU_SYSTEM, STAT_US_NS },
	{ STAT_V2_CPU, "nr_periods", STAT_CFS_PERIODS, 1 },
	{ STAT_V2_CPU, "nr_throttled", STAT_CFS_THROTTLED, 1 },
	{ STAT_V2_CPU, "throttled_usec", STAT_CFS_THROTTLED_NS, STAT_US_NS },
	{ STAT_V2_MEMORY_STAT, "anon", STAT_MEM_RSS, 1 },
	{ STAT_V2_MEMORY_STAT, "file", STAT_MEM_CACHE, 1 },
	{ STAT_V2_MEMORY_STAT, "inactive_file", STAT_MEM_INACTIVE, 1 },
	{ STAT_V2_MEMORY_STAT, "file_mapped", STAT_MEM_MAPPED, 1 },
	{ STAT_V2_MEMORY_STAT, "kernel", STAT_MEM_KERNEL, 1 },
	{ STAT_V2_MEMORY_STAT, "pgfault", STAT_PGFAULT, 1 },
	{ STAT_V2_MEMORY_STAT, "pgmajfault", STAT_PGMAJFAULT, 1 },
	{ STAT_V2_MEMORY_EVENTS, "max", STAT_MEM_FAILCNT, 1 },
	{ STAT_V2_MEMORY_EVENTS, "oom_kill", STAT_OOM_KILLS, 1 },
	{ STAT_V1_CPUACCT_STAT, "user", STAT_CPU_USER, 0 },
	{ STAT_V1_CPUACCT_STAT, "system", STAT_CPU_SYSTEM, 0 },
	{ STAT_V1_CPU, "nr_periods", STAT_CFS_PERIODS, 1 },
	{ STAT_V1_CPU, "nr_throttled", STAT_CFS_THROTTLED, 1 },
	{ STAT_V1_CPU, "throttled_time", STAT_CFS_THROTTLED_NS, 1 },
	{ STAT_V1_MEMORY_STAT, "total_rss", STAT_MEM_RSS, 1 },
	{ STAT_V1_MEMORY_STAT, "total_cache", STAT_MEM_CACHE, 1 },
	{ STAT_V1_MEMORY_STAT, "total_inactive_file", STAT_MEM_INACTIVE, 1 },
	{ STAT_V1_MEMORY_STAT, "total_mapped_file", STAT_MEM_MAPPED, 1 },
	{ STAT_V1_MEMORY_STAT, "total_pgfault", STAT_PGFAULT, 1 },
	{ STAT_V1_MEMORY_STAT, "total_pgmajfault", STAT_PGMAJFAULT, 1 },
	{ STAT_V1_MEMORY_OOM, "oom_kill", STAT_OOM_KILLS, 1 },
};

static const struct {
	enum stat_file file;
	enum stat_psi_of of;
} stat_pressures[] = {
	{ STAT_V2_CPU_PRESSURE, STAT_PSI_CPU },
	{ STAT_V2_MEMORY_PRESSURE, STAT_PSI_MEMORY },
	{ STAT_V2_IO_PRESSURE, STAT_PSI_IO },
};

static const char *const stat_huge_names[STAT_NHUGE] = { "64KB", "2MB", "32MB",
	"1GB" };

#define STAT_COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

const char *
stat_huge_name(size_t i)
{
	return stat_huge_names[i];
}

/* v1 beside a v2 that has no controllers: v1 knows better. */
static void
stat_set(struct stat_sample *s, enum stat_file file, enum stat_num num,
    uint64_t v)
{
	if (s->has[num] && s->from[num] > file)
		return;
	s->has[num] = true;
	s->from[num] = file;
	s->v[num] = v;
}

/* A decimal number and nothing else; "max" is none. */
static bool
stat_number(const char *text, uint64_t *v)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*v = strtoull(text, &end, 10);
	return *end == '\0' || *end == ' ';
}

/* ---- files ---- */

static void
stat_line_single(struct stat_sample *s, enum stat_file file, const char *line)
{
	uint64_t v;

	for (size_t i = 0; i < STAT_COUNT_OF(stat_single); i++) {
		if (stat_single[i].file == file && stat_number(line, &v) &&
		    v < STAT_NO_LIMIT)
			stat_set(s, file, stat_single[i].num, v);
	}
}

static void
stat_line_keyed(struct stat_sample *s, enum stat_file file, const char *line)
{
	uint64_t v, unit;

	for (size_t i = 0; i < STAT_COUNT_OF(stat_keyed); i++) {
		size_t n = strlen(stat_keyed[i].key);

		if (stat_keyed[i].file != file ||
		    strncmp(line, stat_keyed[i].key, n) != 0 ||
		    line[n] != ' ' || !stat_number(line + n + 1, &v))
			continue;
		unit = stat_keyed[i].unit;
		if (unit == 0)
			unit = (uint64_t)MONO_NS_PER_S /
			       (uint64_t)sysconf(_SC_CLK_TCK);
		stat_set(s, file, stat_keyed[i].num, v * unit);
	}
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static void
stat_line_psi(struct stat_sample *s, enum stat_file file, const char *line)
{
	struct stat_psi p = { .set = true };
	char word[8];

	if (sscanf(line, "%7s avg10=%lf avg60=%lf avg300=%lf total=%" SCNu64,
		word, &p.avg10, &p.avg60, &p.avg300, &p.total) != 5)
		return;
	for (size_t i = 0; i < STAT_COUNT_OF(stat_pressures); i++) {
		if (stat_pressures[i].file != file)
			continue;
		if (strcmp(word, "some") == 0)
			s->some[stat_pressures[i].of] = p;
		else if (strcmp(word, "full") == 0)
			s->full[stat_pressures[i].of] = p;
	}
}

/* NULL without memory, or if there are too many. */
static struct stat_io *
stat_io_of(struct stat_sample *s, unsigned int major, unsigned int minor)
{
	struct stat_io *grown;

	for (size_t i = 0; i < s->nio; i++) {
		if (s->io[i].major == major && s->io[i].minor == minor)
			return &s->io[i];
	}
	if (s->nio == STAT_IO_MAX)
		return NULL;
	grown = reallocarray(s->io, s->nio + 1, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	s->io = grown;
	memset(&s->io[s->nio], 0, sizeof(*grown));
	s->io[s->nio].major = major;
	s->io[s->nio].minor = minor;
	return &s->io[s->nio++];
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
static void
stat_line_io2(struct stat_sample *s, enum stat_file file, const char *line)
{
	static const char *const keys[STAT_NIO] = { " rbytes=", " wbytes=",
		" rios=", " wios=" };
	unsigned int major, minor;
	struct stat_io *io;

	(void)file;
	if (sscanf(line, "%u:%u ", &major, &minor) != 2 ||
	    strstr(line, keys[0]) == NULL ||
	    (io = stat_io_of(s, major, minor)) == NULL)
		return;
	for (size_t i = 0; i < STAT_NIO; i++) {
		const char *p = strstr(line, keys[i]);

		if (p != NULL)
			io->v[i] = strtoull(p + strlen(keys[i]), NULL, 10);
	}
}

/* "8:0 Read 4096" */
static void
stat_line_io1(struct stat_sample *s, enum stat_file file, const char *line)
{
	bool bytes = file == STAT_V1_IO_BYTES;
	unsigned int major, minor;
	struct stat_io *io;
	char op[16];
	uint64_t v;

	if (sscanf(line, "%u:%u %15s %" SCNu64, &major, &minor, op, &v) != 4 ||
	    (io = stat_io_of(s, major, minor)) == NULL)
		return;
	if (strcmp(op, "Read") == 0)
		io->v[bytes ? STAT_IO_RBYTES : STAT_IO_RIOS] = v;
	else if (strcmp(op, "Write") == 0)
		io->v[bytes ? STAT_IO_WBYTES : STAT_IO_WIOS] = v;
}

/* "  eth0: RX-BYTES PACKETS ERRS DROP - - - - TX-BYTES PACKETS ERRS DROP ..."
 */
static void
stat_line_net(struct stat_sample *s, enum stat_file file, const char *line)
{
	struct stat_net n = { 0 }, *grown;
	const char *colon = strrchr(line, ':');

	(void)file;
	s->net_set = true;
	line += strspn(line, " ");
	if (colon == NULL || colon == line ||
	    (size_t)(colon - line) >= sizeof(n.name) || s->nnet == STAT_NET_MAX)
		return;
	memcpy(n.name, line, (size_t)(colon - line));
	if (sscanf(colon + 1,
		"%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		" %*u %*u %*u %*u"
		" %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		&n.v[0], &n.v[1], &n.v[2], &n.v[3], &n.v[4], &n.v[5], &n.v[6],
		&n.v[7]) != STAT_NNET)
		return;
	grown = reallocarray(s->net, s->nnet + 1, sizeof(*grown));
	if (grown == NULL)
		return;
	s->net = grown;
	s->net[s->nnet++] = n;
}

static void
stat_line_huge(struct stat_sample *s, enum stat_file file, const char *line)
{
	enum stat_file base = file >= STAT_V1_HUGE_MAX_64K
				  ? STAT_V1_HUGE_MAX_64K
			      : file >= STAT_V1_HUGE_64K ? STAT_V1_HUGE_64K
							 : STAT_V2_HUGE_64K;
	struct stat_huge *h = &s->huge[file - base];
	uint64_t v;

	if (!stat_number(line, &v))
		return;
	if (base == STAT_V1_HUGE_MAX_64K) {
		h->max_set = true;
		h->max = v;
	} else {
		h->set = true;
		h->usage = v;
	}
}

typedef void (*stat_line_fn)(struct stat_sample *s, enum stat_file file,
    const char *line);

/* Files of one number, where nothing else is said. */
static const stat_line_fn stat_lines[STAT_NFILES] = {
	[STAT_NET_DEV] = stat_line_net,
	[STAT_V2_CPU] = stat_line_keyed,
	[STAT_V2_CPU_PRESSURE] = stat_line_psi,
	[STAT_V2_MEMORY_EVENTS] = stat_line_keyed,
	[STAT_V2_MEMORY_PRESSURE] = stat_line_psi,
	[STAT_V2_MEMORY_STAT] = stat_line_keyed,
	[STAT_V2_IO] = stat_line_io2,
	[STAT_V2_IO_PRESSURE] = stat_line_psi,
	[STAT_V2_HUGE_64K] = stat_line_huge,
	[STAT_V2_HUGE_2M] = stat_line_huge,
	[STAT_V2_HUGE_32M] = stat_line_huge,
	[STAT_V2_HUGE_1G] = stat_line_huge,
	[STAT_V1_CPUACCT_STAT] = stat_line_keyed,
	[STAT_V1_CPU] = stat_line_keyed,
	[STAT_V1_MEMORY_STAT] = stat_line_keyed,
	[STAT_V1_MEMORY_OOM] = stat_line_keyed,
	[STAT_V1_IO_BYTES] = stat_line_io1,
	[STAT_V1_IO_OPS] = stat_line_io1,
	[STAT_V1_HUGE_64K] = stat_line_huge,
	[STAT_V1_HUGE_2M] = stat_line_huge,
	[STAT_V1_HUGE_32M] = stat_line_huge,
	[STAT_V1_HUGE_1G] = stat_line_huge,
	[STAT_V1_HUGE_MAX_64K] = stat_line_huge,
	[STAT_V1_HUGE_MAX_2M] = stat_line_huge,
	[STAT_V1_HUGE_MAX_32M] = stat_line_huge,
	[STAT_V1_HUGE_MAX_1G] = stat_line_huge,
};

static void
stat_text(struct stat_sample *s, enum stat_file file, const uint8_t *p,
    size_t len)
{
	stat_line_fn fn =
	    stat_lines[file] != NULL ? stat_lines[file] : stat_line_single;
	char line[STAT_LINE_MAX];

	while (len > 0) {
		const uint8_t *end = memchr(p, '\n', len);
		size_t n = end == NULL ? len : (size_t)(end - p);

		if (n < sizeof(line)) {
			memcpy(line, p, n);
			line[n] = '\0';
			fn(s, file, line);
		}
		n += end != NULL;
		p += n;
		len -= n;
	}
}

/* ---- records ---- */

static uint32_t
stat_u32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static const enum stat_num stat_numbers[][3] = {
	[STAT_TIMES] = { STAT_WALL, STAT_MONO, STAT_NNUMS },
	[STAT_COUNT] = { STAT_NPROCESSES, STAT_NNUMS, STAT_NNUMS },
	[STAT_PROCESSES] = { STAT_NFDS, STAT_NSOCKETS, STAT_NOFILE },
};

static void
stat_given(struct stat_sample *s, enum stat_file file, const uint8_t *p,
    size_t len)
{
	for (size_t i = 0; i < 3 && stat_numbers[file][i] != STAT_NNUMS; i++) {
		if (len < (i + 1) * 8)
			return;
		stat_set(s, file, stat_numbers[file][i],
		    stat_u32(p + i * 8) | (uint64_t)stat_u32(p + i * 8 + 4)
					      << 32);
	}
}

int
stat_parse(const uint8_t *buf, size_t len, struct stat_sample *samples,
    size_t n)
{
	while (len > 0) {
		uint32_t item, file, size;

		if (len < STAT_HEADER)
			return -1;
		item = stat_u32(buf);
		file = stat_u32(buf + 4);
		size = stat_u32(buf + 8);
		buf += STAT_HEADER;
		len -= STAT_HEADER;
		if (item >= n || file >= STAT_NFILES || size > len)
			return -1;
		if (file <= STAT_PROCESSES)
			stat_given(&samples[item], (enum stat_file)file, buf,
			    size);
		else
			stat_text(&samples[item], (enum stat_file)file, buf,
			    size);
		buf += size;
		len -= size;
	}
	return 0;
}

void
stat_clear(struct stat_sample *s)
{
	free(s->net);
	free(s->io);
	memset(s, 0, sizeof(*s));
}

uint64_t
stat_working_set(const struct stat_sample *s)
{
	uint64_t usage = s->v[STAT_MEM_USAGE], cold = s->v[STAT_MEM_INACTIVE];

	return usage > cold ? usage - cold : 0;
}

/* v1 counts memory and swap together. */
bool
stat_swap(const struct stat_sample *s, uint64_t *used, bool *limited,
    uint64_t *limit)
{
	const uint64_t *v = s->v;

	if (s->has[STAT_MEMSW_USAGE]) {
		*used = v[STAT_MEMSW_USAGE] > v[STAT_MEM_USAGE]
			    ? v[STAT_MEMSW_USAGE] - v[STAT_MEM_USAGE]
			    : 0;
		*limited = s->has[STAT_MEMSW_LIMIT] && s->has[STAT_MEM_LIMIT];
		*limit = v[STAT_MEMSW_LIMIT] > v[STAT_MEM_LIMIT]
			     ? v[STAT_MEMSW_LIMIT] - v[STAT_MEM_LIMIT]
			     : 0;
		return true;
	}
	*used = v[STAT_SWAP_USAGE];
	*limited = s->has[STAT_SWAP_LIMIT];
	*limit = v[STAT_SWAP_LIMIT];
	return s->has[STAT_SWAP_USAGE];
}
