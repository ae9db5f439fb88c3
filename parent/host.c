#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "parent/conf.h"
#include "parent/host.h"

#define HOST_OOM_FILE "/proc/self/oom_score_adj"
#define HOST_OOM_MIN  (-1000)

static const char *const host_runtimes[] = { "crun", "runc" };
static const char *const host_bin[] = { "/usr/bin", "/usr/sbin",
	"/usr/local/bin", "/usr/local/sbin" };
static const char *const host_plugins[] = { "/usr/lib/cni", "/opt/cni/bin" };

#define HOST_COUNT(a) (sizeof(a) / sizeof((a)[0]))

bool
host_is_cgroup2(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 &&
	       fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int
host_read(const char *path, char *buf, size_t size, struct cerr *err)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : fdio_read_upto(fd, buf, size - 1);

	if (n == -1)
		return cerr_errno(err, "%s", path);
	buf[n] = '\0';
	return 0;
}

static int
host_bounding(uint64_t *caps, struct cerr *err)
{
	static const char key[] = "\nCapBnd:\t";
	char buf[8192];
	const char *line;

	if (host_read("/proc/self/status", buf, sizeof(buf), err) == -1)
		return -1;
	line = strstr(buf, key);
	if (line == NULL)
		return cerr_set(err, CERR_INTERNAL,
		    "/proc/self/status has no CapBnd");
	*caps = strtoull(line + sizeof(key) - 1, NULL, 16);
	return 0;
}

static bool
host_oom_try(int value)
{
	CLEANUP_FD int fd = open(HOST_OOM_FILE, O_WRONLY | O_CLOEXEC);
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", value);

	return fd != -1 && write(fd, text, (size_t)len) == len;
}

/*
 * Below some value only CAP_SYS_RESOURCE may go, and no file tells it: so it
 * is tried, by halves, and the value that was there is put back.
 */
static int
host_oom(int *lowest, struct cerr *err)
{
	char buf[32];
	int now, low = HOST_OOM_MIN, high;

	if (host_read(HOST_OOM_FILE, buf, sizeof(buf), err) == -1)
		return -1;
	now = high = (int)strtol(buf, NULL, 10);
	while (low < high) {
		int middle = low + (high - low) / 2;

		if (host_oom_try(middle))
			high = middle;
		else
			low = middle + 1;
	}
	*lowest = high;
	if (!host_oom_try(now))
		return cerr_errno(err, HOST_OOM_FILE);
	return 0;
}

/* Can a cgroup limit huge pages? */
static bool
host_hugetlb(bool cgroup2)
{
	char buf[1024];

	if (!cgroup2)
		return access("/sys/fs/cgroup/hugetlb/cgroup.procs", F_OK) == 0;
	return host_read("/sys/fs/cgroup/cgroup.controllers", buf, sizeof(buf),
		   NULL) == 0 &&
	       strstr(buf, "hugetlb") != NULL;
}

static bool
host_apparmor(void)
{
	char buf[16];

	return host_read("/sys/module/apparmor/parameters/enabled", buf,
		   sizeof(buf), NULL) == 0 &&
	       buf[0] == 'Y';
}

static void
host_boot(struct host *h)
{
	if (host_read("/proc/sys/kernel/random/boot_id", h->boot,
		sizeof(h->boot), NULL) == -1)
		h->boot[0] = '\0';
	h->boot[strcspn(h->boot, "\n")] = '\0';
}

int
host_look(struct host *h, struct cerr *err)
{
	host_boot(h);
	h->apparmor = host_apparmor();
	selinux_look(&h->selinux);
	h->cgroup2 = host_is_cgroup2();
	h->hugetlb = host_hugetlb(h->cgroup2);
	if (host_bounding(&h->bounding, err) == -1)
		return -1;
	return host_oom(&h->oom_score_adj_min, err);
}

static void
host_add_runtime(struct conf_host *h, const char *name)
{
	struct conf_runtime *r;
	char path[64];
	size_t i;

	for (i = 0; i < HOST_COUNT(host_bin); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", host_bin[i], name);
		if (access(path, X_OK) == 0)
			break;
	}
	if (i == HOST_COUNT(host_bin))
		return;
	r = calloc(1, sizeof(*r));
	if (r == NULL || (r->name = strdup(name)) == NULL ||
	    (r->path = strdup(path)) == NULL)
		fatal("calloc");
	TAILQ_INSERT_TAIL(&h->runtimes, r, entry);
}

void
host_conf(struct conf_host *h, const char *prefix)
{
	memset(h, 0, sizeof(*h));
	TAILQ_INIT(&h->runtimes);
	for (size_t i = 0; i < HOST_COUNT(host_runtimes); i++)
		host_add_runtime(h, host_runtimes[i]);
	h->cgroup =
	    host_is_cgroup2() && access("/run/systemd/system", F_OK) == 0
		? CONF_CGROUP_SYSTEMD
		: CONF_CGROUP_CGROUPFS;
	h->cni_plugins = host_plugins[HOST_COUNT(host_plugins) - 1];
	for (size_t i = HOST_COUNT(host_plugins); i-- > 0;) {
		if (access(host_plugins[i], X_OK) == 0)
			h->cni_plugins = host_plugins[i];
	}
	h->prefix = prefix;
}

void
host_conf_clear(struct conf_host *h)
{
	struct conf_runtime *r;

	while ((r = TAILQ_FIRST(&h->runtimes)) != NULL) {
		TAILQ_REMOVE(&h->runtimes, r, entry);
		free(r->name);
		free(r->path);
		free(r);
	}
}
