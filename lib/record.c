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

static void
record_aside_name(char aside[NAME_MAX + 1], const char *name)
{
	(void)snprintf(aside, NAME_MAX + 1, ".%s.new", name);
}

void
record_aside_drop(int dirfd, const char *name)
{
	char aside[NAME_MAX + 1];
	int saved = errno;

	record_aside_name(aside, name);
	(void)unlinkat(dirfd, aside, 0);
	errno = saved;
}

#ifdef CRIOD_NEWER
/*
 * As if a newer version had added something at the end of each body: a field
 * of protobuf, more of a fixed message, or space behind JSON.
 */
static const void *
record_newer(const void *buf, size_t *len)
{
	static uint8_t more[RECORD_MAX + 3];
	const char *tail = *(const char *)buf == '{' ? " \n\n" : "\xc0\x3e\x01";

	memcpy(more, buf, *len);
	memcpy(more + *len, tail, 3);
	*len += 3;
	return more;
}
#endif

static int
record_fill(int fd, const char *owner, const void *buf, size_t len)
{
	uint8_t header[RECORD_HEADER];

#ifdef CRIOD_NEWER
	buf = record_newer(buf, &len);
#endif
	record_header(header, owner, buf, len);
	return fdio_write_all(fd, header, sizeof(header)) == -1
		   ? -1
		   : fdio_write_all(fd, buf, len);
}

int
record_aside(int dirfd, const char *name, const char *owner, const void *buf,
    size_t len, struct cerr *err)
{
	char aside[NAME_MAX + 1];
	int fd;

	if (len > RECORD_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "record %s is too large", name);
	if (failpoint("record", NULL) == -1)
		return cerr_errno(err, "write record %s", name);
	record_aside_name(aside, name);
	fd = openat(dirfd, aside,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return cerr_errno(err, "create record %s", name);
	if (record_fill(fd, owner, buf, len) == 0)
		return fd;
	record_aside_drop(dirfd, name);
	(void)cerr_errno(err, "write record %s", name);
	fdio_close(&fd);
	return -1;
}

int
record_place(int dirfd, const char *name, struct cerr *err)
{
	char aside[NAME_MAX + 1];

	record_aside_name(aside, name);
	if (failpoint("record", "rename") == 0 &&
	    renameat(dirfd, aside, dirfd, name) == 0 &&
	    failpoint("record", "renamed") == 0)
		return 0;
	record_aside_drop(dirfd, name);
	return cerr_errno(err, "write record %s", name);
}

int
record_write(int dirfd, const char *name, const char *owner, const void *buf,
    size_t len, bool sync, struct cerr *err)
{
	CLEANUP_FD int fd = record_aside(dirfd, name, owner, buf, len, err);

	if (fd == -1)
		return -1;
	if (sync && fsync(fd) == -1) {
		record_aside_drop(dirfd, name);
		return cerr_errno(err, "write record %s", name);
	}
	if (record_place(dirfd, name, err) == -1)
		return -1;
	return sync && fsync(dirfd) == -1
		   ? cerr_errno(err, "write record %s", name)
		   : 0;
}

static int
record_check(const uint8_t *header, const char *name, const char *owner,
    unsigned int version, uint32_t *len, struct cerr *err)
{
	unsigned int mark = header[6] | (unsigned int)header[7] << 8;

	if (memcmp(header, RECORD_MAGIC, sizeof(RECORD_MAGIC) - 1) != 0)
		return cerr_set(err, CERR_DATA_LOSS, "record %s: damaged",
		    name);
	if (header[5] > version)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "record %s: of a newer version (%u)", name, header[5]);
	if (owner != NULL && mark != 0 && mark != record_owner(owner))
		return cerr_set(err, CERR_DATA_LOSS,
		    "record %s: damaged, or another's", name);
	*len = record_get32(header + 8);
	if (*len > RECORD_MAX)
		return cerr_set(err, CERR_DATA_LOSS, "record %s: damaged",
		    name);
	return 0;
}

/* Exactly len bytes of at most max.  What is not read is not damaged. */
static int
record_load(int fd, const char *name, uint8_t *buf, size_t max, size_t len,
    struct cerr *err)
{
	ssize_t n = fdio_read_upto(fd, buf, max);

	if (n == -1)
		return cerr_errno(err, "read record %s", name);
	if ((size_t)n != len)
		return cerr_set(err, CERR_DATA_LOSS, "record %s: damaged",
		    name);
	return 0;
}

static int
record_read_upto(int dirfd, const char *name, const char *owner,
    unsigned int version, uint8_t **buf, size_t *len, struct cerr *err)
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
	if (record_load(fd, name, header, sizeof(header), sizeof(header),
		err) == -1 ||
	    record_check(header, name, owner, version, &want, err) == -1)
		return -1;
	data = malloc((size_t)want + 1);
	if (data == NULL)
		return cerr_errno(err, "record %s", name);
	if (record_load(fd, name, data, (size_t)want + 1, want, err) == -1)
		return -1;
	if (record_crc(data, want) != record_get32(header + 12))
		return cerr_set(err, CERR_DATA_LOSS, "record %s: damaged",
		    name);
	data[want] = 0;
	*buf = data;
	*len = want;
	data = NULL;
	return 0;
}

int
record_read(int dirfd, const char *name, const char *owner, uint8_t **buf,
    size_t *len, struct cerr *err)
{
	return record_read_upto(dirfd, name, owner, RECORD_VERSION, buf, len,
	    err);
}

int
record_read_newer(int dirfd, const char *name, uint8_t **buf, size_t *len,
    struct cerr *err)
{
	return record_read_upto(dirfd, name, NULL, UINT8_MAX, buf, len, err);
}
