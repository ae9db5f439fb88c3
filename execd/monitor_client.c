/*
 * execd's connections: imsg's framing, but of a few small fixed messages only,
 * so that neither heap nor a 16 KiB buffer is needed.
 */
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr_flags.h"
#include "execd/monitor.h"
#include "imsg/fixed.h"
#include "imsg/msg.h"
#include "imsg/wire.h"
#include "lib/cerr.h"

#define CLIENT_BODY_MAX 64

struct client_msg {
	unsigned int type;
	uint32_t id;
	uint32_t value; /* the one field of its body */
	int fd;		/* -1: none */
};

static void
client_put(uint8_t *p, uint32_t value, size_t width)
{
	for (size_t i = 0; i < width; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t
client_get(const uint8_t *p, size_t width)
{
	uint32_t value = 0;

	for (size_t i = 0; i < width; i++)
		value |= (uint32_t)p[i] << (8 * i);
	return value;
}

static void
client_close(struct monitor *m, size_t i)
{
	(void)close(m->clients[i]);
	m->clients[i] = -1;
}

/* A client that does not read is cut off: the record tells it as well. */
static void
client_send(struct monitor *m, size_t i, enum msg_type type, uint32_t id,
    const void *body, size_t len)
{
	uint8_t header[WIRE_HEADER] = { 0 };
	struct iovec iov[2] = { { header, sizeof(header) } };
	struct msghdr mh;

	client_put(header, type, 2);
	client_put(header + 4, id, 4);
	client_put(header + 12, (uint32_t)len, 4);
	memcpy(&iov[1].iov_base, &body, sizeof(body));
	iov[1].iov_len = len;
	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = iov;
	mh.msg_iovlen = 2;
	if (sendmsg(m->clients[i], &mh, MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		client_close(m, i);
}

void
monitor_client_tell(struct monitor *m, size_t i)
{
	struct fixed_mon_state s = {
		.version = MON_VERSION,
		.state = m->exited ? MON_STATE_EXITED : MON_STATE_ALIVE,
		.exit_code = m->exit_code,
		.finished_at = m->finished_at,
		.oom = m->oom_seen > 0,
		.log_lost = m->log_lost,
	};
	uint8_t buf[CLIENT_BODY_MAX] = { 0 };

	fixed_encode(&fixed_desc_mon_state, &s, buf);
#ifdef CRIOD_NEWER
	/* As if there were one more message, and one more field in this. */
	client_send(m, i, MSG_COUNT + 7, 0, buf, sizeof(buf));
	if (m->clients[i] == -1)
		return;
	client_send(m, i, MSG_MON_STATE, 0, buf,
	    fixed_size(&fixed_desc_mon_state) + 8);
#else
	client_send(m, i, MSG_MON_STATE, 0, buf,
	    fixed_size(&fixed_desc_mon_state));
#endif
}

static bool
client_trusted(const struct monitor *m, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return false;
	return cred.uid == 0 || cred.uid == m->exec_uid;
}

void
monitor_client_accept(struct monitor *m)
{
	int fd =
	    accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd == -1)
		return;
	for (size_t i = 0; i < MONITOR_CLIENTS_MAX; i++) {
		if (m->clients[i] == -1 && client_trusted(m, fd)) {
			m->clients[i] = fd;
			monitor_client_tell(m, i);
			return;
		}
	}
	(void)close(fd);
}

static int
client_take_fd(struct msghdr *mh)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(mh);
	int fd = -1;

	if (cm != NULL && cm->cmsg_level == SOL_SOCKET &&
	    cm->cmsg_type == SCM_RIGHTS &&
	    cm->cmsg_len >= CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(cm), sizeof(fd));
	return fd;
}

/*
 * Room for one descriptor: the kernel drops and tells of any other.  The
 * body of each message taken here begins with one U32, as struct fixed_none;
 * an execd of another version may say more.
 */
static int
client_recv(int sock, struct client_msg *out)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_LEN(sizeof(int))];
	} control;
	uint8_t buf[WIRE_HEADER + CLIENT_BODY_MAX];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr mh;
	ssize_t min = WIRE_HEADER + (ssize_t)fixed_size(&fixed_desc_none);
	ssize_t n;

	memset(&mh, 0, sizeof(mh));
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	mh.msg_control = control.buf;
	mh.msg_controllen = sizeof(control.buf);
	n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	out->fd = client_take_fd(&mh);
	out->type = client_get(buf, 2);
	out->id = client_get(buf + 4, 4);
	out->value = client_get(buf + WIRE_HEADER, 4);
	if ((mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && n >= min &&
	    client_get(buf + 2, 2) == 0 &&
	    client_get(buf + 8, 4) == (out->fd == -1 ? 0U : 1U) &&
	    client_get(buf + 12, 4) == (uint32_t)(n - WIRE_HEADER))
		return 1;
	if (out->fd != -1)
		(void)close(out->fd);
	return -1;
}

static void
client_refuse(struct monitor *m, size_t i, uint32_t id, enum cerr_code code,
    const char *text)
{
	struct fixed_fail f = { .code = code };
	uint8_t buf[sizeof(f)];

	memcpy(f.text, text, strlen(text) + 1);
	fixed_encode(&fixed_desc_fail, &f, buf);
	client_send(m, i, MSG_FAIL, id, buf, fixed_size(&fixed_desc_fail));
}

static void
client_ok(struct monitor *m, size_t i, uint32_t id)
{
	static const uint8_t none[4];

	client_send(m, i, MSG_MON_OK, id, none, sizeof(none));
}

/*
 * Everything read so far went into the old file as whole pieces; the next
 * piece goes into the new one.
 */
static void
client_log(struct monitor *m, size_t i, const struct client_msg *c)
{
	if (!monitor_log_usable(c->fd)) {
		(void)close(c->fd);
		client_refuse(m, i, c->id, CERR_FAILED_PRECONDITION,
		    "not a log file");
		return;
	}
	(void)close(m->log_fd);
	m->log_fd = c->fd;
	client_ok(m, i, c->id);
}

static void
client_attach(struct monitor *m, size_t i, const struct client_msg *c)
{
	const char *why = monitor_attach_add(m, c->fd, c->value);

	if (why == NULL) {
		client_ok(m, i, c->id);
		return;
	}
	(void)close(c->fd);
	client_refuse(m, i, c->id, CERR_FAILED_PRECONDITION, why);
}

/* What this monitor cannot do it says; it may be older than who asks. */
static void
client_other(struct monitor *m, size_t i, const struct client_msg *c)
{
	if (c->type == MSG_MON_LOG || c->type == MSG_MON_ATTACH ||
	    (c->type == MSG_MON_QUIT && (c->fd != -1 || c->id == 0)))
		client_close(m, i);
	else if (c->type == MSG_MON_QUIT)
		client_refuse(m, i, c->id, CERR_FAILED_PRECONDITION,
		    "the container has not ended");
	else if (c->id != 0)
		client_refuse(m, i, c->id, CERR_UNIMPLEMENTED,
		    "this monitor does not know that");
}

void
monitor_client_read(struct monitor *m, size_t i)
{
	struct client_msg c = { .fd = -1 };
	int got = client_recv(m->clients[i], &c);

	if (got == 0)
		return;
	if (got == -1) {
		client_close(m, i);
		return;
	}
	if (c.type == MSG_MON_LOG && c.fd != -1 && c.id != 0) {
		client_log(m, i, &c);
		return;
	}
	if (c.type == MSG_MON_ATTACH && c.fd != -1 && c.id != 0) {
		client_attach(m, i, &c);
		return;
	}
	if (c.fd != -1)
		(void)close(c.fd);
	client_other(m, i, &c);
}
