#include <sys/mman.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fdio.h"

#define FDIO_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

void
fdio_close(int *fd)
{
	int saved = errno;

	if (*fd != -1)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

void
fdio_cleanup_fd(int *fd)
{
	fdio_close(fd);
}

void
fdio_cleanup_free(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

int
fdio_write_all(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

ssize_t
fdio_read_upto(int fd, void *buf, size_t len)
{
	uint8_t *p = buf;
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, p + done, len - done);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int
fdio_memfd_sealed(const char *name, const void *buf, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1)
		return -1;
	if (fdio_write_all(fd, buf, len) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1 ||
	    fcntl(fd, F_ADD_SEALS, FDIO_SEALS) == -1) {
		fdio_close(&fd);
		return -1;
	}
	return fd;
}

/* pread, because the file offset is shared with the peer that sent fd. */
static int
fdio_pread_all(int fd, uint8_t *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, buf + done, len - done, (off_t)done);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0) {
			errno = EPERM;
			return -1;
		}
		done += (size_t)n;
	}
	return 0;
}

int
fdio_memfd_read(int fd, size_t max, uint8_t **buf, size_t *len)
{
	CLEANUP_FREE uint8_t *data = NULL;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	/* Only memfds answer F_GET_SEALS (EINVAL from all else). */
	if (seals == -1 || (seals & FDIO_SEALS) != FDIO_SEALS) {
		errno = EPERM;
		return -1;
	}
	if (fstat(fd, &st) == -1)
		return -1;
	if (st.st_size < 0 || (uint64_t)st.st_size > max) {
		errno = EFBIG;
		return -1;
	}
	data = malloc((size_t)st.st_size + 1);
	if (data == NULL)
		return -1;
	if (fdio_pread_all(fd, data, (size_t)st.st_size) == -1)
		return -1;
	data[st.st_size] = '\0';
	*buf = data;
	*len = (size_t)st.st_size;
	data = NULL;
	return 0;
}

int
fdio_expect_only(int last)
{
	struct dirent *de;
	int seen = 0, result = 0;
	DIR *dir = opendir("/proc/self/fd");

	if (dir == NULL)
		return -1;
	while ((de = readdir(dir)) != NULL) {
		int fd;

		if (de->d_name[0] == '.')
			continue;
		fd = (int)strtol(de->d_name, NULL, 10);
		if (fd == dirfd(dir))
			continue;
		seen++;
		if (fd > last)
			result = -1;
	}
	(void)closedir(dir);
	if (seen != last + 1)
		result = -1;
	if (result == -1)
		errno = EBADF;
	return result;
}
