#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "netd/launch_group.h"

#define GROUP_OLD_TRIES 200 /* of 10 ms: the end of what was left running */
#define GROUP_DEL_TRIES 500 /* likewise, by itself */

/* One name per STATE (FNV-1a of it): several criods may share a cgroup. */
static void
launch_group_name(const char *state, char *buf, size_t size)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *state != '\0'; state++)
		hash = (hash ^ (unsigned char)*state) * UINT64_C(0x100000001b3);
	(void)snprintf(buf, size, "criod-netlaunch-%016llx",
	    (unsigned long long)hash);
}

/* "0::/PATH" of /proc/self/cgroup, relative to the hierarchy's root. */
static int
launch_group_own(char *path, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX + 16];
	int rc = -1;

	if (f == NULL)
		return -1;
	while (rc == -1 && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		if (snprintf(path, size, "./%s", line + 4) < (int)size)
			rc = 0;
	}
	(void)fclose(f);
	return rc;
}

/* True once it is gone. */
static bool
launch_group_wait(int base, const char *name, int tries)
{
	static const struct timespec pause = { 0, 10000000 };

	for (int i = 0; i < tries; i++) {
		if (unlinkat(base, name, AT_REMOVEDIR) == 0)
			return true;
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

static bool
launch_group_empty(int base, const char *name)
{
	CLEANUP_FD int group =
	    openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (group == -1)
		return errno == ENOENT;
	if (strncmp(name, GROUP_DEL, strlen(GROUP_DEL)) == 0 &&
	    launch_group_wait(base, name, GROUP_DEL_TRIES))
		return true;
	log_warn("ending the plugin that was left in cgroup %s", name);
	launch_group_kill(group);
	return launch_group_wait(base, name, GROUP_OLD_TRIES);
}

static void
launch_group_clear(int base)
{
	DIR *dir = fdopendir(dup(base));
	struct dirent *d;

	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL) {
		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		if (!launch_group_empty(base, d->d_name))
			log_error("cgroup %s cannot be emptied", d->d_name);
	}
	(void)closedir(dir);
}

int
launch_group_open(int cgroup, const char *state, struct cerr *err)
{
	char path[PATH_MAX], name[64];
	CLEANUP_FD int own = -1;
	int base;

	launch_group_name(state, name, sizeof(name));
	if (launch_group_own(path, sizeof(path)) == -1)
		return cerr_set(err, CERR_INTERNAL, "no cgroup v2 of my own");
	own = openat(cgroup, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (own == -1)
		return cerr_errno(err, "cgroup %s", path);
	if (mkdirat(own, name, 0755) == -1 && errno != EEXIST)
		return cerr_errno(err, "create cgroup %s/%s", path, name);
	base = openat(own, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base == -1)
		return cerr_errno(err, "cgroup %s/%s", path, name);
	launch_group_clear(base);
	return base;
}

void
launch_group_close(int cgroup, const char *state)
{
	char path[PATH_MAX], name[64];
	CLEANUP_FD int own = -1;

	launch_group_name(state, name, sizeof(name));
	if (launch_group_own(path, sizeof(path)) == -1)
		return;
	own = openat(cgroup, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (own != -1)
		(void)unlinkat(own, name, AT_REMOVEDIR);
}

int
launch_group_new(int base, const char *name)
{
	if (mkdirat(base, name, 0755) == -1)
		return -1;
	return openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void
launch_group_kill(int group)
{
	CLEANUP_FD int fd = openat(group, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	if (fd == -1 || write(fd, "1", 1) == -1)
		log_error("cgroup.kill: %s", strerror(errno));
}

bool
launch_group_remove(int base, const char *name)
{
	return unlinkat(base, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}
