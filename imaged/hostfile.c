#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fdio.h"

#include "imaged/hostfile.h"

static int
hostfile_write(const char *path, const void *buf, size_t len)
{
	CLEANUP_FD int fd = open(path,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd == -1 ? -1 : fdio_write_all(fd, buf, len);
}

int
hostfile_copy(int fd, const char *path, struct cerr *err)
{
	CLEANUP_FREE char *buf = malloc(HOSTFILE_MAX);
	char aside[64];
	ssize_t n;

	if (buf == NULL)
		return cerr_errno(err, "%s", path);
	n = pread(fd, buf, HOSTFILE_MAX, 0);
	if (n == -1)
		return cerr_errno(err, "read the host's %s", path);
	(void)snprintf(aside, sizeof(aside), "%s.new", path);
	if (hostfile_write(aside, buf, (size_t)n) == -1 ||
	    rename(aside, path) == -1)
		return cerr_errno(err, "%s", path);
	return 0;
}
