/* What the launcher opens before it takes its first message. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/mount.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/roexec.h"

/* mount(2) would read these as its own syntax. */
#define START_PATH_BAD ",:\\\"'\n\t "

#define START_MOUNTINFO_MAX (4 * 1024 * 1024)

static const struct {
	const char *name;
	mode_t mode;
} start_dirs[] = {
	[LAUNCH_DIR_LAUNCH] = { "launch", 0700 },
	[LAUNCH_DIR_SCRATCH] = { "launch/exec", 0700 },
	[LAUNCH_DIR_NS] = { "ns", 0700 },
	[LAUNCH_DIR_POD] = { "pod", 0711 },
	[LAUNCH_DIR_ROOTFS] = { "rootfs", 0711 },
	[LAUNCH_DIR_RUNTIME] = { "runtime", 0700 },
	[LAUNCH_DIR_BUNDLE] = { "bundle", 0700 },
	[LAUNCH_DIR_EMPTY] = { "empty", 0555 },
};

static int
start_open_dir(int dirfd, const char *path)
{
	return openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
start_state(struct launch *l, struct cerr *err)
{
	CLEANUP_FD int state = start_open_dir(AT_FDCWD, l->state);

	if (state == -1)
		return cerr_errno(err, "%s", l->state);
	for (size_t i = 0; i < sizeof(start_dirs) / sizeof(start_dirs[0]);
	     i++) {
		/* The parent makes these; a directory of ours may be new. */
		l->dirs[i] = launch_make_dir(state, start_dirs[i].name,
		    start_dirs[i].mode);
		if (l->dirs[i] == -1)
			return cerr_errno(err, "%s/%s", l->state,
			    start_dirs[i].name);
	}
	return 0;
}

static int
start_others(struct launch *l, struct cerr *err)
{
	CLEANUP_FD int image = start_open_dir(AT_FDCWD, l->image);

	if (image == -1)
		return cerr_errno(err, "%s", l->image);
	l->dirs[LAUNCH_DIR_LAYER] = start_open_dir(image, "layer");
	if (l->dirs[LAUNCH_DIR_LAYER] == -1)
		return cerr_errno(err, "%s/layer", l->image);
	l->dirs[LAUNCH_DIR_CONTAINER] = start_open_dir(AT_FDCWD, l->container);
	if (l->dirs[LAUNCH_DIR_CONTAINER] == -1)
		return cerr_errno(err, "%s", l->container);
	l->dirs[LAUNCH_DIR_SYS] = start_open_dir(AT_FDCWD, "/proc/sys");
	return l->dirs[LAUNCH_DIR_SYS] == -1 ? cerr_errno(err, "/proc/sys") : 0;
}

/* For run_null: devices work there, and no path leads to it. */
static int
start_null(struct launch *l, struct cerr *err)
{
	CLEANUP_FD int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);

	if (fs == -1 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "64k", 0) ==
		-1 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == -1)
		return cerr_errno(err, "tmpfs for null devices");
	l->dirs[LAUNCH_DIR_NULL] = (int)syscall(SYS_fsmount, fs,
	    FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	return l->dirs[LAUNCH_DIR_NULL] == -1
		   ? cerr_errno(err, "tmpfs for null devices")
		   : 0;
}

/* Pins must show up in netlaunch's mount namespace. */
static int
start_shared(struct launch *l, struct cerr *err)
{
	char path[LAUNCH_PATH_MAX];
	struct statx sx;

	if (launch_state_path(l, path, sizeof(path), "ns", NULL) == NULL)
		return cerr_set(err, CERR_INTERNAL, "state path too long");
	if (statx(AT_FDCWD, path, 0, 0, &sx) == -1)
		return cerr_errno(err, "%s", path);
	if (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return 0;
	if (mount(path, path, NULL, MS_BIND, NULL) == -1 ||
	    mount(NULL, path, NULL, MS_SHARED, NULL) == -1)
		return cerr_errno(err, "share %s", path);
	fdio_close(&l->dirs[LAUNCH_DIR_NS]);
	l->dirs[LAUNCH_DIR_NS] = start_open_dir(AT_FDCWD, path);
	return l->dirs[LAUNCH_DIR_NS] == -1 ? cerr_errno(err, "%s", path) : 0;
}

static int
start_program(const struct launch *l, const char *name, int *fd,
    struct cerr *err)
{
	char path[LAUNCH_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", l->libexec, name);
	*fd = roexec_open(path);
	return *fd == -1 ? cerr_errno(err, "%s", path) : 0;
}

static int
start_cgroups(struct launch *l, struct cerr *err)
{
	CLEANUP_FREE char *text = malloc(START_MOUNTINFO_MAX);

	if (text == NULL || launch_read_file(AT_FDCWD, "/proc/self/mountinfo",
				text, START_MOUNTINFO_MAX) == -1)
		return cerr_errno(err, "/proc/self/mountinfo");
	cgroup_parse(&l->cgroups, text);
	if (l->cgroups.n == 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "no cgroup hierarchy is mounted");
	return 0;
}

/* What a launcher that was killed left half done; containers are not touched.
 */
static void
start_clean(const struct launch *l)
{
	int copy = openat(l->dirs[LAUNCH_DIR_SCRATCH], ".",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy == -1 ? NULL : fdopendir(copy);
	struct dirent *de;

	if (dir == NULL) {
		fdio_close(&copy);
		return;
	}
	while ((de = readdir(dir)) != NULL) {
		/* CTR.mon belongs to a monitor that lives, and config.json
		 * names CTR.criu. */
		if (strstr(de->d_name, ".mon") == NULL &&
		    strstr(de->d_name, ".criu") == NULL)
			(void)unlinkat(l->dirs[LAUNCH_DIR_SCRATCH], de->d_name,
			    0);
	}
	(void)closedir(dir);
}

static int
start_runtimes(const struct launch *l, struct cerr *err)
{
	for (size_t i = 0; i < l->nruntimes; i++) {
		int fd = launch_make_dir(l->dirs[LAUNCH_DIR_RUNTIME],
		    l->runtimes[i].name, 0700);

		if (fd == -1)
			return cerr_errno(err, "%s/runtime/%s", l->state,
			    l->runtimes[i].name);
		fdio_close(&fd);
	}
	return 0;
}

int
launch_open(struct launch *l, struct cerr *err)
{
	if (strpbrk(l->container, START_PATH_BAD) != NULL ||
	    strpbrk(l->state, START_PATH_BAD) != NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s, %s: a directory's path may not hold blanks, quotes, "
		    "commas, colons or backslashes",
		    l->state, l->container);
	if (start_state(l, err) == -1 || start_others(l, err) == -1 ||
	    start_null(l, err) == -1 || start_shared(l, err) == -1 ||
	    start_cgroups(l, err) == -1 || start_runtimes(l, err) == -1 ||
	    start_program(l, "monitor", &l->exe_monitor, err) == -1 ||
	    start_program(l, "pause", &l->exe_pause, err) == -1)
		return -1;
	start_clean(l);
	return 0;
}
