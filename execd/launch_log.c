/* A container's log file, in a directory that the kubelet names. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "lib/fdio.h"

#define LOG_OPEN_TRIES 8

/*
 * The host's own links (/var/log may be one) are followed; magic links, which
 * lead into other processes, are not.
 */
static int
log_open_at(int dirfd, const char *path, int flags, mode_t mode,
    uint64_t resolve)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC | O_NOCTTY),
		.mode = mode,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	for (int i = 0; i < LOG_OPEN_TRIES && fd == -1; i++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd == -1 && errno != EAGAIN)
			break;
	}
	return (int)fd;
}

/* Made, with its parents, if it is missing. */
static int
log_open_dir(const char *path)
{
	int fd = log_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, 0);

	if (fd != -1 || errno != ENOENT || launch_make_dirs(path) == -1)
		return fd;
	return log_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, 0);
}

/* The directories before name's last part, below dir and never elsewhere.
 * Takes dir. */
static int
log_open_sub(int dir, const char *name, const char **base)
{
	char part[NAME_MAX + 1];
	const char *slash;

	for (*base = name; dir != -1 && (slash = strchr(*base, '/')) != NULL;
	     *base = slash + 1) {
		size_t n = (size_t)(slash - *base);
		int next;

		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			fdio_close(&dir);
			break;
		}
		memcpy(part, *base, n);
		part[n] = '\0';
		next = launch_make_dir(dir, part, 0755);
		fdio_close(&dir);
		dir = next;
	}
	return dir;
}

/* "0.log" or "ctr/0.log": relative and clean. */
static bool
log_name_clean(const char *name)
{
	char path[LAUNCH_PATH_MAX] = "/";
	size_t n = strlen(name);

	if (n == 0 || n + 2 > sizeof(path))
		return false;
	memcpy(path + 1, name, n + 1);
	return launch_path_clean(path);
}

/* One that is there keeps its mode; a new one gets 0640 whatever the umask. */
static int
log_open_file(int dir, const char *name)
{
	const uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
	const int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
	struct stat st;
	int fd = log_open_at(dir, name, flags, 0, resolve);

	if (fd == -1 && errno == ENOENT) {
		fd = log_open_at(dir, name, flags | O_CREAT | O_EXCL, 0640,
		    resolve);
		if (fd != -1 && fchmod(fd, 0640) == -1)
			fdio_close(&fd);
	}
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		fdio_close(&fd);
		errno = EINVAL;
	}
	return fd;
}

int
launch_log_open(const char *dir, const char *name, struct cerr *err)
{
	const char *base;
	CLEANUP_FD int at = -1;
	int fd;

	if (!launch_path_clean(dir) || !log_name_clean(name))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "log path %.256s/%.256s is malformed", dir, name);
	at = log_open_sub(log_open_dir(dir), name, &base);
	if (at == -1)
		return cerr_errno(err, "log directory %s", dir);
	fd = log_open_file(at, base);
	return fd == -1 ? cerr_errno(err, "log file %s/%s", dir, name) : fd;
}

int
launch_ctr_log(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_ctr_log *c = op->body;

	(void)l;
	if (launch_check_id("container", c->ctr, err) == -1)
		return -1;
	op->out[0] = launch_log_open(c->log_dir, c->log_name, err);
	op->nout = op->out[0] == -1 ? 0 : 1;
	return op->out[0] == -1 ? -1 : 0;
}
