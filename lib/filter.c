#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/seccomp.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/filter.h"

#define FILTER_NO_CALL 4095 /* a number that is no call, hence in no table */

extern const struct filter_name filter_names[]; /* made by lib/mknames */
extern const size_t filter_nnames;

static const char *filter_role;

const char *
filter_call_name(int nr)
{
	for (size_t i = 0; i < filter_nnames; i++) {
		if (filter_names[i].nr == nr)
			return filter_names[i].name;
	}
	return "unknown";
}

static size_t
filter_append(char *line, size_t n, size_t size, const char *s)
{
	while (*s != '\0' && n + 1 < size)
		line[n++] = *s++;
	return n;
}

static size_t
filter_append_number(char *line, size_t n, size_t size, unsigned int number)
{
	char digits[12];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	do {
		digits[--i] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return filter_append(line, n, size, digits + i);
}

/*
 * Runs with SIGSYS blocked, so that a second violation is not delivered here
 * again: the kernel resets a blocked, forced SIGSYS to its default and kills.
 * The call that violated is no use for that: with other arguments it may be
 * allowed.
 */
static void
filter_violation(int sig, siginfo_t *si, void *uctx)
{
	char line[160];
	size_t n = 0;

	(void)sig;
	(void)uctx;
	n = filter_append(line, n, sizeof(line), filter_role);
	n = filter_append(line, n, sizeof(line),
	    ": killed: system call not in its table: ");
	n = filter_append(line, n, sizeof(line),
	    filter_call_name(si->si_syscall));
	n = filter_append(line, n, sizeof(line), " (");
	n = filter_append_number(line, n, sizeof(line),
	    (unsigned int)si->si_syscall);
	n = filter_append(line, n, sizeof(line), ")\n");
	if (write(STDERR_FILENO, line, n) == -1)
		errno = 0;
	(void)syscall(FILTER_NO_CALL);
	_exit(128 + SIGSYS);
}

int
filter_install(const struct filter *f)
{
	struct sigaction sa;
	struct sock_fprog prog;

	filter_role = f->role;
	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = filter_violation;
	sa.sa_flags = SA_SIGINFO;
	if (sigaction(SIGSYS, &sa, NULL) == -1)
		return -1;
	memset(&prog, 0, sizeof(prog));
	prog.len = f->len;
	/* The kernel copies the program; it takes a pointer to non-const. */
	memcpy(&prog.filter, &f->code, sizeof(prog.filter));
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}
