#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_pause.h"
#include "execd/launch_run.h"
#include "execd/launch_userns.h"
#include "execd/pod_ns.h"
#include "lib/fdio.h"
#include "lib/id.h"

#define USERNS_PROBE_IDS 65536

/* ---- the pod's ---- */

static void
userns_child(const struct launch *l, const struct launch_op *op, int null,
    int sock)
{
	const struct fixed_pod_make *m = op->body;
	struct cerr err = { .code = CERR_INTERNAL };
	struct pollfd p = { sock, 0, 0 };
	char go;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&p, 1, 0) != 0 || read(sock, &go, 1) != 1)
		_exit(1);
	(void)setsid();
	if (setgroups(0, NULL) == -1 || setresgid(0, 0, 0) == -1 ||
	    setresuid(0, 0, 0) == -1)
		(void)cerr_errno(&err, "root of the user namespace");
	else if (launch_pod_settle(l, op, &err) == 0)
		err.text[0] = '\0';
	if (err.text[0] != '\0') {
		(void)send(sock, err.text, strlen(err.text), MSG_NOSIGNAL);
		_exit(1);
	}
	/* A change of ids took the death signal away. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if ((m->flags & POD_NS_PID) != 0)
		launch_pause_exec(l, m->label, null, sock);
	_exit(send(sock, "", 1, MSG_NOSIGNAL) == 1 && read(sock, &go, 1) == 0
		  ? 0
		  : 1);
}

static int
userns_map(pid_t pid, const char *name, uint32_t first, uint32_t count,
    struct cerr *err)
{
	char path[40], line[48];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	(void)snprintf(line, sizeof(line), "0 %" PRIu32 " %" PRIu32 "\n", first,
	    count);
	return launch_write_file(AT_FDCWD, path, line) == -1
		   ? cerr_errno(err, "%s of the pod's user namespace", name)
		   : 0;
}

/* What it cannot do for itself, being nobody out here. */
static int
userns_admit(const struct launch *l, const struct fixed_pod_make *m,
    const char *cgroup, pid_t pid, struct cerr *err)
{
	if (userns_map(pid, "uid_map", m->uid, m->uid_count, err) == -1 ||
	    userns_map(pid, "gid_map", m->gid, m->gid_count, err) == -1)
		return -1;
	if ((m->flags & POD_NS_PID) == 0 || cgroup[0] == '\0')
		return 0;
	return cgroup_join(&l->cgroups, cgroup, pid, true, err);
}

static unsigned long
userns_flags(unsigned int flags)
{
	return (unsigned long)(CLONE_NEWUSER | SIGCHLD) |
	       (flags & POD_NS_NET ? CLONE_NEWNET : 0U) |
	       (flags & POD_NS_IPC ? CLONE_NEWIPC : 0U) |
	       (flags & POD_NS_UTS ? CLONE_NEWUTS : 0U) |
	       (flags & POD_NS_PID ? CLONE_NEWPID : 0U);
}

pid_t
launch_userns_start(const struct launch *l, const struct launch_op *op,
    const char *cgroup, int *go, struct cerr *err)
{
	const struct fixed_pod_make *m = op->body;
	/* Nobody makes devices in a user namespace. */
	CLEANUP_FD int null = run_null(l);
	int pair[2];
	pid_t pid;

	if (null == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return cerr_errno(err, "user namespace");
	*go = pair[0];
	pid = (pid_t)syscall(SYS_clone, userns_flags(m->flags), 0, 0, 0, 0);
	if (pid == 0) {
		fdio_close(&pair[0]);
		userns_child(l, op, null, pair[1]);
	}
	fdio_close(&pair[1]);
	if (pid == -1)
		return cerr_errno(err, "namespaces of the pod");
	if (userns_admit(l, m, cgroup, pid, err) == -1)
		return launch_pause_end(pid);
	if (launch_pause_go(*go, err) == -1)
		return launch_pause_end(pid);
	return launch_pause_hear(pid, *go, err);
}

int
launch_userns_open(const struct launch *l, const char *pod, struct userns *out,
    struct cerr *err)
{
	struct fixed_launch_rec r;
	char name[ID_SIZE + 8], path[LAUNCH_PATH_MAX];

	*out = (struct userns){ .fd = -1 };
	if (pod[0] == '\0')
		return 0;
	if (launch_check_id("pod", pod, err) == -1)
		return -1;
	(void)snprintf(name, sizeof(name), "@%s", pod);
	if (launch_record_read(l, name, &r, err) == -1)
		return -1;
	(void)snprintf(name, sizeof(name), "%s/user", pod);
	if (launch_state_path(l, path, sizeof(path), "ns", name) == NULL)
		return cerr_set(err, CERR_INTERNAL, "state path too long");
	out->fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	out->uid = r.uid;
	out->gid = r.gid;
	return out->fd == -1 ? cerr_errno(err, "user namespace of the pod") : 0;
}

/* ---- mounts ---- */

int
launch_userns_clone(int dirfd, const char *path, int userns)
{
	struct mount_attr map = { .attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (unsigned int)userns };
	int fd = (int)syscall(SYS_open_tree, dirfd, path,
	    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE |
		(path[0] == '\0' ? AT_EMPTY_PATH : 0));

	if (fd == -1 || userns == -1)
		return fd;
	/*
	 * All of it, or, where a file system further down cannot be shown so,
	 * that one as it is: to the pod, its files are nobody's.
	 */
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
		&map, sizeof(map)) == -1 &&
	    syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &map,
		sizeof(map)) == -1)
		fdio_close(&fd);
	return fd;
}

/* ---- does it work here? ---- */

static int
userns_probe_fd(pid_t pid)
{
	struct cerr err;
	char path[40];

	if (userns_map(pid, "uid_map", USERNS_PROBE_IDS, USERNS_PROBE_IDS,
		&err) == -1 ||
	    userns_map(pid, "gid_map", USERNS_PROBE_IDS, USERNS_PROBE_IDS,
		&err) == -1)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

bool
launch_userns_usable(const struct launch *l)
{
	CLEANUP_FD int userns = -1;
	CLEANUP_FD int tree = -1;
	pid_t pid = (pid_t)syscall(SYS_clone,
	    (unsigned long)(CLONE_NEWUSER | SIGCHLD), 0, 0, 0, 0);

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)pause();
		_exit(0);
	}
	if (pid == -1)
		return false;
	userns = userns_probe_fd(pid);
	if (userns != -1)
		tree =
		    launch_userns_clone(l->dirs[LAUNCH_DIR_LAYER], "", userns);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return tree != -1;
}
