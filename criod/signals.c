#include <signal.h>
#include <stddef.h>

#include "criod/signals.h"
#include "proto/cri.pb-c.h"

/*
 * Indexed by the CRI's number, up to SIGXFSZ.  Above it the CRI counts the
 * real-time signals from the kernel's own first one, 34 (glibc keeps two).
 */
static const int signals_table[] = {
	0,
	SIGABRT,
	SIGALRM,
	SIGBUS,
	SIGCHLD,
	SIGCHLD,
	SIGCONT,
	SIGFPE,
	SIGHUP,
	SIGILL,
	SIGINT,
	SIGIO,
	SIGABRT,
	SIGKILL,
	SIGPIPE,
	SIGPOLL,
	SIGPROF,
	SIGPWR,
	SIGQUIT,
	SIGSEGV,
	SIGSTKFLT,
	SIGSTOP,
	SIGSYS,
	SIGTERM,
	SIGTRAP,
	SIGTSTP,
	SIGTTIN,
	SIGTTOU,
	SIGURG,
	SIGUSR1,
	SIGUSR2,
	SIGVTALRM,
	SIGWINCH,
	SIGXCPU,
	SIGXFSZ,
};

#define SIGNALS_RTMIN_CRI RUNTIME__V1__SIGNAL__SIGNAL_SIGRTMIN
#define SIGNALS_RTMAX_CRI RUNTIME__V1__SIGNAL__SIGNAL_SIGRTMAX
#define SIGNALS_RTMIN	  34

_Static_assert(sizeof(signals_table) / sizeof(signals_table[0]) ==
		   SIGNALS_RTMIN_CRI,
    "a row for each signal below the real-time ones");

int
signals_to_linux(int cri)
{
	if (cri < 0 || cri > SIGNALS_RTMAX_CRI)
		return 0;
	if (cri >= SIGNALS_RTMIN_CRI)
		return cri - SIGNALS_RTMIN_CRI + SIGNALS_RTMIN;
	return signals_table[cri];
}

int
signals_to_cri(int linux_number)
{
	for (int cri = 1; cri <= SIGNALS_RTMAX_CRI; cri++) {
		if (signals_to_linux(cri) == linux_number)
			return cri;
	}
	return RUNTIME__V1__SIGNAL__SIGNAL_RUNTIME_DEFAULT;
}
