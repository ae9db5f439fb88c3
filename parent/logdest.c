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
logdest_open_syslog(const char *what, struct cerr *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
		.sun_path = LOGDEST_SYSLOG };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return cerr_errno(err, "socket");
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == -1) {
		(void)cerr_errno(err, "%s syslog: " LOGDEST_SYSLOG, what);
		fdio_close(&fd);
	}
	return fd;
}

static int
logdest_open_file(const char *what, const char *path, struct cerr *err)
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
		return cerr_errno(err, "%s %s", what, path);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		fdio_close(&fd);
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s %s: not a regular file", what, path);
	}
	return fd;
}

static int
logdest_open_one(const char *what, enum conf_log to, const char *file,
    struct cerr *err)
{
	int fd;

	if (logdest_stderr == -1)
		logdest_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (to == CONF_LOG_SYSLOG)
		return logdest_open_syslog(what, err);
	if (to == CONF_LOG_FILE)
		return logdest_open_file(what, file, err);
	fd = fcntl(logdest_stderr, F_DUPFD_CLOEXEC, 3);
	return fd == -1 ? cerr_errno(err, "%s stderr", what) : fd;
}

int
logdest_open(const struct conf *c, bool debug, struct cerr *err)
{
	return logdest_open_one("log to", debug ? CONF_LOG_STDERR : c->log_to,
	    c->log_file, err);
}

int
logdest_open_audit(const struct conf *c, struct cerr *err)
{
	return logdest_open_one("audit log", c->audit_to, c->audit_file, err);
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
