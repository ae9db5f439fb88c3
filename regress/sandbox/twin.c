/*
 * A twin of one role: a process under the role's real, compiled filter.  Every
 * system call number is tried in a twin of its own; each that the role's table
 * does not name must end it with SIGSYS.  So must the calls of another ABI.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/filter.h"

#define TWIN_LAST_CALL 512
#define TWIN_X32       0x40000000
#define TWIN_TIMEOUT   5

/*
 * uretprobe (335) and uprobe (336) of x86-64: since Linux 6.13 and 6.18 the
 * kernel lets them past every filter (kernel/seccomp.c), for they are made by
 * trampolines that the kernel itself puts into a traced process; from
 * anywhere else they end in SIGILL or an error.
 */
static const long twin_unfiltered[] = { 335, 336 };

extern const struct filter TWIN_FILTER;

static int passed, failed;

static bool
twin_named(const char *name)
{
	for (const char *const *p = TWIN_FILTER.named; *p != NULL; p++) {
		if (strcmp(*p, name) == 0)
			return true;
	}
	return false;
}

static bool
twin_is_unfiltered(long nr)
{
	for (size_t i = 0;
	     i < sizeof(twin_unfiltered) / sizeof(twin_unfiltered[0]); i++) {
		if (twin_unfiltered[i] == nr)
			return true;
	}
	return false;
}

/* Makes the call in a child; its wait status. */
static int
twin_try(void (*call)(long), long nr)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		(void)dup2(null, STDERR_FILENO);
		(void)alarm(TWIN_TIMEOUT);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == -1 ||
		    filter_install(&TWIN_FILTER) == -1)
			_exit(77);
		call(nr);
		_exit(0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1) {
		perror("fork");
		exit(1);
	}
	return status;
}

static void
twin_call(long nr)
{
	(void)syscall(nr, -1L, -1L, -1L, -1L, -1L, -1L);
}

#ifdef __x86_64__
/* The 32-bit entry; nr is the i386 number. */
static void
twin_call_i386(long nr)
{
	__asm__ volatile("int $0x80" : "+a"(nr) : : "memory");
}
#endif

static void
twin_must_die(const char *what, long nr, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
		passed++;
		return;
	}
	failed++;
	printf("%s: %s %ld was not killed (status 0x%x)\n", TWIN_FILTER.role,
	    what, nr, status);
}

static void
twin_other_abis(void)
{
#ifdef __x86_64__
	/* getpid: harmless, and plain to see if it got through. */
	twin_must_die("i386", 20, twin_try(twin_call_i386, 20));
	twin_must_die("x32", SYS_getpid,
	    twin_try(twin_call, SYS_getpid | TWIN_X32));
#endif
}

int
main(void)
{
	for (long nr = 0; nr < TWIN_LAST_CALL; nr++) {
		const char *name = filter_call_name((int)nr);

		if (twin_named(name) || twin_is_unfiltered(nr))
			continue;
		twin_must_die(name, nr, twin_try(twin_call, nr));
	}
	twin_other_abis();
	printf("%s: %d calls die, %d do not\n", TWIN_FILTER.role, passed,
	    failed);
	return failed != 0;
}
