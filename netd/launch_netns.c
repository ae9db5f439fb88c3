#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/nsfs.h>
#include <net/if.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "netd/launch_netns.h"

int
launch_netns_open(const char *path, int own, struct cerr *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st, host;

	if (fd == -1 && errno != ENOENT)
		return cerr_errno(err, "%s", path);
	if (fd == -1 || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		fdio_close(&fd);
		return cerr_set(err, CERR_NOT_FOUND,
		    "the pod's network namespace is gone");
	}
	if (fstat(fd, &st) == -1 || fstat(own, &host) == -1 ||
	    (st.st_dev == host.st_dev && st.st_ino == host.st_ino)) {
		fdio_close(&fd);
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "the pod's network namespace is the host's");
	}
	return fd;
}

/* Kernels without IPv6 have no such file and need none. */
static int
launch_netns_refuse_ra(const char *path)
{
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	return write(fd, "0", 1) == 1 ? 0 : -1;
}

static int
launch_netns_lo_up(void)
{
	CLEANUP_FD int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, "lo", 3);
	if (sock == -1 || ioctl(sock, SIOCGIFFLAGS, &ifr) == -1)
		return -1;
	ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP);
	return ioctl(sock, SIOCSIFFLAGS, &ifr);
}

int
launch_netns_prepare(int netns, int own)
{
	if (setns(netns, CLONE_NEWNET) == -1)
		return -1;
	if (launch_netns_refuse_ra("/proc/sys/net/ipv6/conf/all/accept_ra") ==
		-1 ||
	    launch_netns_refuse_ra(
		"/proc/sys/net/ipv6/conf/default/accept_ra") == -1 ||
	    launch_netns_lo_up() == -1)
		return -1;
	return setns(own, CLONE_NEWNET);
}
