#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "execd/rootfile.h"
#include "lib/fdio.h"
#include "lib/filter.h"

#define ROOTFILE_NOBODY	   65534
#define ROOTFILE_PATH_MAX  4096
#define ROOTFILE_MEMORY	   (64UL * 1024 * 1024)
#define ROOTFILE_SECONDS   5
#define ROOTFILE_COUNT_S   300 /* a layer may have a million files */
#define ROOTFILE_ARCHIVE_S 3600
#define ROOTFILE_TRIES	   8

/* The program's only table is the one for this work. */
extern const struct filter filter_execlaunch;

static rlim_t
rootfile_seconds(enum rootfile_work work)
{
	if (work == ROOTFILE_ARCHIVE)
		return ROOTFILE_ARCHIVE_S;
	return work == ROOTFILE_COUNT ? ROOTFILE_COUNT_S : ROOTFILE_SECONDS;
}

/* What reads all that there is, and can change nothing. */
static bool
rootfile_reader(enum rootfile_work work)
{
	return work == ROOTFILE_COUNT || work == ROOTFILE_ARCHIVE;
}

static int
rootfile_limits(enum rootfile_work work)
{
	const struct {
		__rlimit_resource_t resource;
		rlim_t value;
	} limits[] = {
		{ RLIMIT_AS, ROOTFILE_MEMORY },
		{ RLIMIT_CPU, rootfile_seconds(work) },
		{ RLIMIT_FSIZE,
		    work == ROOTFILE_ARCHIVE ? RLIM_INFINITY : ROOTFILE_MAX },
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_NPROC, 0 },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct rlimit lim = { limits[i].value, limits[i].value };

		if (setrlimit(limits[i].resource, &lim) == -1)
			return -1;
	}
	return 0;
}

static int
rootfile_caps(enum rootfile_work work)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
		0 };
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	if (work == ROOTFILE_MAKE)
		data[0].permitted = data[0].effective = 1U << CAP_DAC_OVERRIDE;
	if (rootfile_reader(work))
		data[0].permitted = data[0].effective = 1U
							<< CAP_DAC_READ_SEARCH;
	return (int)syscall(SYS_capset, &head, data);
}

static int
rootfile_ids(enum rootfile_work work, uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) == -1)
		return -1;
	if (work == ROOTFILE_PROFILE)
		return 0;
	if (work == ROOTFILE_MAKE) {
		/* These two say what was before. */
		(void)setfsgid(gid);
		(void)setfsuid(uid);
		return (uid_t)setfsuid(uid) == uid &&
			       (gid_t)setfsgid(gid) == gid
			   ? 0
			   : -1;
	}
	/* rootfile_caps takes what is too much. */
	if (rootfile_reader(work) &&
	    prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) == -1)
		return -1;
	return setresgid(ROOTFILE_NOBODY, ROOTFILE_NOBODY, ROOTFILE_NOBODY) ==
			   -1 ||
		       setresuid(ROOTFILE_NOBODY, ROOTFILE_NOBODY,
			   ROOTFILE_NOBODY) == -1
		   ? -1
		   : 0;
}

/* The root stays open nowhere else: no descriptor leads out of it. */
int
rootfile_enter(int rootfd, enum rootfile_work work, uid_t uid, gid_t gid,
    struct cerr *err)
{
	const unsigned int last =
	    work == ROOTFILE_ARCHIVE ? ROOTFILE_SAY_FD : LAUNCH_JOB_FD;

	if (fchdir(rootfd) == -1 || chroot(".") == -1 ||
	    close_range(last + 1, ~0U, 0) == -1)
		return cerr_errno(err, "enter the root file system");
	if (rootfile_limits(work) == -1 || rootfile_ids(work, uid, gid) == -1 ||
	    rootfile_caps(work) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == -1 ||
	    filter_install(&filter_execlaunch) == -1)
		return cerr_errno(err, "give up privileges");
	return 0;
}

/*
 * Magic links lead out of every root; a FIFO or a device must not block or be
 * triggered by the open.
 */
static int
rootfile_open_how(const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags =
		    (unsigned int)(flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	if (flags & O_PATH)
		how.flags = (unsigned int)(flags | O_CLOEXEC);
	for (int i = 0; i < ROOTFILE_TRIES && fd == -1; i++) {
		fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
		if (fd == -1 && errno != EAGAIN)
			break;
	}
	return (int)fd;
}

static int
rootfile_open(const char *path, int flags)
{
	return rootfile_open_how(path, flags,
	    RESOLVE_IN_ROOT | RESOLVE_NO_XDEV);
}

int
rootfile_open_dir(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};

	/* The root's own ".." is itself: chroot(2). */
	return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

/* Looked at before it is opened for reading: a device may act on that. */
static int
rootfile_open_regular(const char *path, bool *absent, struct cerr *err)
{
	CLEANUP_FD int look = rootfile_open(path, O_PATH);
	struct stat st;

	*absent = look == -1 &&
		  (errno == ENOENT || errno == ENOTDIR || errno == EACCES);
	if (*absent)
		return -1;
	if (look == -1)
		return cerr_errno(err, "%s of the image", path);
	if (fstat(look, &st) == -1 || !S_ISREG(st.st_mode))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "%s of the image is not a regular file", path);
	if (st.st_size > (off_t)ROOTFILE_MAX)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "%s of the image is larger than %u bytes", path,
		    ROOTFILE_MAX);
	return 0;
}

/* What fd holds, sealed. */
static int
rootfile_copy(int fd, const char *path, struct cerr *err)
{
	/* Untouched, and not there, in every process but this job. */
	static uint8_t buf[ROOTFILE_MAX];
	ssize_t n = fd == -1 ? 0 : fdio_read_upto(fd, buf, ROOTFILE_MAX);
	int memfd;

	if (n == -1)
		return cerr_errno(err, "%s", path);
	memfd = fdio_memfd_sealed("rootfile", buf, (size_t)n);
	return memfd == -1 ? cerr_errno(err, "%s", path) : memfd;
}

int
rootfile_read(const char *path, struct cerr *err)
{
	CLEANUP_FD int fd = -1;
	bool absent = false;

	if (rootfile_open_regular(path, &absent, err) == -1 && !absent)
		return -1;
	if (!absent) {
		fd = rootfile_open(path, O_RDONLY);
		if (fd == -1 && errno != EACCES)
			return cerr_errno(err, "%s of the image", path);
	}
	return rootfile_copy(fd, path, err);
}

static int
rootfile_check_profile(int fd, const char *path, struct cerr *err)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return cerr_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
	    st.st_size > (off_t)ROOTFILE_MAX)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "%s: not a file that only root can write, of at most %u "
		    "bytes",
		    path, ROOTFILE_MAX);
	return 0;
}

int
rootfile_read_profile(const char *path, struct cerr *err)
{
	const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	CLEANUP_FD int look = rootfile_open_how(path, O_PATH, resolve);
	CLEANUP_FD int fd = -1;

	if (look == -1)
		return cerr_errno(err, "%s", path);
	if (rootfile_check_profile(look, path, err) == -1)
		return -1;
	fd = rootfile_open_how(path, O_RDONLY, resolve);
	if (fd == -1)
		return cerr_errno(err, "%s", path);
	if (rootfile_check_profile(fd, path, err) == -1)
		return -1;
	return rootfile_copy(fd, path, err);
}

/* One more part of path: what is there must be a directory in the end. */
static int
rootfile_make_part(int parent, const char *part, const char *sofar, int *dir)
{
	if (mkdirat(parent, part, 0755) == 0) {
		if (fchmodat(parent, part, 0755, 0) == -1)
			return -1;
	} else if (errno != EEXIST)
		return -1;
	*dir = rootfile_open(sofar, O_PATH | O_DIRECTORY);
	return *dir == -1 ? -1 : 0;
}

int
rootfile_make_dir(const char *path, struct cerr *err)
{
	char sofar[ROOTFILE_PATH_MAX], part[NAME_MAX + 1];
	CLEANUP_FD int dir = rootfile_open("/", O_PATH | O_DIRECTORY);

	for (const char *p = path; *p == '/' && dir != -1;) {
		size_t n = strcspn(p + 1, "/");
		int next = -1, result;

		if (n == 0 || n > NAME_MAX ||
		    (size_t)(p + 1 - path) + n >= sizeof(sofar))
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "directory %.64s...: not a usable path", path);
		memcpy(part, p + 1, n);
		part[n] = '\0';
		p += n + 1;
		memcpy(sofar, path, (size_t)(p - path));
		sofar[p - path] = '\0';
		result = rootfile_make_part(dir, part, sofar, &next);
		fdio_close(&dir);
		dir = next;
		if (result == -1)
			break;
	}
	return dir == -1 ? cerr_errno(err, "directory %s of the image", path)
			 : 0;
}
