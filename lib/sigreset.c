#include <sys/syscall.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "lib/sigreset.h"

/*
 * By the kernel's own call: the C library refuses the two signals that it
 * keeps for threads, and its posix_spawn has left them ignored in whoever was
 * started by it.  All zero is SIG_DFL without flags, whatever the layout.
 */
int
sigreset(void)
{
	static const unsigned long dfl[8];
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++) {
		if (syscall(SYS_rt_sigaction, sig, dfl, NULL, NSIG / 8) == -1 &&
		    errno != EINVAL) /* SIGKILL, SIGSTOP */
			return -1;
	}
	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}
