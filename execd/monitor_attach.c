/*
 * Clients attached to the container's streams: packets of enum attach_packet,
 * each way, over sockets that execd passed.  What a client does never holds up
 * the log or the container: one that does not read is cut off, and one packet
 * of standard input waits at most.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr_flags.h"
#include "execd/monitor.h"

#define ATTACH_SMALL 8 /* a packet of who may send none but a resize */

static const char *const attach_no_socket = "not a socket, or no stream";
static const char *const attach_full = "too many clients are attached";

static bool
attach_blocked(const struct monitor *m)
{
	return m->in_len > 0;
}

static void
attach_close_stdin(struct monitor *m)
{
	if (m->stdin_fd != -1)
		(void)close(m->stdin_fd);
	m->stdin_fd = -1;
	m->in_len = 0;
}

/* No more input from this client; what it sent is still written. */
static void
attach_end_stdin(struct monitor *m, struct monitor_attach *a)
{
	if ((a->streams & ATTACH_STDIN) == 0)
		return;
	a->streams &= ~ATTACH_STDIN;
	if ((m->flags & CTR_FLAG_STDIN_ONCE) == 0)
		return;
	m->in_last = true;
	if (!attach_blocked(m))
		attach_close_stdin(m);
}

static void
attach_drop(struct monitor *m, struct monitor_attach *a)
{
	attach_end_stdin(m, a);
	(void)close(a->fd);
	a->fd = -1;
	a->streams = 0;
}

const char *
monitor_attach_add(struct monitor *m, int fd, uint32_t streams)
{
	struct stat st;

	if (fstat(fd, &st) == -1 || !S_ISSOCK(st.st_mode) || streams == 0 ||
	    streams > (ATTACH_STDIN | ATTACH_STDOUT | ATTACH_STDERR))
		return attach_no_socket;
	for (size_t i = 0; i < MONITOR_ATTACH_MAX; i++) {
		if (m->attach[i].fd != -1)
			continue;
		m->attach[i].fd = fd;
		m->attach[i].streams = streams;
		return NULL;
	}
	return attach_full;
}

/* ---- output ---- */

static int
attach_send(int fd, uint8_t type, const uint8_t *data, size_t len)
{
	struct iovec iov[2] = { { &type, 1 } };
	struct msghdr mh;

	memcpy(&iov[1].iov_base, &data, sizeof(data));
	iov[1].iov_len = len;
	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = iov;
	mh.msg_iovlen = 2;
	return sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) == -1 ? -1 : 0;
}

/*
 * A client whose socket is full would find a hole in what it reads: it is cut
 * off instead.  One that is gone may have left input to be read.
 */
void
monitor_attach_output(struct monitor *m, const struct monitor_stream *s,
    const uint8_t *data, size_t len)
{
	uint32_t bit = s == &m->out ? ATTACH_STDOUT : ATTACH_STDERR;
	uint8_t type =
	    s == &m->out ? ATTACH_PACKET_STDOUT : ATTACH_PACKET_STDERR;

	for (size_t i = 0; i < MONITOR_ATTACH_MAX; i++) {
		struct monitor_attach *a = &m->attach[i];

		if ((a->streams & bit) == 0 ||
		    attach_send(a->fd, type, data, len) == 0)
			continue;
		if (errno == EPIPE || errno == ECONNRESET)
			a->streams &= ~(ATTACH_STDOUT | ATTACH_STDERR);
		else
			attach_drop(m, a);
	}
}

/* ---- input ---- */

void
monitor_attach_write(struct monitor *m)
{
	ssize_t n = 0;

	if (m->stdin_fd == -1)
		m->in_len = 0;
	if (m->in_len > 0)
		n = write(m->stdin_fd, m->in_buf + m->in_at, m->in_len);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		attach_close_stdin(m);
		return;
	}
	if (n > 0) {
		m->in_at += (size_t)n;
		m->in_len -= (size_t)n;
	}
	if (m->in_last && !attach_blocked(m))
		attach_close_stdin(m);
}

static void
attach_resize(struct monitor *m, const uint8_t *p)
{
	struct winsize ws = {
		.ws_col = (unsigned short)(p[0] | p[1] << 8),
		.ws_row = (unsigned short)(p[2] | p[3] << 8),
	};

	if ((m->flags & CTR_FLAG_TTY) != 0 && m->out.fd != -1)
		(void)ioctl(m->out.fd, TIOCSWINSZ, &ws);
}

/* False: the client broke the rules. */
static bool
attach_packet(struct monitor *m, struct monitor_attach *a, const uint8_t *p,
    size_t n)
{
	if (p[0] == ATTACH_PACKET_RESIZE && n == 5) {
		attach_resize(m, p + 1);
		return true;
	}
	if ((a->streams & ATTACH_STDIN) == 0)
		return false;
	if (p[0] == ATTACH_PACKET_END && n == 1) {
		attach_end_stdin(m, a);
		return true;
	}
	if (p[0] != ATTACH_PACKET_STDIN)
		return false;
	m->in_at = 1;
	m->in_len = n - 1;
	monitor_attach_write(m);
	return true;
}

void
monitor_attach_read(struct monitor *m, size_t i)
{
	struct monitor_attach *a = &m->attach[i];
	bool big = (a->streams & ATTACH_STDIN) != 0;
	uint8_t small[ATTACH_SMALL];
	struct iovec iov = { big ? m->in_buf : small,
		big ? sizeof(m->in_buf) : sizeof(small) };
	struct msghdr mh;
	ssize_t n;

	/* Asked for its end only. */
	if (big && attach_blocked(m)) {
		attach_drop(m, a);
		return;
	}
	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	n = recvmsg(a->fd, &mh, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    !attach_packet(m, a, iov.iov_base, (size_t)n))
		attach_drop(m, a);
}

/*
 * While input waits to be written, those who may send more are not read: only
 * that they are gone is of interest then.
 */
void
monitor_attach_fill(const struct monitor *m, struct pollfd *in,
    struct pollfd *clients)
{
	bool blocked = attach_blocked(m);

	*in = (struct pollfd){ blocked ? m->stdin_fd : -1, POLLOUT, 0 };
	for (size_t i = 0; i < MONITOR_ATTACH_MAX; i++) {
		const struct monitor_attach *a = &m->attach[i];
		bool wait = blocked && (a->streams & ATTACH_STDIN) != 0;

		clients[i] =
		    (struct pollfd){ a->fd, (short)(wait ? 0 : POLLIN), 0 };
	}
}
