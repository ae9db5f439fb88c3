/*
 * Preloaded (/etc/ld.so.preload of a box) into everything that is not static:
 * makes calls of a named program fail as a disk or the kernel would, and moves
 * its wall clock.  The orders are one page, shared with the test (faults.py),
 * mapped before main, so that nothing here makes a system call of its own.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHIM_PAGE "/run/criod.shim"
#define SHIM_ARMS 4

struct shim_arm {
	char program[16], function[16];
	int32_t skip;  /* calls before it acts */
	int32_t count; /* times it acts */
	int32_t error; /* errno; 0: only counts */
	int32_t calls; /* counted here */
};

struct shim_page {
	int64_t clock_ns; /* added to the wall clock */
	int64_t slept_ns; /* added to that and CLOCK_BOOTTIME: a suspend */
	struct shim_arm arms[SHIM_ARMS];
};

static struct shim_page *shim_page;

__attribute__((constructor)) static void
shim_init(void)
{
	int fd = open(SHIM_PAGE, O_RDWR | O_CLOEXEC);
	void *p;

	if (fd == -1)
		return;
	p = mmap(NULL, sizeof(struct shim_page), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p != MAP_FAILED)
		shim_page = p;
}

/* Whether this call is to fail, errno set. */
static int
shim_fails(const char *function)
{
	struct shim_arm *a;
	int32_t n;

	if (shim_page == NULL)
		return 0;
	for (a = shim_page->arms; a < shim_page->arms + SHIM_ARMS; a++) {
		if (a->function[0] == '\0' ||
		    strcmp(a->function, function) != 0 ||
		    strcmp(a->program, program_invocation_short_name) != 0)
			continue;
		n = __atomic_fetch_add(&a->calls, 1, __ATOMIC_SEQ_CST);
		if (a->error == 0 || n < a->skip || n >= a->skip + a->count)
			continue;
		errno = a->error;
		return 1;
	}
	return 0;
}

#define SHIM(ret, bad, name, args, pass)                                       \
	ret name args                                                          \
	{                                                                      \
		static __typeof__(&(name)) next;                               \
		if (next == NULL)                                              \
			next = (__typeof__(&(name)))dlsym(RTLD_NEXT, #name);   \
		return shim_fails(#name) ? (bad) : next pass;                  \
	}

SHIM(int, -1, fsync, (int fd), (fd))
SHIM(int, -1, fdatasync, (int fd), (fd))
SHIM(int, -1, syncfs, (int fd), (fd))
SHIM(ssize_t, -1, write, (int fd, const void *b, size_t n), (fd, b, n))
SHIM(ssize_t, -1, read, (int fd, void *b, size_t n), (fd, b, n))
SHIM(ssize_t, -1, pwrite64, (int fd, const void *b, size_t n, off64_t o),
    (fd, b, n, o))
SHIM(ssize_t, -1, pread64, (int fd, void *b, size_t n, off64_t o),
    (fd, b, n, o))
SHIM(int, -1, ftruncate, (int fd, off_t n), (fd, n))
SHIM(int, -1, mkdirat, (int d, const char *p, mode_t m), (d, p, m))
SHIM(int, -1, renameat, (int d, const char *p, int e, const char *q),
    (d, p, e, q))
SHIM(int, -1, unlinkat, (int d, const char *p, int f), (d, p, f))
SHIM(struct dirent *, NULL, readdir, (DIR * d), (d))
SHIM(pid_t, -1, fork, (void), ())
SHIM(int, -1, pipe2, (int *p, int f), (p, f))
SHIM(int, -1, socketpair, (int d, int t, int p, int *v), (d, t, p, v))
SHIM(int, -1, memfd_create, (const char *n, unsigned int f), (n, f))

/* The descriptor is gone all the same, as with the kernel's close. */
int
close(int fd)
{
	static int (*next)(int);
	int fails = shim_fails("close"), rc;

	if (next == NULL)
		next = (int (*)(int))dlsym(RTLD_NEXT, "close");
	rc = next(fd);
	if (!fails)
		return rc;
	errno = EIO;
	return -1;
}

int
openat(int d, const char *path, int flags, ...)
{
	static int (*next)(int, const char *, int, ...);
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	if (next == NULL)
		next = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT,
		    "openat");
	if (shim_fails((flags & O_CREAT) != 0 ? "creat" : "openat"))
		return -1;
	return next(d, path, flags, mode);
}

/* ---- memory ---- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

void *
malloc(size_t n)
{
	return shim_fails("malloc") ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return shim_fails("malloc") ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return shim_fails("malloc") ? NULL : __libc_realloc(p, n);
}

/* ---- clocks ---- */

static int64_t
shim_ahead(clockid_t id)
{
	int64_t ns = 0;

	if (shim_page == NULL)
		return 0;
	if (id == CLOCK_REALTIME)
		ns = __atomic_load_n(&shim_page->clock_ns, __ATOMIC_SEQ_CST);
	if (id == CLOCK_REALTIME || id == CLOCK_BOOTTIME)
		ns += __atomic_load_n(&shim_page->slept_ns, __ATOMIC_SEQ_CST);
	return ns;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*next)(clockid_t, struct timespec *);
	int64_t ns;
	int rc;

	if (next == NULL)
		next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT,
		    "clock_gettime");
	rc = next(id, ts);
	if (rc == 0) {
		ns = ts->tv_sec * 1000000000 + ts->tv_nsec + shim_ahead(id);
		ts->tv_sec = ns / 1000000000;
		ts->tv_nsec = ns % 1000000000;
	}
	return rc;
}

int
gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec ts;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *t)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}
