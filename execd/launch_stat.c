/*
 * Numbers of containers and pods: their cgroups' files, their network
 * devices, counts of their processes.  Nothing is parsed here but lists of
 * pids; the paths are those of this launcher's own records.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "execd/launch.h"
#include "execd/launch_proc.h"
#include "execd/pod_ns.h"
#include "execd/stat_file.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/mono.h"

#define STAT_PROCESSES_MAX 4096	 /* of a container, whose files are counted */
#define STAT_OPEN_MAX	   65536 /* descriptors of them all */
#define STAT_V2		   NULL

/* controller: STAT_V2, or the v1 hierarchy that has the file. */
static const struct {
	const char *controller, *name;
} stat_files[STAT_NFILES] = {
	[STAT_V2_CPU] = { STAT_V2, "cpu.stat" },
	[STAT_V2_CPU_PRESSURE] = { STAT_V2, "cpu.pressure" },
	[STAT_V2_MEMORY_CURRENT] = { STAT_V2, "memory.current" },
	[STAT_V2_MEMORY_EVENTS] = { STAT_V2, "memory.events" },
	[STAT_V2_MEMORY_MAX] = { STAT_V2, "memory.max" },
	[STAT_V2_MEMORY_MIN] = { STAT_V2, "memory.min" },
	[STAT_V2_MEMORY_PEAK] = { STAT_V2, "memory.peak" },
	[STAT_V2_MEMORY_PRESSURE] = { STAT_V2, "memory.pressure" },
	[STAT_V2_MEMORY_STAT] = { STAT_V2, "memory.stat" },
	[STAT_V2_SWAP_CURRENT] = { STAT_V2, "memory.swap.current" },
	[STAT_V2_SWAP_MAX] = { STAT_V2, "memory.swap.max" },
	[STAT_V2_IO] = { STAT_V2, "io.stat" },
	[STAT_V2_IO_PRESSURE] = { STAT_V2, "io.pressure" },
	[STAT_V2_PIDS_CURRENT] = { STAT_V2, "pids.current" },
	[STAT_V2_PIDS_MAX] = { STAT_V2, "pids.max" },
	[STAT_V2_HUGE_64K] = { STAT_V2, "hugetlb.64KB.current" },
	[STAT_V2_HUGE_2M] = { STAT_V2, "hugetlb.2MB.current" },
	[STAT_V2_HUGE_32M] = { STAT_V2, "hugetlb.32MB.current" },
	[STAT_V2_HUGE_1G] = { STAT_V2, "hugetlb.1GB.current" },
	[STAT_V1_CPUACCT_USAGE] = { "cpuacct", "cpuacct.usage" },
	[STAT_V1_CPUACCT_STAT] = { "cpuacct", "cpuacct.stat" },
	[STAT_V1_CPU] = { "cpu", "cpu.stat" },
	[STAT_V1_MEMORY_USAGE] = { "memory", "memory.usage_in_bytes" },
	[STAT_V1_MEMORY_MAX_USAGE] = { "memory", "memory.max_usage_in_bytes" },
	[STAT_V1_MEMORY_LIMIT] = { "memory", "memory.limit_in_bytes" },
	[STAT_V1_MEMORY_SOFT] = { "memory", "memory.soft_limit_in_bytes" },
	[STAT_V1_MEMORY_FAILCNT] = { "memory", "memory.failcnt" },
	[STAT_V1_MEMORY_STAT] = { "memory", "memory.stat" },
	[STAT_V1_MEMORY_KERNEL] = { "memory", "memory.kmem.usage_in_bytes" },
	[STAT_V1_MEMORY_OOM] = { "memory", "memory.oom_control" },
	[STAT_V1_MEMSW_USAGE] = { "memory", "memory.memsw.usage_in_bytes" },
	[STAT_V1_MEMSW_LIMIT] = { "memory", "memory.memsw.limit_in_bytes" },
	[STAT_V1_PIDS_CURRENT] = { "pids", "pids.current" },
	[STAT_V1_PIDS_MAX] = { "pids", "pids.max" },
	[STAT_V1_IO_BYTES] = { "blkio",
	    "blkio.throttle.io_service_bytes_recursive" },
	[STAT_V1_IO_OPS] = { "blkio", "blkio.throttle.io_serviced_recursive" },
	[STAT_V1_HUGE_64K] = { "hugetlb", "hugetlb.64KB.usage_in_bytes" },
	[STAT_V1_HUGE_2M] = { "hugetlb", "hugetlb.2MB.usage_in_bytes" },
	[STAT_V1_HUGE_32M] = { "hugetlb", "hugetlb.32MB.usage_in_bytes" },
	[STAT_V1_HUGE_1G] = { "hugetlb", "hugetlb.1GB.usage_in_bytes" },
	[STAT_V1_HUGE_MAX_64K] = { "hugetlb",
	    "hugetlb.64KB.max_usage_in_bytes" },
	[STAT_V1_HUGE_MAX_2M] = { "hugetlb", "hugetlb.2MB.max_usage_in_bytes" },
	[STAT_V1_HUGE_MAX_32M] = { "hugetlb",
	    "hugetlb.32MB.max_usage_in_bytes" },
	[STAT_V1_HUGE_MAX_1G] = { "hugetlb", "hugetlb.1GB.max_usage_in_bytes" },
};

struct stat_job {
	const struct launch *l;
	uint32_t what, item;
	uint8_t *buf;
	size_t len, size;
	int home; /* our own network namespace */
};

/* ---- records ---- */

static void
stat_put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* Room for a record; what is beyond STAT_TOTAL_MAX is left out. */
static uint8_t *
stat_room(struct stat_job *j, size_t len)
{
	size_t need = j->len + STAT_HEADER + len;
	uint8_t *grown;

	if (need > STAT_TOTAL_MAX)
		return NULL;
	if (need > j->size) {
		grown = realloc(j->buf, 2 * need);
		if (grown == NULL)
			return NULL;
		j->buf = grown;
		j->size = 2 * need;
	}
	return j->buf + j->len;
}

static void
stat_put(struct stat_job *j, enum stat_file file, size_t len)
{
	stat_put_u32(j->buf + j->len, j->item);
	stat_put_u32(j->buf + j->len + 4, file);
	stat_put_u32(j->buf + j->len + 8, (uint32_t)len);
	j->len += STAT_HEADER + len;
}

static void
stat_put_numbers(struct stat_job *j, enum stat_file file, const uint64_t *v,
    size_t n)
{
	uint8_t *p = stat_room(j, n * 8);

	if (p == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		stat_put_u32(p + STAT_HEADER + i * 8, (uint32_t)v[i]);
		stat_put_u32(p + STAT_HEADER + i * 8 + 4,
		    (uint32_t)(v[i] >> 32));
	}
	stat_put(j, file, n * 8);
}

static void
stat_put_file(struct stat_job *j, enum stat_file file, int dirfd,
    const char *name)
{
	CLEANUP_FD int fd =
	    openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	uint8_t *p = fd == -1 ? NULL : stat_room(j, STAT_FILE_MAX);
	ssize_t n;

	if (p == NULL)
		return;
	/* A file of a cgroup that just went says ENODEV. */
	n = fdio_read_upto(fd, p + STAT_HEADER, STAT_FILE_MAX);
	if (n >= 0)
		stat_put(j, file, (size_t)n);
}

/* ---- cgroups ---- */

static void
stat_tree(struct stat_job *j, const struct cgroup_tree *t, const char *path)
{
	char full[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX];
	CLEANUP_FD int dir = -1;

	(void)snprintf(full, sizeof(full), "%s%s", t->mount, path);
	dir = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; dir != -1 && i < STAT_NFILES; i++) {
		const char *controller = stat_files[i].controller;

		if (stat_files[i].name != NULL &&
		    (controller == STAT_V2 ? t->v2 : cgroup_has(t, controller)))
			stat_put_file(j, (enum stat_file)i, dir,
			    stat_files[i].name);
	}
}

struct stat_processes {
	uint64_t count, files, sockets;
	bool look;
};

/* A process of a container may do as it likes: only names are counted. */
static void
stat_open_files(pid_t pid, struct stat_processes *p)
{
	char path[32], to[8];
	struct dirent *de;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d != NULL && (de = readdir(d)) != NULL &&
	       p->files < STAT_OPEN_MAX) {
		if (de->d_name[0] == '.')
			continue;
		p->files++;
		if (readlinkat(dirfd(d), de->d_name, to, sizeof(to)) ==
			(ssize_t)sizeof(to) &&
		    memcmp(to, "socket:[", sizeof(to)) == 0)
			p->sockets++;
	}
	if (d != NULL)
		(void)closedir(d);
}

static void
stat_process(pid_t pid, void *arg)
{
	struct stat_processes *p = arg;

	p->count++;
	if (p->look && p->count <= STAT_PROCESSES_MAX)
		stat_open_files(pid, p);
}

static uint64_t
stat_limit(const struct fixed_launch_rec *r)
{
	CLEANUP_FD int pidfd = proc_open((pid_t)r->pid, r->start_time);
	struct rlimit lim;

	if (pidfd == -1 ||
	    prlimit((pid_t)r->pid, RLIMIT_NOFILE, NULL, &lim) == -1)
		return 0;
	return lim.rlim_cur;
}

static void
stat_cgroup(struct stat_job *j, const struct fixed_launch_rec *r,
    const char *path)
{
	const struct cgroups *cg = &j->l->cgroups;
	struct stat_processes p = { .look =
					(j->what & STAT_WANT_PROCESSES) != 0 };
	uint64_t numbers[3];

	if (!cgroup_path_valid(path))
		return;
	for (size_t i = 0; i < cg->n; i++)
		stat_tree(j, &cg->trees[i], path);
	cgroup_each(cg, path, stat_process, &p);
	stat_put_numbers(j, STAT_COUNT, &p.count, 1);
	if (!p.look)
		return;
	numbers[0] = p.files;
	numbers[1] = p.sockets;
	numbers[2] = stat_limit(r);
	stat_put_numbers(j, STAT_PROCESSES, numbers, 3);
}

/* ---- network ---- */

/* "self" is what reads: it goes into the pod's namespace and back. */
static void
stat_net(struct stat_job *j, const char *pod)
{
	char name[ID_SIZE + 8];
	CLEANUP_FD int ns = -1;

	(void)snprintf(name, sizeof(name), "%s/net", pod);
	ns = openat(j->l->dirs[LAUNCH_DIR_NS], name,
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (ns == -1 || setns(ns, CLONE_NEWNET) == -1)
		return;
	stat_put_file(j, STAT_NET_DEV, AT_FDCWD, "/proc/self/net/dev");
	if (setns(j->home, CLONE_NEWNET) == -1)
		_exit(1);
}

/* ---- the message ---- */

static void
stat_one(struct stat_job *j, const char *name)
{
	bool pod = name[0] == '@';
	struct fixed_launch_rec r;
	uint64_t times[2];
	char *pause;

	if (launch_record_read(j->l, pod ? name : name + 1, &r, NULL) == -1)
		return;
	times[0] = (uint64_t)wall_now_ns();
	times[1] = (uint64_t)mono_now().ns;
	stat_put_numbers(j, STAT_TIMES, times, 2);
	/* A pod's record names the place of its pause, below its cgroup. */
	pause = pod ? strrchr(r.cgroup, '/') : NULL;
	if (pause != NULL)
		*pause = '\0';
	if (j->what & STAT_WANT_CGROUP)
		stat_cgroup(j, &r, r.cgroup);
	if (pod && (j->what & STAT_WANT_NET) != 0 &&
	    (r.flags & POD_NS_NET) != 0)
		stat_net(j, name + 1);
}

static int
stat_names(struct stat_job *j, const char *names, struct cerr *err)
{
	size_t len = strlen(names);
	char name[STAT_NAME_SIZE + 1];

	if (len == 0 || len % STAT_NAME_SIZE != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "names of containers or pods are malformed");
	for (; j->item < len / STAT_NAME_SIZE; j->item++) {
		memcpy(name, names + (size_t)j->item * STAT_NAME_SIZE,
		    STAT_NAME_SIZE);
		name[STAT_NAME_SIZE] = '\0';
		if ((name[0] != '@' && name[0] != 'c') ||
		    launch_check_id("container or pod", name + 1, err) == -1)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "\"%s\": neither a container nor a pod", name);
		stat_one(j, name);
	}
	return 0;
}

int
launch_stats(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_stats *s = op->body;
	struct stat_job j = { .l = l, .what = s->what };

	if (s->what == 0 || (s->what & ~STAT_WANT_ALL) != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "no such numbers: %#x", s->what);
	j.home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (j.home == -1)
		return cerr_errno(err, "network namespace");
	if (stat_names(&j, s->names, err) == -1)
		return -1;
	op->out[0] = fdio_memfd_sealed("stats", j.buf, j.len);
	if (op->out[0] == -1)
		return cerr_errno(err, "numbers");
	op->nout = 1;
	return 0;
}
