#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "execd/launch_proc.h"
#include "lib/fdio.h"

#define PROC_TEXT_MAX 8192

/* The name in parentheses may hold anything: fields count from its end. */
int
proc_stat_parse(const char *text, struct proc_stat *out)
{
	const char *p = strrchr(text, ')');

	if (p == NULL)
		return -1;
	return sscanf(p + 1,
		   " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
		   "%*d %*d %*d %*d %" SCNu64,
		   &out->state, &out->ppid, &out->session,
		   &out->start_time) == 4
		   ? 0
		   : -1;
}

static int
proc_field(const char *text, const char *name, const char **value)
{
	const char *p = strstr(text, name);

	if (p == NULL)
		return -1;
	*value = p + strlen(name);
	return 0;
}

static int
proc_ids(const char *text, const char *name, uint32_t ids[4])
{
	const char *v;

	return proc_field(text, name, &v) == 0 &&
		       sscanf(v, "%u %u %u %u", &ids[0], &ids[1], &ids[2],
			   &ids[3]) == 4
		   ? 0
		   : -1;
}

static int
proc_caps(const char *text, const char *name, uint64_t *caps)
{
	const char *v;

	return proc_field(text, name, &v) == 0 &&
		       sscanf(v, "%" SCNx64, caps) == 1
		   ? 0
		   : -1;
}

static int
proc_number(const char *text, const char *name, uint32_t *value)
{
	const char *v;

	return proc_field(text, name, &v) == 0 && sscanf(v, "%u", value) == 1
		   ? 0
		   : -1;
}

/* The name of the process, which it chooses, comes escaped and first. */
int
proc_status_parse(const char *text, struct proc_status *out)
{
	return proc_ids(text, "\nUid:", out->uid) == 0 &&
		       proc_ids(text, "\nGid:", out->gid) == 0 &&
		       proc_caps(text, "\nCapInh:", &out->inh) == 0 &&
		       proc_caps(text, "\nCapPrm:", &out->prm) == 0 &&
		       proc_caps(text, "\nCapEff:", &out->eff) == 0 &&
		       proc_caps(text, "\nCapBnd:", &out->bnd) == 0 &&
		       proc_caps(text, "\nCapAmb:", &out->amb) == 0 &&
		       proc_number(text, "\nNoNewPrivs:", &out->nnp) == 0 &&
		       proc_number(text, "\nSeccomp:", &out->seccomp) == 0
		   ? 0
		   : -1;
}

static int
proc_text(pid_t pid, const char *file, char *buf, size_t size)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return launch_read_file(AT_FDCWD, path, buf, size) == -1 ? -1 : 0;
}

int
proc_stat_read(pid_t pid, struct proc_stat *out)
{
	char text[PROC_TEXT_MAX];

	return proc_text(pid, "stat", text, sizeof(text)) == -1
		   ? -1
		   : proc_stat_parse(text, out);
}

int
proc_status_read(pid_t pid, struct proc_status *out)
{
	char text[PROC_TEXT_MAX];

	return proc_text(pid, "status", text, sizeof(text)) == -1
		   ? -1
		   : proc_status_parse(text, out);
}

/* The pidfd first: what /proc says after that is said of its process, or of
 * nobody's because it has ended. */
int
proc_open(pid_t pid, uint64_t start_time)
{
	struct proc_stat st;
	int fd;

	if (pid <= 1)
		return -1;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd != -1 &&
	    (proc_stat_read(pid, &st) == -1 || st.start_time != start_time ||
		st.state == 'Z' || st.state == 'X'))
		fdio_close(&fd);
	return fd;
}

int
proc_signal(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

bool
proc_wait(int pidfd, int ms)
{
	struct pollfd p = { pidfd, POLLIN, 0 };
	int n;

	do
		n = poll(&p, 1, ms);
	while (n == -1 && errno == EINTR);
	return n == 1;
}
