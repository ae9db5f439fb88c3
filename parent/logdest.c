#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "parent/conf.h"
#include "parent/dirs.h"
#include "parent/logdest.h"

#define LOGDEST_SYSLOG "/dev/log"

/* What descriptor 2 was at first, for a return to stderr. */
static int logdest_stderr = -1;

unsigned int
logdest_level(const struct conf *c, bool debug)
{
	return debug ? LOG_LVL_DEBUG : c->log_level;
}

unsigned int
logdest_format(const struct conf *c, bool debug)
{
	if (c->log_to == CONF_LOG_SYSLOG && !debug)
		return LOG_FMT_SYSLOG;
	return c->log_json ? LOG_FMT_JSON : LOG_FMT_TEXT;
}

static int
logdest_open_syslog(struct cerr *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
		.sun_path = LOGDEST_SYSLOG };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return cerr_errno(err, "socket");
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == -1) {
		(void)cerr_errno(err, "log to syslog: " LOGDEST_SYSLOG);
		fdio_close(&fd);
	}
	return fd;
}

static int
logdest_open_file(const char *path, struct cerr *err)
{
	struct stat st;
	int fd;

	if (dirs_make_above(path, err) == -1)
		return -1;
	fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
		O_CLOEXEC,
	    0600);
	if (fd == -1)
		return cerr_errno(err, "log to %s", path);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		fdio_close(&fd);
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "log to %s: not a regular file", path);
	}
	return fd;
}

int
logdest_open(const struct conf *c, bool debug, struct cerr *err)
{
	int fd;

	if (logdest_stderr == -1)
		logdest_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (c->log_to == CONF_LOG_SYSLOG && !debug)
		return logdest_open_syslog(err);
	if (c->log_to == CONF_LOG_FILE && !debug)
		return logdest_open_file(c->log_file, err);
	fd = fcntl(logdest_stderr, F_DUPFD_CLOEXEC, 3);
	return fd == -1 ? cerr_errno(err, "log to stderr") : fd;
}

/*
 * Two datagram sockets to /dev/log are as good as each other; the journal's
 * stream, which stderr may be, is something else.
 */
static bool
logdest_same(int a, int b)
{
	struct stat sa, sb;
	int ta = 0, tb = 0;
	socklen_t len = sizeof(ta);

	if (getsockopt(a, SOL_SOCKET, SO_TYPE, &ta, &len) == 0 &&
	    getsockopt(b, SOL_SOCKET, SO_TYPE, &tb, &len) == 0 &&
	    ta == SOCK_DGRAM && tb == SOCK_DGRAM)
		return true;
	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

bool
logdest_use(int fd)
{
	bool changed = !logdest_same(fd, STDERR_FILENO);

	if (changed)
		(void)dup2(fd, STDERR_FILENO);
	fdio_close(&fd);
	return changed;
}
