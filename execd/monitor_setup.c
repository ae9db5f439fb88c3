/* What must be open before the monitor gives up opening anything. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr_flags.h"
#include "execd/monitor.h"
#include "imsg/fixed.h"
#include "lib/failpoint.h"
#include "lib/record.h"

#define SETUP_OOM_KEY	"oom_kill "
#define SETUP_OOM_SIZE	512
#define SETUP_BODY_SIZE 64 /* at least an encoded mon_state */

/*
 * Both memory.events (v2) and memory.oom_control (v1) have a line
 * "oom_kill N".
 */
static uint32_t
setup_oom_count(const char *text)
{
	const char *p = text;
	uint32_t n = 0;

	while (p != NULL &&
	       strncmp(p, SETUP_OOM_KEY, sizeof(SETUP_OOM_KEY) - 1) != 0) {
		p = strchr(p, '\n');
		p = p == NULL ? NULL : p + 1;
	}
	if (p == NULL)
		return 0;
	for (p += sizeof(SETUP_OOM_KEY) - 1; *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (uint32_t)(*p - '0');
	return n;
}

void
monitor_oom_read(struct monitor *m)
{
	char text[SETUP_OOM_SIZE];
	ssize_t n;

	if (m->oom_fd == -1)
		return;
	n = pread(m->oom_fd, text, sizeof(text) - 1, 0);
	if (n > 0) {
		text[n] = '\0';
		m->oom_seen = setup_oom_count(text);
		return;
	}
	/* systemd removed the cgroup: the last count holds, and a poll of
	 * this descriptor would never wait again. */
	(void)close(m->oom_fd);
	m->oom_fd = -1;
}

/*
 * Before the container runs, so that no kill is missed and the count outlives
 * the cgroup's name.  A host without a memory controller has no such file.
 */
int
monitor_watch_oom(struct monitor *m)
{
	m->oom_fd = open(m->argv[MONITOR_ARG_OOM], O_RDONLY | O_CLOEXEC);
	if (m->oom_fd == -1 && errno != ENOENT)
		return monitor_fail(m, "open");
	return 0;
}

static int
setup_own(int fd, uid_t uid, gid_t gid, mode_t mode)
{
	if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == -1)
		return -1;
	return fchmod(fd, mode);
}

/*
 * Made and filled now, so that a full disk cannot take the record.  The
 * bundle directory is execd's: nothing that execd may have put there is
 * followed or written.
 */
int
monitor_exit_file(struct monitor *m)
{
	uint8_t zero[RECORD_HEADER + SETUP_BODY_SIZE] = { 0 };
	size_t size = RECORD_HEADER + fixed_size(&fixed_desc_mon_state);

	(void)unlinkat(MONITOR_FD_BUNDLE, CTR_EXIT_FILE, 0);
	m->exit_fd = openat(MONITOR_FD_BUNDLE, CTR_EXIT_FILE,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (m->exit_fd == -1)
		return monitor_fail(m, "create");
	if (setup_own(m->exit_fd, 0, m->exec_gid, 0640) == -1 ||
	    pwrite(m->exit_fd, zero, size, 0) != (ssize_t)size)
		return monitor_fail(m, "fill");
	return 0;
}

void
monitor_exit_write(struct monitor *m)
{
	struct fixed_mon_state s = {
		.version = MON_VERSION,
		.state = MON_STATE_EXITED,
		.exit_code = m->exit_code,
		.finished_at = m->finished_at,
		.oom = m->oom_seen > 0,
		.log_lost = m->log_lost,
	};
	uint8_t buf[RECORD_HEADER + SETUP_BODY_SIZE];
	size_t len = fixed_size(&fixed_desc_mon_state);

	fixed_encode(&fixed_desc_mon_state, &s, buf + RECORD_HEADER);
	record_header(buf, m->argv[MONITOR_ARG_CTR], buf + RECORD_HEADER, len);
	/* The bytes are there already: this cannot run out of space. */
	if (failpoint("exit", NULL) == -1 ||
	    pwrite(m->exit_fd, buf, RECORD_HEADER + len, 0) == -1)
		m->log_lost++;
}

/*
 * Only root and execd's account may connect; the peer's credentials are
 * checked as well.  The mode of the socket comes from the descriptor, so it
 * is never wider.
 */
static int
setup_bind(struct monitor *m)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
		.sun_path = "/proc/self/fd/5/" CTR_MONITOR_SOCK };
	int fd;

	(void)unlinkat(MONITOR_FD_BUNDLE, CTR_MONITOR_SOCK, 0);
	if (fchmod(m->listen_fd, 0600) == -1 ||
	    bind(m->listen_fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		return -1;
	fd = openat(MONITOR_FD_BUNDLE, CTR_MONITOR_SOCK,
	    O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 ||
	    fchownat(fd, "", m->exec_uid, m->exec_gid, AT_EMPTY_PATH) == -1)
		return -1;
	(void)close(fd);
	return listen(m->listen_fd, MONITOR_CLIENTS_MAX);
}

int
monitor_listen(struct monitor *m)
{
	m->listen_fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->listen_fd == -1 || setup_bind(m) == -1)
		return monitor_fail(m, CTR_MONITOR_SOCK);
	return 0;
}
