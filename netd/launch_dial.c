#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include <event2/event.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/fixed.h"
#include "lib/capdrop.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "lib/sigreset.h"
#include "netd/launch_dial.h"
#include "netd/launch_netns.h"

#define DIAL_SPARE_MS 1000 /* for the child, beyond its own deadline */
#define DIAL_CHILD_FD 3	   /* where it answers */

/* What the child says; the socket, if there is one, goes with it. */
struct dial_result {
	int error4, error6; /* errno of each attempt; 0: it is connected */
	int error;	    /* of what came before these */
};

struct launch_dial {
	LIST_ENTRY(launch_dial) entry;
	struct launch_dials *dials;
	struct link_call *call;
	uint32_t port;
	pid_t pid;
	int pidfd, sock;
	struct event *ended, *timer;
	bool late;
};

struct launch_dials {
	struct event_base *base;
	const char *netns_dir;
	int own_netns;
	LIST_HEAD(, launch_dial) running;
	size_t nrunning;
};

struct launch_dials *
launch_dials_new(struct event_base *base, const char *netns_dir, int own_netns)
{
	struct launch_dials *dials = calloc(1, sizeof(*dials));

	if (dials == NULL)
		fatal("calloc");
	dials->base = base;
	dials->netns_dir = netns_dir;
	dials->own_netns = own_netns;
	LIST_INIT(&dials->running);
	return dials;
}

static void
dial_free(struct launch_dial *d)
{
	LIST_REMOVE(d, entry);
	d->dials->nrunning--;
	if (d->ended != NULL)
		event_free(d->ended);
	if (d->timer != NULL)
		event_free(d->timer);
	fdio_close(&d->pidfd);
	fdio_close(&d->sock);
	free(d);
}

static void
dial_refuse(struct launch_dial *d, const struct cerr *err)
{
	link_refuse(d->call, err);
	dial_free(d);
}

/* ---- in the child ---- */

static int
dial_wait(int sock, struct mono deadline)
{
	struct pollfd p = { sock, POLLOUT, 0 };
	socklen_t len = sizeof(int);
	int error = 0, n;

	do
		n = poll(&p, 1, (int)mono_left_ms(deadline));
	while (n == -1 && errno == EINTR);
	if (n == 0)
		return ETIMEDOUT;
	if (n == -1 ||
	    getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return errno;
	return error;
}

/* 0 and *sock, or errno. */
static int
dial_connect(const void *address, socklen_t len, sa_family_t family, int64_t ms,
    int *sock)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0;

	if (fd == -1)
		return errno;
	if (connect(fd, address, len) == -1)
		error = errno;
	if (error == EINPROGRESS)
		error = dial_wait(fd, mono_after_ms(ms));
	if (error == 0)
		*sock = fd;
	else
		fdio_close(&fd);
	return error;
}

static int
dial_loopback(uint16_t port, int64_t ms, struct dial_result *r)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int sock = -1;

	r->error4 = dial_connect(&in4, sizeof(in4), AF_INET, ms / 2, &sock);
	if (r->error4 != 0)
		r->error6 =
		    dial_connect(&in6, sizeof(in6), AF_INET6, ms / 2, &sock);
	return sock;
}

static void
dial_tell(const struct dial_result *r, int sock)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_len = sizeof(*r) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	memcpy(&iov.iov_base, &r, sizeof(r));
	if (sock != -1) {
		mh.msg_control = control.buf;
		mh.msg_controllen = sizeof(control.buf);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &sock, sizeof(sock));
	}
	(void)sendmsg(DIAL_CHILD_FD, &mh, MSG_NOSIGNAL);
}

/* Nothing of the launcher's is open, nor may anything be done with it. */
static int
dial_settle(int netns, int answer, pid_t parent)
{
	if (sigreset() == -1 || prctl(PR_SET_PDEATHSIG, (long)SIGKILL) == -1)
		return -1;
	if (getppid() != parent)
		_exit(1);
	if (netns != -1 && setns(netns, CLONE_NEWNET) == -1)
		return -1;
	if (answer != DIAL_CHILD_FD && dup2(answer, DIAL_CHILD_FD) == -1)
		return -1;
	if (close_range(DIAL_CHILD_FD + 1, ~0U, 0) == -1)
		return -1;
	return capdrop_keep(0, NULL);
}

static void __attribute__((noreturn))
dial_child(const struct fixed_dial *r, int netns, int answer, pid_t parent)
{
	struct dial_result result = { 0 };
	int sock = -1;

	if (dial_settle(netns, answer, parent) == -1)
		result.error = errno != 0 ? errno : EPERM;
	else
		sock = dial_loopback((uint16_t)r->port, (int64_t)r->timeout_ms,
		    &result);
	dial_tell(&result, sock);
	_exit(0);
}

/* ---- in the launcher ---- */

/* Room for one descriptor; the kernel drops any other.  -1: no answer. */
static int
dial_hear(int from, struct dial_result *r, int *sock)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { r, sizeof(*r) };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cm;

	*sock = -1;
	if (recvmsg(from, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != sizeof(*r))
		return -1;
	cm = CMSG_FIRSTHDR(&mh);
	if (cm != NULL && cm->cmsg_type == SCM_RIGHTS &&
	    cm->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(sock, CMSG_DATA(cm), sizeof(int));
	return 0;
}

static void
dial_why(const struct launch_dial *d, const struct dial_result *r,
    struct cerr *err)
{
	if (r->error != 0) {
		errno = r->error;
		(void)cerr_errno(err, "port %u: enter the network namespace",
		    d->port);
		return;
	}
	(void)cerr_set(err, CERR_UNAVAILABLE, "port %u: 127.0.0.1: %s; ::1: %s",
	    d->port, strerrordesc_np(r->error4), strerrordesc_np(r->error6));
}

static void
dial_ended(evutil_socket_t fd, short what, void *arg)
{
	struct launch_dial *d = arg;
	struct dial_result r;
	struct fixed_none none = { 0 };
	struct cerr err;
	int sock;

	(void)fd;
	(void)what;
	if (waitpid(d->pid, NULL, WNOHANG) != d->pid)
		return;
	if (dial_hear(d->sock, &r, &sock) == -1) {
		(void)cerr_set(&err,
		    d->late ? CERR_DEADLINE_EXCEEDED : CERR_INTERNAL,
		    "port %u: no answer", d->port);
		dial_refuse(d, &err);
	} else if (sock == -1) {
		dial_why(d, &r, &err);
		dial_refuse(d, &err);
	} else {
		link_reply(d->call, MSG_DIALLED, &none, &sock, 1);
		dial_free(d);
	}
}

/* Not reaped yet, so the number is still the child's. */
static void
dial_kill(void *arg)
{
	struct launch_dial *d = arg;

	(void)kill(d->pid, SIGKILL);
}

static void
dial_late(evutil_socket_t fd, short what, void *arg)
{
	struct launch_dial *d = arg;

	(void)fd;
	(void)what;
	d->late = true;
	dial_kill(d);
}

static int
dial_check(const struct launch_dials *dials, const struct fixed_dial *r,
    struct cerr *err)
{
	const char *wrong = NULL;

	if (!id_valid(r->pod))
		wrong = "pod";
	else if (r->host > 1)
		wrong = "host";
	else if (r->port < 1 || r->port > UINT16_MAX)
		wrong = "port";
	else if (r->timeout_ms < 1 || r->timeout_ms > LAUNCH_DIAL_MS_MAX)
		wrong = "timeout";
	if (wrong != NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s not allowed to a dial", wrong);
	if (dials->nrunning > LAUNCH_DIALS_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "too many connections are being made");
	return 0;
}

static void
dial_watch(struct launch_dial *d, uint64_t timeout_ms)
{
	struct timeval tv =
	    mono_timeval(mono_after_ms((int64_t)timeout_ms + DIAL_SPARE_MS));

	d->ended = event_new(d->dials->base, d->pidfd, EV_READ | EV_PERSIST,
	    dial_ended, d);
	d->timer = evtimer_new(d->dials->base, dial_late, d);
	if (d->ended == NULL || d->timer == NULL ||
	    event_add(d->ended, NULL) == -1 || evtimer_add(d->timer, &tv) == -1)
		fatalx("event_new");
	link_call_on_cancel(d->call, dial_kill, d);
}

static int
dial_spawn(struct launch_dial *d, const struct fixed_dial *r, int netns,
    struct cerr *err)
{
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return cerr_errno(err, "socketpair");
	d->sock = pair[0];
	d->pid = fork();
	if (d->pid == 0)
		dial_child(r, netns, pair[1], parent);
	fdio_close(&pair[1]);
	if (d->pid == -1)
		return cerr_errno(err, "fork");
	d->pidfd = pidfd_open(d->pid, 0);
	if (d->pidfd == -1)
		fatal("pidfd_open");
	dial_watch(d, r->timeout_ms);
	return 0;
}

static int
dial_begin(struct launch_dial *d, const struct fixed_dial *r, struct cerr *err)
{
	CLEANUP_FD int netns = -1;
	char path[PATH_MAX];

	if (dial_check(d->dials, r, err) == -1)
		return -1;
	d->port = r->port;
	if (r->host == 0) {
		(void)snprintf(path, sizeof(path), "%s/%s/net",
		    d->dials->netns_dir, r->pod);
		netns = launch_netns_open(path, d->dials->own_netns, err);
		if (netns == -1)
			return -1;
	}
	return dial_spawn(d, r, netns, err);
}

void
launch_dial_start(struct launch_dials *dials, struct link_call *call,
    struct link_msg *m)
{
	struct launch_dial *d = calloc(1, sizeof(*d));
	struct cerr err;

	if (d == NULL)
		fatal("calloc");
	d->dials = dials;
	d->call = call;
	d->pidfd = d->sock = -1;
	LIST_INSERT_HEAD(&dials->running, d, entry);
	dials->nrunning++;
	if (dial_begin(d, m->body, &err) == -1)
		dial_refuse(d, &err);
}

void
launch_dials_free(struct launch_dials *dials)
{
	struct launch_dial *d;

	while ((d = LIST_FIRST(&dials->running)) != NULL) {
		dial_kill(d);
		(void)waitpid(d->pid, NULL, 0);
		dial_free(d);
	}
	free(dials);
}
