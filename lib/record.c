#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/failpoint.h"
#include "lib/fdio.h"
#include "lib/record.h"

static uint32_t
record_get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static int
record_fill(int fd, const char *owner, const void *buf, size_t len, bool sync)
{
	uint8_t header[RECORD_HEADER];

	record_header(header, owner, buf, len);
	if (fdio_write_all(fd, header, sizeof(header)) == -1 ||
	    fdio_write_all(fd, buf, len) == -1)
		return -1;
	return sync ? fsync(fd) : 0;
}

int
record_write(int dirfd, const char *name, const char *owner, const void *buf,
    size_t len, bool sync, struct cerr *err)
{
	char aside[NAME_MAX + 1];
	CLEANUP_FD int fd = -1;

	if (len > RECORD_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "record %s is too large", name);
	if (failpoint("record", NULL) == -1)
		return cerr_errno(err, "write record %s", name);
	(void)snprintf(aside, sizeof(aside), ".%s.new", name);
	fd = openat(dirfd, aside,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return cerr_errno(err, "create record %s", name);
	if (record_fill(fd, owner, buf, len, sync) == -1 ||
	    failpoint("record", "rename") == -1 ||
	    renameat(dirfd, aside, dirfd, name) == -1 ||
	    failpoint("record", "renamed") == -1 ||
	    (sync && fsync(dirfd) == -1)) {
		int saved = errno;

		(void)unlinkat(dirfd, aside, 0);
		errno = saved;
		return cerr_errno(err, "write record %s", name);
	}
	return 0;
}

static int
record_check(const uint8_t *header, const char *name, const char *owner,
    uint32_t *len, struct cerr *err)
{
	unsigned int mark = header[6] | (unsigned int)header[7] << 8;

	if (memcmp(header, RECORD_MAGIC, sizeof(RECORD_MAGIC) - 1) != 0)
		return cerr_set(err, CERR_DATA_LOSS, "record %s: damaged",
		    name);
	if (header[5] > RECORD_VERSION)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "record %s: of a newer version (%u)", name, header[5]);
	if (mark != 0 && mark != record_owner(owner))
		return cerr_set(err, CERR_DATA_LOSS,
		    "record %s: damaged, or another's", name);
	*len = record_get32(header + 8);
	if (*len > RECORD_MAX)
		return cerr_set(err, CERR_DATA_LOSS, "record %s: damaged",
		    name);
	return 0;
}

int
record_read(int dirfd, const char *name, const char *owner, uint8_t **buf,
    size_t *len, struct cerr *err)
{
	CLEANUP_FD int fd =
	    openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CLEANUP_FREE uint8_t *data = NULL;
	uint8_t header[RECORD_HEADER];
	uint32_t want = 0;

	if (fd == -1 && errno == ENOENT)
		return cerr_set(err, CERR_NOT_FOUND, "no record %s", name);
	if (fd == -1)
		return cerr_errno(err, "open record %s", name);
	if (fdio_read_upto(fd, header, sizeof(header)) != sizeof(header))
		return cerr_set(err, CERR_DATA_LOSS, "record %s: damaged",
		    name);
	if (record_check(header, name, owner, &want, err) == -1)
		return -1;
	data = malloc((size_t)want + 1);
	if (data == NULL)
		return cerr_errno(err, "record %s", name);
	if (fdio_read_upto(fd, data, (size_t)want + 1) != (ssize_t)want ||
	    record_crc(data, want) != record_get32(header + 12))
		return cerr_set(err, CERR_DATA_LOSS, "record %s: damaged",
		    name);
	data[want] = 0;
	*buf = data;
	*len = want;
	data = NULL;
	return 0;
}
