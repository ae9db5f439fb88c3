/* A pod's namespaces and files. */
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <net/if.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "execd/launch_label.h"
#include "execd/launch_pause.h"
#include "execd/launch_proc.h"
#include "execd/launch_shim.h"
#include "execd/launch_sysctl.h"
#include "execd/launch_userns.h"
#include "execd/pod_ns.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/log.h"

#define POD_FILE_MAX	 (1024U * 1024)
#define POD_PAUSE_MS	 5000
#define POD_UMOUNT_TRIES 8

static const struct {
	unsigned int flag;
	int clone;
	const char *pin;
} pod_spaces[] = {
	{ POD_NS_NET, CLONE_NEWNET, "net" },
	{ POD_NS_IPC, CLONE_NEWIPC, "ipc" },
	{ POD_NS_UTS, CLONE_NEWUTS, "uts" },
	/* Made by pause's start, pinned then. */
	{ POD_NS_PID, 0, "pid" },
	{ POD_NS_USER, 0, "user" },
};

#define POD_NSPACES (sizeof(pod_spaces) / sizeof(pod_spaces[0]))

static const struct {
	const char *name, *host; /* the host's file, copied if none is given */
} pod_files[] = {
	{ "resolv.conf", "/etc/resolv.conf" },
	{ "hostname", "/etc/hostname" },
	{ "hosts", "/etc/hosts" },
};

_Static_assert(sizeof(pod_files) / sizeof(pod_files[0]) == POD_FILES, "files");

static void
pod_record_name(char buf[ID_SIZE + 1], const char *pod)
{
	(void)snprintf(buf, ID_SIZE + 1, "@%s", pod);
}

/*
 * By descriptor: nothing else can be there, whatever the path says then.
 * pid 0: this process's, whose PID namespace is its children's.
 */
static int
pod_pin(int nsdir, size_t i, pid_t pid, struct cerr *err)
{
	const char *pin = pod_spaces[i].pin;
	char target[40], link[40];
	CLEANUP_FD int fd =
	    openat(nsdir, pin, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);

	if (fd == -1)
		return cerr_errno(err, "pin %s", pin);
	(void)snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
	(void)snprintf(link, sizeof(link), "/proc/%d/ns/%s%s",
	    pid == 0 ? getpid() : pid, pin,
	    pid == 0 && pod_spaces[i].flag == POD_NS_PID ? "_for_children"
							 : "");
	if (mount(link, target, NULL, MS_BIND, NULL) == -1)
		return cerr_errno(err, "pin %s", pin);
	return 0;
}

static int
pod_pins(int nsdir, unsigned int flags, pid_t pid, struct cerr *err)
{
	for (size_t i = 0; i < POD_NSPACES; i++) {
		if ((flags & pod_spaces[i].flag) != 0 &&
		    pod_pin(nsdir, i, pid, err) == -1)
			return -1;
	}
	return 0;
}

static int
pod_loopback(struct cerr *err)
{
	CLEANUP_FD int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, "lo", 3);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (sock == -1 || ioctl(sock, SIOCSIFFLAGS, &ifr) == -1)
		return cerr_errno(err, "loopback interface");
	return 0;
}

int
launch_pod_settle(const struct launch *l, const struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_pod_make *m = op->body;

	if ((m->flags & POD_NS_UTS) != 0 && m->hostname[0] != '\0' &&
	    sethostname(m->hostname, strlen(m->hostname)) == -1)
		return cerr_errno(err, "hostname");
	if ((m->flags & POD_NS_NET) != 0 && pod_loopback(err) == -1)
		return -1;
	if (op->nsysctls > SYSCTL_PER_POD_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "too many sysctls");
	for (size_t i = 0; i < op->nsysctls; i++) {
		if (launch_sysctl_apply(l->dirs[LAUNCH_DIR_SYS],
			&op->sysctls[i], m->flags, err) == -1)
			return -1;
	}
	return 0;
}

/* This process enters them; it ends with the operation. */
static int
pod_unshare(const struct launch *l, const struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_pod_make *m = op->body;
	int clone = 0;

	for (size_t i = 0; i < POD_NSPACES; i++)
		clone |=
		    m->flags & pod_spaces[i].flag ? pod_spaces[i].clone : 0;
	if (clone != 0 && unshare(clone) == -1)
		return cerr_errno(err, "namespaces of the pod");
	return launch_pod_settle(l, op, err);
}

static int
pod_shm(int poddir, const struct fixed_pod_make *m, struct cerr *err)
{
	CLEANUP_FD int fd = -1;
	char target[40], context[LABEL_MAX + 32], options[LABEL_MAX + 128];

	if (m->shm_size == 0)
		return 0;
	fd = launch_make_dir(poddir, "shm", 0700);
	if (fd == -1)
		return cerr_errno(err, "/dev/shm");
	(void)snprintf(target, sizeof(target), "/proc/self/fd/%d", fd);
	(void)snprintf(options, sizeof(options),
	    "mode=1777,uid=%" PRIu32 ",gid=%" PRIu32 ",size=%" PRIu64 "%s",
	    m->uid, m->gid, m->shm_size, label_option(m->label, context));
	if (mount("shm", target, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC,
		options) == -1)
		return cerr_errno(err, "/dev/shm");
	return 0;
}

static int
pod_have_pause(struct fixed_launch_rec *r, pid_t pid, struct cerr *err)
{
	struct proc_stat st;

	if (pid == -1)
		return -1;
	if (proc_stat_read(pid, &st) == -1)
		return cerr_set(err, CERR_INTERNAL, "pause is gone");
	r->pid = (uint32_t)pid;
	r->start_time = st.start_time;
	return 0;
}

/* None of them is root's, or stands for "no id". */
static bool
pod_ids_valid(uint32_t first, uint32_t count)
{
	return first > 0 && count > 0 && count < UINT32_MAX - first;
}

static int
pod_check(const struct fixed_pod_make *m, struct cerr *err)
{
	if (launch_check_id("pod", m->pod, err) == -1)
		return -1;
	if ((m->flags & POD_NS_USER) != 0
		? !pod_ids_valid(m->uid, m->uid_count) ||
		      !pod_ids_valid(m->gid, m->gid_count)
		: (m->uid | m->gid) != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "ids of the pod's user namespace");
	if ((m->flags & ~POD_NS_ALL) != 0 ||
	    (m->cgroup[0] != '\0' && !cgroup_path_valid(m->cgroup)))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "namespaces or cgroup of the pod are malformed");
	if (label_check_files(m->label, err) == -1)
		return -1;
	return 0;
}

static int
pod_file_write(int poddir, const char *name, const void *buf, size_t len,
    const struct fixed_pod_make *m)
{
	CLEANUP_FD int fd = openat(poddir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	/* Where it is not mounted read-only, the pod's root may write it. */
	if (fd == -1 || fdio_write_all(fd, buf, len) == -1 ||
	    fchown(fd, m->uid, m->gid) == -1 ||
	    (m->label[0] != '\0' && fsetxattr(fd, "security.selinux", m->label,
					strlen(m->label) + 1, 0) == -1))
		return -1;
	return fchmod(fd, 0644);
}

/* The given contents; without any, the host's own file, if it has it. */
static int
pod_file_text(int given, const char *host, uint8_t **buf, size_t *len)
{
	ssize_t n;

	if (fdio_memfd_read(given, POD_FILE_MAX, buf, len) == -1)
		return -1;
	if (*len > 0)
		return 0;
	free(*buf);
	*buf = malloc(POD_FILE_MAX);
	if (*buf == NULL)
		return -1;
	n = launch_read_file(AT_FDCWD, host, (char *)*buf, POD_FILE_MAX);
	*len = n < 0 ? 0 : (size_t)n;
	return 0;
}

/* The directory is new: undoing came before. */
static int
pod_write_files(const struct launch_op *op, int poddir, struct cerr *err)
{
	for (size_t i = 0; i < op->nfds; i++) {
		CLEANUP_FREE uint8_t *buf = NULL;
		size_t len = 0;

		if (pod_file_text(op->fds[i], pod_files[i].host, &buf, &len) ==
			-1 ||
		    pod_file_write(poddir, pod_files[i].name, buf, len,
			op->body) == -1)
			return cerr_errno(err, "%s", pod_files[i].name);
	}
	return 0;
}

static int
pod_build(const struct launch *l, struct launch_op *op,
    struct fixed_launch_rec *r, int *go, struct cerr *err)
{
	const struct fixed_pod_make *m = op->body;
	pid_t pid = 0;
	CLEANUP_FD int nsdir =
	    launch_make_dir(l->dirs[LAUNCH_DIR_NS], m->pod, 0700);
	/* For the root of a user namespace, not for the host's users: its
	 * /dev/shm is anybody's. */
	CLEANUP_FD int poddir =
	    launch_make_dir(l->dirs[LAUNCH_DIR_POD], m->pod, 0710);

	if (nsdir == -1 || poddir == -1 || fchown(poddir, 0, m->gid) == -1)
		return cerr_errno(err, "directories of the pod");
	if (pod_write_files(op, poddir, err) == -1 ||
	    pod_shm(poddir, m, err) == -1)
		return -1;
	if ((m->flags & POD_NS_USER) != 0) {
		pid = launch_userns_start(l, op, r->cgroup, go, err);
		if (pid == -1)
			return -1;
	} else if (pod_unshare(l, op, err) == -1)
		return -1;
	if ((m->flags & POD_NS_PID) != 0 &&
	    pod_have_pause(r,
		pid != 0 ? pid
			 : launch_pause_start(l, r->cgroup, m->label, go, err),
		err) == -1)
		return -1;
	return pod_pins(nsdir, m->flags, pid, err);
}

/* Repeated, it answers as before: the record is written last. */
int
launch_pod_make(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_pod_make *m = op->body;
	struct fixed_launch_rec r;
	char name[ID_SIZE + 1];
	CLEANUP_FD int go = -1;

	if (pod_check(m, err) == -1)
		return -1;
	pod_record_name(name, m->pod);
	if (launch_record_read(l, name, &r, NULL) == 0 && r.flags == m->flags &&
	    r.pid != 0) {
		op->reply.pod_made.pause_pid = r.pid == 1 ? 0 : r.pid;
		return 0;
	}
	launch_begun();
	if (launch_pod_undo(l, op, err) == -1)
		return -1;
	memset(&r, 0, sizeof(r));
	r.flags = m->flags;
	r.uid = m->uid;
	r.gid = m->gid;
	/* First without a pid, for who has to clean up. */
	if (launch_pause_cgroup(m->cgroup, m->pod, r.cgroup,
		sizeof(r.cgroup)) == -1 ||
	    launch_record_write(l, name, &r, err) == -1 ||
	    pod_build(l, op, &r, &go, err) == -1)
		return -1;
	op->reply.pod_made.pause_pid = r.pid;
	if (r.pid == 0)
		r.pid = 1; /* made, without pause */
	if (launch_record_write(l, name, &r, err) == -1)
		return -1;
	/* Without pause, what keeps them is their pins. */
	return (m->flags & POD_NS_PID) == 0 ? 0 : launch_pause_go(go, err);
}

static int
pod_umount(const char *path)
{
	for (int i = 0; i < POD_UMOUNT_TRIES; i++) {
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == -1)
			return errno == EINVAL || errno == ENOENT ? 0 : -1;
	}
	return -1;
}

static int
pod_unpin(const struct launch *l, const char *pod, struct cerr *err)
{
	char path[LAUNCH_PATH_MAX], base[ID_SIZE + 8];

	for (size_t i = 0; i < POD_NSPACES; i++) {
		(void)snprintf(base, sizeof(base), "%s/%s", pod,
		    pod_spaces[i].pin);
		if (launch_state_path(l, path, sizeof(path), "ns", base) ==
			NULL ||
		    pod_umount(path) == -1)
			return cerr_errno(err, "unpin %s", pod_spaces[i].pin);
	}
	if (launch_tree_remove(l->dirs[LAUNCH_DIR_NS], pod) == -1)
		return cerr_errno(err, "namespaces of the pod");
	return 0;
}

static int
pod_unfile(const struct launch *l, const char *pod, struct cerr *err)
{
	char path[LAUNCH_PATH_MAX], base[ID_SIZE + 8];

	(void)snprintf(base, sizeof(base), "%s/shm", pod);
	if (launch_state_path(l, path, sizeof(path), "pod", base) == NULL ||
	    pod_umount(path) == -1)
		return cerr_errno(err, "/dev/shm of the pod");
	if (launch_tree_remove(l->dirs[LAUNCH_DIR_POD], pod) == -1)
		return cerr_errno(err, "files of the pod");
	return 0;
}

static void
pod_stop_pause(const struct launch *l, const struct fixed_launch_rec *r)
{
	CLEANUP_FD int pidfd = proc_open((pid_t)r->pid, r->start_time);

	if (pidfd != -1) {
		(void)proc_signal(pidfd, SIGKILL);
		(void)proc_wait(pidfd, POD_PAUSE_MS);
	}
	if (r->cgroup[0] == '\0')
		return;
	(void)cgroup_end(&l->cgroups, r->cgroup, POD_PAUSE_MS);
	cgroup_remove(&l->cgroups, r->cgroup);
}

static int
pod_remove(const struct launch *l, const char *pod, struct cerr *err)
{
	struct fixed_launch_rec r;
	char name[ID_SIZE + 1];

	if (launch_check_id("pod", pod, err) == -1)
		return -1;
	pod_record_name(name, pod);
	if (launch_record_read(l, name, &r, NULL) == 0 &&
	    (r.flags & POD_NS_PID) != 0)
		pod_stop_pause(l, &r);
	if (launch_shim_stop(l, pod, err) == -1 ||
	    pod_unpin(l, pod, err) == -1 || pod_unfile(l, pod, err) == -1)
		return -1;
	launch_record_remove(l, name);
	return 0;
}

int
launch_pod_unmake(const struct launch *l, struct launch_op *op,
    struct cerr *err)
{
	const struct fixed_pod *p = op->body;

	return pod_remove(l, p->pod, err);
}

int
launch_pod_undo(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_pod_make *m = op->body;

	return pod_remove(l, m->pod, err);
}

int
launch_pod_pause(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_pod *p = op->body;
	struct fixed_launch_rec r;
	char name[ID_SIZE + 1];

	if (launch_check_id("pod", p->pod, err) == -1)
		return -1;
	pod_record_name(name, p->pod);
	if (launch_record_read(l, name, &r, err) == -1)
		return -1;
	if ((r.flags & POD_NS_PID) == 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "pod %s has no pause", p->pod);
	op->out[0] = proc_open((pid_t)r.pid, r.start_time);
	op->nout = op->out[0] == -1 ? 0 : 1;
	return op->out[0] == -1
		   ? cerr_set(err, CERR_NOT_FOUND, "pause has ended")
		   : 0;
}
