#ifndef CRIOD_LIB_FDIO_H
#define CRIOD_LIB_FDIO_H

/* Descriptors and whole-buffer input and output. */

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

/* The two cleanup attributes of the tree: a descriptor, a heap pointer. */
#define CLEANUP_FD   __attribute__((cleanup(fdio_cleanup_fd)))
#define CLEANUP_FREE __attribute__((cleanup(fdio_cleanup_free)))
void fdio_cleanup_fd(int *fd);
void fdio_cleanup_free(void *pointer_to_pointer);

/* Closes *fd unless it is -1 and sets it to -1.  errno is kept. */
void fdio_close(int *fd);

/* All of len, or -1 with errno; EINTR is retried. */
int fdio_write_all(int fd, const void *buf, size_t len)
    __attribute__((warn_unused_result));
/* Up to len bytes until end of file; the count, or -1 with errno. */
ssize_t fdio_read_upto(int fd, void *buf, size_t len)
    __attribute__((warn_unused_result));

/*
 * A sealed memfd (SHRINK, GROW, WRITE, SEAL) that holds buf; -1 with errno.
 * The caller owns the descriptor, which is close-on-exec.
 */
int fdio_memfd_sealed(const char *name, const void *buf, size_t len)
    __attribute__((warn_unused_result));
/*
 * The contents of a sealed memfd: *buf is owned by the caller, has *len bytes
 * and a NUL behind them.  -1 with errno: EPERM if fd is not such a memfd
 * (a peer's mistake), EFBIG if it holds more than max.
 */
int fdio_memfd_read(int fd, size_t max, uint8_t **buf, size_t *len)
    __attribute__((warn_unused_result));

/*
 * Checks that exactly descriptors 0 to last are open (/proc/self/fd), as a
 * role must find it at start.  -1 with errno EBADF if not.
 */
int fdio_expect_only(int last) __attribute__((warn_unused_result));

#endif
