#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "execd/signum.h"

/* A container sees the kernel's real-time signals, not the C library's. */
#define SIGNUM_RTMIN 34
#define SIGNUM_RTMAX 64

static const struct {
	const char *name;
	int number;
} signum_names[] = {
	{ "HUP", SIGHUP },
	{ "INT", SIGINT },
	{ "QUIT", SIGQUIT },
	{ "ILL", SIGILL },
	{ "TRAP", SIGTRAP },
	{ "ABRT", SIGABRT },
	{ "IOT", SIGIOT },
	{ "BUS", SIGBUS },
	{ "FPE", SIGFPE },
	{ "KILL", SIGKILL },
	{ "USR1", SIGUSR1 },
	{ "SEGV", SIGSEGV },
	{ "USR2", SIGUSR2 },
	{ "PIPE", SIGPIPE },
	{ "ALRM", SIGALRM },
	{ "TERM", SIGTERM },
	{ "STKFLT", SIGSTKFLT },
	{ "CHLD", SIGCHLD },
	{ "CLD", SIGCHLD },
	{ "CONT", SIGCONT },
	{ "STOP", SIGSTOP },
	{ "TSTP", SIGTSTP },
	{ "TTIN", SIGTTIN },
	{ "TTOU", SIGTTOU },
	{ "URG", SIGURG },
	{ "XCPU", SIGXCPU },
	{ "XFSZ", SIGXFSZ },
	{ "VTALRM", SIGVTALRM },
	{ "PROF", SIGPROF },
	{ "WINCH", SIGWINCH },
	{ "IO", SIGIO },
	{ "POLL", SIGIO },
	{ "PWR", SIGPWR },
	{ "SYS", SIGSYS },
	{ "RTMIN", SIGNUM_RTMIN },
	{ "RTMAX", SIGNUM_RTMAX },
};

/* Digits to a number in 1..64, else -1. */
static int
signum_digits(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > 2 || strspn(s, "0123456789") != len)
		return -1;
	return atoi(s) >= 1 && atoi(s) <= SIGNUM_RTMAX ? atoi(s) : -1;
}

static int
signum_realtime(const char *s)
{
	int n, base = strncasecmp(s, "RTMIN+", 6) == 0	 ? SIGNUM_RTMIN
		      : strncasecmp(s, "RTMAX-", 6) == 0 ? SIGNUM_RTMAX
							 : 0;

	if (base == 0 || (n = signum_digits(s + 6)) == -1)
		return -1;
	n = base == SIGNUM_RTMIN ? base + n : base - n;
	return n >= SIGNUM_RTMIN && n <= SIGNUM_RTMAX ? n : -1;
}

int
signum_parse(const char *s)
{
	const char *bare = strncasecmp(s, "SIG", 3) == 0 ? s + 3 : s;
	int n = signum_digits(s);

	if (n != -1)
		return n;
	for (size_t i = 0; i < sizeof(signum_names) / sizeof(signum_names[0]);
	     i++) {
		if (strcasecmp(signum_names[i].name, bare) == 0)
			return signum_names[i].number;
	}
	n = signum_realtime(bare);
	return n != -1 ? n : SIGTERM;
}
