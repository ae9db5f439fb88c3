#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ctr_flags.h"
#include "execd/launch_proc.h"
#include "execd/launch_verify.h"
#include "lib/fdio.h"

#define VERIFY_TEXT_MAX	 8192
#define VERIFY_SETTLE_MS 1000

static bool
verify_same(const uint32_t ids[4], uint32_t want)
{
	return ids[0] == want && ids[1] == want && ids[2] == want &&
	       ids[3] == want;
}

int
verify_status(const struct proc_status *s, const struct fixed_ctr_create *c,
    struct cerr *err)
{
	if (!verify_same(s->uid, c->uid) || !verify_same(s->gid, c->gid))
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime made it %u:%u, not %u:%u", s->uid[0],
		    s->gid[0], c->uid, c->gid);
	if (((s->bnd | s->prm | s->eff | s->inh) & ~c->caps) != 0)
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime gave it capabilities 0x%" PRIx64
		    ", not 0x%" PRIx64,
		    s->bnd | s->prm | s->eff | s->inh, c->caps);
	/* Inheritable is only ever what ambient needs. */
	if ((s->inh & ~s->amb) != 0)
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime left it inheritable capabilities 0x%" PRIx64,
		    s->inh);
	if ((c->flags & CTR_FLAG_NNP) != 0 && s->nnp != 1)
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime did not set no_new_privs");
	return 0;
}

int
verify_cgroup(pid_t pid, const char *cgroup, struct cerr *err)
{
	char path[40], text[VERIFY_TEXT_MAX];

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (launch_read_file(AT_FDCWD, path, text, sizeof(text)) == -1)
		return cerr_errno(err, "%s", path);
	if (!cgroup_text_within(text, cgroup))
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime did not put it into cgroup %s", cgroup);
	return 0;
}

static int
verify_ns_stat(const char *path, struct stat *st, struct cerr *err)
{
	return stat(path, st) == -1 ? cerr_errno(err, "%s", path) : 0;
}

/* The pod's pinned one, or with host set the host's. */
static int
verify_namespace(const struct launch *l, const struct fixed_ctr_create *c,
    pid_t pid, const char *name, bool host, struct cerr *err)
{
	char path[64], base[80], pin[LAUNCH_PATH_MAX];
	struct stat own, have, want;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	if (verify_ns_stat(path, &have, err) == -1)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	if (verify_ns_stat(path, &own, err) == -1)
		return -1;
	want = own;
	(void)snprintf(base, sizeof(base), "%s/%s", c->pod, name);
	if (!host &&
	    (launch_state_path(l, pin, sizeof(pin), "ns", base) == NULL ||
		(stat(pin, &want) == -1 && errno != ENOENT)))
		return cerr_errno(err, "%s namespace of the pod", name);
	if (have.st_ino != want.st_ino || have.st_dev != want.st_dev)
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime did not put it into the %s %s namespace",
		    host ? "host's" : "pod's", name);
	return 0;
}

int
verify_namespaces(const struct launch *l, const struct fixed_ctr_create *c,
    pid_t pid, struct cerr *err)
{
	if (c->pod[0] == '\0')
		return 0;
	if (verify_namespace(l, c, pid, "net",
		(c->flags & CTR_FLAG_HOST_NET) != 0, err) == -1)
		return -1;
	/* The others are inside of the sandbox. */
	if (l->runtimes[c->runtime].type == LAUNCH_RUNTIME_GVISOR)
		return 0;
	if (verify_namespace(l, c, pid, "ipc",
		(c->flags & CTR_FLAG_HOST_IPC) != 0, err) == -1 ||
	    verify_namespace(l, c, pid, "user", false, err) == -1)
		return -1;
	if ((c->flags & CTR_FLAG_POD_PID) != 0)
		return verify_namespace(l, c, pid, "pid", false, err);
	return 0;
}

/* A process of ours that holds nothing. */
static int
verify_confined(const struct launch *l, pid_t pid, const char *what,
    struct cerr *err)
{
	struct proc_status s;

	if (proc_status_read(pid, &s) == -1)
		return cerr_set(err, CERR_INTERNAL, "%s is gone", what);
	if (!verify_same(s.uid, l->mon_uid) ||
	    !verify_same(s.gid, l->mon_gid) ||
	    (s.inh | s.prm | s.eff | s.bnd | s.amb) != 0 || s.nnp != 1 ||
	    s.seccomp != 2)
		return cerr_set(err, CERR_INTERNAL, "%s is not confined", what);
	return 0;
}

int
verify_created(const struct launch *l, const struct fixed_ctr_create *c,
    pid_t pid, struct cerr *err)
{
	struct proc_status s;

	if (l->runtimes[c->runtime].type == LAUNCH_RUNTIME_VM)
		return verify_confined(l, pid, "the container's proxy", err);
	if (proc_status_read(pid, &s) == -1)
		return cerr_set(err, CERR_INTERNAL,
		    "the container's process is gone");
	if (l->runtimes[c->runtime].type == LAUNCH_RUNTIME_OCI &&
	    verify_status(&s, c, err) == -1)
		return -1;
	if (verify_cgroup(pid, c->cgroup, err) == -1)
		return -1;
	return verify_namespaces(l, c, pid, err);
}

static int
verify_process(const struct fixed_launch_rec *r, const struct proc_status *s,
    struct cerr *err)
{
	if ((r->flags & CTR_FLAG_SECCOMP) != 0 && s->seccomp != 2)
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime installed no system call filter");
	if ((r->flags & CTR_FLAG_NNP) != 0 && s->nnp != 1)
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime did not set no_new_privs");
	if ((s->bnd & ~r->caps) != 0)
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime left it capabilities 0x%" PRIx64, s->bnd);
	return 0;
}

static int
verify_running(const struct launch *l, uint32_t runtime,
    const struct fixed_launch_rec *r, const struct proc_status *s,
    struct cerr *err)
{
	if (l->runtimes[runtime].type == LAUNCH_RUNTIME_OCI)
		return verify_process(r, s, err);
	/* The sandbox confines itself, whatever the container may do. */
	return s->seccomp == 2 && s->nnp == 1
		   ? 0
		   : cerr_set(err, CERR_INTERNAL,
			 "the sandbox is not confined");
}

/*
 * It may have ended already, which is none of our business here.  A runtime's
 * start may answer before the process has taken its last steps: with
 * no_new_privs crun installs the filter just before execve.
 */
int
verify_started(const struct launch *l, uint32_t runtime,
    const struct fixed_launch_rec *r, struct cerr *err)
{
	CLEANUP_FD int pidfd = proc_open((pid_t)r->pid, r->start_time);
	struct proc_status s;
	int ms = 0;

	do {
		if (pidfd == -1 || proc_status_read((pid_t)r->pid, &s) == -1 ||
		    proc_wait(pidfd, ms > 0) ||
		    verify_running(l, runtime, r, &s, err) == 0)
			return 0;
	} while (ms++ < VERIFY_SETTLE_MS);
	return -1;
}

int
verify_monitor(const struct launch *l, pid_t pid, struct cerr *err)
{
	return verify_confined(l, pid, "the monitor", err);
}
