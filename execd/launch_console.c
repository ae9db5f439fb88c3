#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_console.h"
#include "lib/fdio.h"

/*
 * Both names lead through a descriptor of this job: below STATE they might
 * not fit a sockaddr_un.
 */
int
console_open(struct console *c, const struct launch *l, const char *exec,
    struct cerr *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	c->dir = l->dirs[LAUNCH_DIR_SCRATCH];
	(void)snprintf(c->name, sizeof(c->name), "%s.tt", exec);
	(void)snprintf(c->path, sizeof(c->path), "/proc/%d/fd/%d/%s", getpid(),
	    c->dir, c->name);
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path),
	    "/proc/self/fd/%d/%s", c->dir, c->name);
	c->listen =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listen == -1 ||
	    bind(c->listen, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    listen(c->listen, 1) == -1)
		return cerr_errno(err, "console socket");
	return 0;
}

static int
console_receive(int sock)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	char name[256]; /* what the runtime calls it */
	struct iovec iov = { name, sizeof(name) };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cm;
	int fd = -1;

	if (recvmsg(sock, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) == -1)
		return -1;
	cm = CMSG_FIRSTHDR(&mh);
	if (cm != NULL && cm->cmsg_level == SOL_SOCKET &&
	    cm->cmsg_type == SCM_RIGHTS &&
	    cm->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(cm), sizeof(fd));
	return fd;
}

/*
 * The runtime connected and sent it before it ended: nothing here waits.  It
 * opened it in the container: only a terminal's master is passed on.
 */
int
console_take(const struct console *c, struct cerr *err)
{
	CLEANUP_FD int sock = accept4(c->listen, NULL, NULL, SOCK_CLOEXEC);
	int fd = sock == -1 ? -1 : console_receive(sock);
	unsigned int number;

	if (fd == -1 || ioctl(fd, TIOCGPTN, &number) == -1) {
		fdio_close(&fd);
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime sent no terminal");
	}
	return fd;
}

void
console_close(struct console *c)
{
	if (c->listen == -1)
		return;
	(void)unlinkat(c->dir, c->name, 0);
	fdio_close(&c->listen);
}
