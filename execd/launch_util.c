#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "lib/fdio.h"
#include "lib/id.h"

#define UTIL_OPEN_TRIES 8

int
launch_check_id(const char *what, const char *id, struct cerr *err)
{
	if (id_valid(id))
		return 0;
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s id is malformed", what);
}

bool
launch_path_clean(const char *path)
{
	size_t n = strlen(path);

	return n > 1 && path[0] == '/' && path[n - 1] != '/' &&
	       strstr(path, "//") == NULL && strstr(path, "/./") == NULL &&
	       strstr(path, "/../") == NULL &&
	       strcmp(path + n - 2, "/.") != 0 &&
	       (n < 3 || strcmp(path + n - 3, "/..") != 0);
}

int
launch_open_beneath(int dirfd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	long fd = -1;

	/* EAGAIN: something was renamed meanwhile, openat2(2). */
	for (int i = 0; i < UTIL_OPEN_TRIES && fd == -1; i++) {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd == -1 && errno != EAGAIN)
			break;
	}
	return (int)fd;
}

int
launch_make_dir(int dirfd, const char *name, mode_t mode)
{
	int fd, made = mkdirat(dirfd, name, 0700);

	if (made == -1 && errno != EEXIST)
		return -1;
	fd = openat(dirfd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* The mode whatever the umask. */
	if (fd != -1 && made == 0 && fchmod(fd, mode) == -1)
		fdio_close(&fd);
	return fd;
}

int
launch_make_dirs(const char *path)
{
	char sofar[LAUNCH_PATH_MAX];

	for (size_t i = 1; i < sizeof(sofar); i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(sofar, path, i);
		sofar[i] = '\0';
		if (mkdir(sofar, 0755) == -1 ? errno != EEXIST
					     : chmod(sofar, 0755) == -1)
			return -1;
		if (path[i] == '\0')
			return 0;
	}
	errno = ENAMETOOLONG;
	return -1;
}

char *
launch_state_path(const struct launch *l, char *buf, size_t size, const char *a,
    const char *b)
{
	int n = snprintf(buf, size, "%s/%s%s%s", l->state, a,
	    b == NULL ? "" : "/", b == NULL ? "" : b);

	return n < 0 || (size_t)n >= size ? NULL : buf;
}

ssize_t
launch_read_file(int dirfd, const char *path, char *buf, size_t size)
{
	CLEANUP_FD int fd =
	    openat(dirfd, path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : fdio_read_upto(fd, buf, size - 1);

	buf[n < 0 ? 0 : n] = '\0';
	return n;
}

int
launch_write_file(int dirfd, const char *path, const char *text)
{
	CLEANUP_FD int fd =
	    openat(dirfd, path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	return fd == -1 ? -1 : fdio_write_all(fd, text, strlen(text));
}

void
launch_clean_text(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
	}
}
