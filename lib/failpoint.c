#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/failpoint.h"

static struct failpoint_page *failpoint_page;
static char failpoint_role[FAILPOINT_NAME];

static void
failpoint_join(char name[FAILPOINT_NAME], const char *a, const char *b)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < 2; i++) {
		for (const char *p = i == 0 ? a : b; p != NULL && *p != '\0';
		     p++) {
			if (n < FAILPOINT_NAME - 1)
				name[n++] = *p;
		}
	}
	name[n] = '\0';
}

void
failpoint_init(const char *role)
{
	int fd = open(CRIOD_FAILPOINTS, O_RDWR | O_CLOEXEC);
	void *p;

	failpoint_role[0] = '\0';
	failpoint_join(failpoint_role, role, " ");
	if (fd == -1)
		return;
	p = mmap(NULL, sizeof(*failpoint_page), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p != MAP_FAILED)
		failpoint_page = p;
}

static void
failpoint_note(const char *name)
{
	uint32_t i;

	if (failpoint_page->tracing == 0)
		return;
	i = __atomic_fetch_add(&failpoint_page->ntrace, 1, __ATOMIC_SEQ_CST);
	if (i < FAILPOINT_TRACE)
		memcpy(failpoint_page->trace[i], name, FAILPOINT_NAME);
}

/* No system call is allowed for this alone: the clock is read until then. */
static void
failpoint_wait(uint32_t ms)
{
	struct timespec start, now;
	int64_t passed;

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		passed = (now.tv_sec - start.tv_sec) * 1000 +
			 (now.tv_nsec - start.tv_nsec) / 1000000;
	} while (passed < ms);
}

static int
failpoint_act(struct failpoint_arm *arm)
{
	if (__atomic_fetch_add(&arm->hits, 1, __ATOMIC_SEQ_CST) != arm->skip)
		return 0;
	if (arm->action == FAILPOINT_KILL)
		__builtin_trap();
	if (arm->action == FAILPOINT_DELAY)
		failpoint_wait(arm->ms);
	if (arm->action != FAILPOINT_ERROR)
		return 0;
	errno = EIO;
	return -1;
}

int
failpoint(const char *point, const char *what)
{
	char name[FAILPOINT_NAME] = { 0 };

	if (failpoint_page == NULL)
		return 0;
	failpoint_join(name, failpoint_role, point);
	if (what != NULL)
		failpoint_join(name, " ", what);
	failpoint_note(name);
	for (size_t i = 0; i < FAILPOINT_ARMS; i++) {
		struct failpoint_arm *arm = &failpoint_page->arms[i];

		if (arm->action != FAILPOINT_NONE &&
		    strcmp(arm->name, name) == 0)
			return failpoint_act(arm);
	}
	return 0;
}
