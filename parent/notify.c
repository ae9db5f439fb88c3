#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "parent/notify.h"

static struct {
	struct sockaddr_un sun;
	socklen_t len; /* 0: nobody wants to know */
	int64_t watchdog_ms;
} notify_to;

/* Meant for the process that WATCHDOG_PID says, if it says one. */
static int64_t
notify_watchdog_env(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	int64_t ms = usec == NULL ? 0 : strtoll(usec, NULL, 10) / 1000;

	if (pid != NULL && strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	return ms > 0 ? ms : 0;
}

void
notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path == NULL ? 0 : strlen(path);

	if (len > 1 && len < sizeof(notify_to.sun.sun_path) &&
	    (*path == '/' || *path == '@')) {
		notify_to.sun.sun_family = AF_UNIX;
		memcpy(notify_to.sun.sun_path, path, len);
		/* An abstract name has no end but the address's length. */
		if (*path == '@')
			notify_to.sun.sun_path[0] = '\0';
		notify_to.len =
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	}
	(void)unsetenv("NOTIFY_SOCKET");
	notify_to.watchdog_ms = notify_watchdog_env();
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

static void
notify_send(const char *text)
{
	CLEANUP_FD int fd = -1;

	if (notify_to.len == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 ||
	    sendto(fd, text, strlen(text), MSG_NOSIGNAL,
		(const struct sockaddr *)&notify_to.sun, notify_to.len) == -1)
		log_warn("cannot notify the service manager: %s",
		    strerror(errno));
}

void
notify_ready(void)
{
	notify_send("READY=1\nSTATUS=serving");
}

/* The time stamp is for Type=notify-reload; others ignore it. */
void
notify_reloading(void)
{
	char text[128];
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(text, sizeof(text),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	notify_send(text);
}

void
notify_stopping(void)
{
	notify_send("STOPPING=1");
}

void
notify_watchdog(void)
{
	if (notify_to.watchdog_ms > 0)
		notify_send("WATCHDOG=1");
}

int64_t
notify_watchdog_ms(void)
{
	return notify_to.watchdog_ms;
}
