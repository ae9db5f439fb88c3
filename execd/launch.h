#ifndef CRIOD_EXECD_LAUNCH_H
#define CRIOD_EXECD_LAUNCH_H

/*
 * The launcher: does as root the few fixed things that execd asks for.  Its
 * own process only takes messages and starts jobs: each operation runs, with
 * plain blocking calls, in a child (launch_job.h) under a deadline.
 *
 * It has no no_new_privs, filter, Landlock domain or limits of its own: the
 * runtimes and with them the containers would inherit all of these.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "execd/cdi_list.h"
#include "execd/launch_cgroup.h"
#include "imsg/fixed.h"
#include "imsg/msg.h"
#include "imsg/wire.h"
#include "lib/cerr.h"
#include "lib/layerid.h"

#define LAUNCH_RUNTIMES_MAX  64
#define LAUNCH_ARGUMENTS_MAX 24 /* of one runtime, ours included */
#define LAUNCH_PROFILES_MAX  16 /* directories of seccomp profiles */
#define LAUNCH_PATH_MAX	     4096
#define LAUNCH_JOB_FD	     3 /* where a job answers */
/* Every monitor is counted here, never in a pod. */
#define LAUNCH_CGROUP	      "/criod"
#define LAUNCH_CGROUP_MONITOR LAUNCH_CGROUP "/monitor"
/* One below it for each pod that has one. */
#define LAUNCH_CGROUP_SHIM LAUNCH_CGROUP "/shim"

/* Directories that are open from the start, and only these are used. */
enum launch_dir {
	LAUNCH_DIR_LAUNCH,  /* STATE/launch: records */
	LAUNCH_DIR_SCRATCH, /* STATE/launch/exec: files of a moment */
	LAUNCH_DIR_NS,
	LAUNCH_DIR_POD,
	LAUNCH_DIR_ROOTFS,
	LAUNCH_DIR_RUNTIME,
	LAUNCH_DIR_BUNDLE,
	LAUNCH_DIR_EMPTY,
	LAUNCH_DIR_LAYER,     /* IMAGE/layer */
	LAUNCH_DIR_CONTAINER, /* CONTAINER */
	LAUNCH_DIR_SYS,	      /* /proc/sys */
	LAUNCH_DIR_NULL,      /* a tmpfs of ours, mounted nowhere */
	LAUNCH_DIR_COUNT,
};

/*
 * VM: a containerd shim, which execd/shim.h's program stands before.
 * GVISOR: runsc.  Its containers' processes are not processes of the host:
 * what the launcher finds in /proc is the sandbox.
 */
enum launch_runtime_type {
	LAUNCH_RUNTIME_OCI = 0,
	LAUNCH_RUNTIME_GVISOR,
	LAUNCH_RUNTIME_VM,
};

struct launch_runtime {
	const char *name, *path;
	const char *program; /* that the administrator named */
	enum launch_runtime_type type;
	/* What the administrator wants before its command. */
	const char *arguments[LAUNCH_ARGUMENTS_MAX];
	size_t narguments;
};

struct helper;
struct launch_jobs;
struct launch_sysctls;

struct launch {
	struct helper *helper; /* first: see helper_link_lost */
	const char *state, *image, *container, *libexec;
	uid_t mon_uid, exec_uid;
	gid_t mon_gid, exec_gid;
	bool systemd;
	bool apparmor;		  /* criod's own profile is to be loaded */
	bool checkpoint, restore; /* are allowed */
	struct launch_runtime runtimes[LAUNCH_RUNTIMES_MAX];
	size_t nruntimes;
	const char *profiles[LAUNCH_PROFILES_MAX];
	size_t nprofiles;
	const char *stores[SHELVES_MAX]; /* additional ones of images */
	size_t nstores;
	int dirs[LAUNCH_DIR_COUNT];
	const char *cdi[CDI_DIRS_MAX];
	size_t ncdi;
	int exe_monitor, exe_pause; /* programs, on read-only mounts */
	struct cgroups cgroups;
	struct launch_jobs *jobs;
	struct launch_sysctls *sysctls;
};

union launch_reply {
	struct fixed_none none;
	struct fixed_pod_made pod_made;
	struct fixed_ctr_created ctr_created;
	struct fixed_exec_done exec_done;
	struct fixed_features features;
	struct fixed_usage usage;
	struct fixed_real_path real_path;
};

struct launch_sysctl {
	char name[128];
	char value[1024];
};

/* One operation, as its job sees it. */
struct launch_op {
	const void *body; /* the request's struct fixed_NAME */
	int fds[WIRE_FDS_MAX];
	size_t nfds;
	const struct launch_sysctl *sysctls; /* L_POD_MAKE's */
	size_t nsysctls;
	union launch_reply reply;
	int out[2]; /* descriptors that go with the reply */
	size_t nout;
};

/*
 * Runs in a job: may block, may leave what the process's end cleans up.  One
 * that has an undo calls launch_begun before its first change: what failed
 * before is not undone.
 */
typedef int (
    *launch_fn)(const struct launch *l, struct launch_op *op, struct cerr *err);

/* launch_job.c */
void launch_begun(void);
/*
 * A one-way message to execd before the answer, with a descriptor; borrows.
 * -1 if nobody wants the operation any more.
 */
int launch_note(enum msg_type type, const void *body, int fd)
    __attribute__((warn_unused_result));
/* launch_pod.c */
/* In the pod's namespaces: host name, loopback, sysctls. */
int launch_pod_settle(const struct launch *l, const struct launch_op *op,
    struct cerr *err) __attribute__((warn_unused_result));
int launch_pod_make(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_pod_undo(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_pod_unmake(const struct launch *l, struct launch_op *op,
    struct cerr *err);
/* With a pidfd, which is readable once pause has ended; NOT_FOUND: it has. */
int launch_pod_pause(const struct launch *l, struct launch_op *op,
    struct cerr *err);
/* launch_rootfs.c: RESOURCE_EXHAUSTED if there is none for writable layers. */
int launch_rootfs_room(const struct launch *l, struct cerr *err)
    __attribute__((warn_unused_result));
/* STATE/rootfs/CTR/NAME; "fs" is the root file system. */
int launch_rootfs_path(const struct launch *l, const char *ctr,
    const char *name, char path[LAUNCH_PATH_MAX], struct cerr *err)
    __attribute__((warn_unused_result));
/* The runtime has bound what was mounted beside it: only "fs" stays, so that
 * nothing here keeps the host from unmounting its volumes. */
int launch_rootfs_bound(const struct launch *l, const char *ctr,
    struct cerr *err);
int launch_rootfs(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_rootfs_undo(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_rootfs_dir(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_rootfs_drop(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_cdi(const struct launch *l, struct launch_op *op, struct cerr *err);
/* launch_mount.c */
int launch_mount(const struct launch *l, struct launch_op *op,
    struct cerr *err);
/* path's mount does what MOUNT_SOURCE_* says. */
int launch_mount_source(const char *path, uint32_t want, struct cerr *err)
    __attribute__((warn_unused_result));
/* launch_create.c */
int launch_ctr_create(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_ctr_undo(const struct launch *l, struct launch_op *op,
    struct cerr *err);
/* launch_ctr.c */
int launch_ctr_start(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_ctr_signal(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_ctr_delete(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_ctr_remove(const struct launch *l, const char *ctr, uint32_t runtime,
    struct cerr *err);
/* launch_log.c */
int launch_ctr_log(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_log_open(const char *dir, const char *name, struct cerr *err);
/* launch_exec.c */
int launch_exec(const struct launch *l, struct launch_op *op, struct cerr *err);
/* launch_stat.c */
int launch_stats(const struct launch *l, struct launch_op *op,
    struct cerr *err);
/* launch_usage.c */
int launch_usage(const struct launch *l, struct launch_op *op,
    struct cerr *err);
/* launch_update.c */
int launch_ctr_update(const struct launch *l, struct launch_op *op,
    struct cerr *err);
/* launch_checkpoint.c */
int launch_checkpoint(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_checkpoint_undo(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_checkpoint_end(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int64_t launch_checkpoint_ms(const void *body);
/* launch_restore.c */
int launch_restore(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_restore_undo(const struct launch *l, struct launch_op *op,
    struct cerr *err);
/* launch_host.c */
int launch_features(const struct launch *l, struct launch_op *op,
    struct cerr *err);
/* launch_relabel.c */
int launch_relabel(const struct launch *l, struct launch_op *op,
    struct cerr *err);
bool relabel_allowed(const struct launch *l, const char *path);
int relabel_tree(int fd, const char *label);
/* launch_host.c */
int launch_profile(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_host_path(const struct launch *l, struct launch_op *op,
    struct cerr *err);
int launch_devices(const struct launch *l, struct launch_op *op,
    struct cerr *err);

/* launch_dirs.c */
int launch_ctr_dirs(const struct launch *l, struct launch_op *op,
    struct cerr *err);

/* launch_start.c: opens everything; -1 with err. */
int launch_open(struct launch *l, struct cerr *err)
    __attribute__((warn_unused_result));

/* launch_util.c */
int launch_check_id(const char *what, const char *id, struct cerr *err)
    __attribute__((warn_unused_result));
/* An absolute path without "." or ".." parts, not "/" itself. */
bool launch_path_clean(const char *path);
/* openat2 below dirfd, no symbolic link, no other mount. */
int launch_open_beneath(int dirfd, const char *path, int flags);
/* Makes the directory name below dirfd if it is not there, and opens it. */
int launch_make_dir(int dirfd, const char *name, mode_t mode);
/* An absolute path of the host and its missing parents, 0755. */
int launch_make_dirs(const char *path);
/* "STATE/a/b"; NULL if it does not fit (b may be NULL). */
char *launch_state_path(const struct launch *l, char *buf, size_t size,
    const char *a, const char *b);
/* All of a small file below /proc or the like; ended by NUL.  -1: errno. */
ssize_t launch_read_file(int dirfd, const char *path, char *buf, size_t size);
int launch_write_file(int dirfd, const char *path, const char *text);
/* Printable, without ends of line at its end; what a client may see. */
void launch_clean_text(char *text);

/* launch_tree.c: dirfd/name and all below, whatever it is; 0 if absent. */
int launch_tree_remove(int dirfd, const char *name);

/* launch_record.c */
int launch_record_write(const struct launch *l, const char *name,
    const struct fixed_launch_rec *r, struct cerr *err)
    __attribute__((warn_unused_result));
/* NOT_FOUND if there is none. */
int launch_record_read(const struct launch *l, const char *name,
    struct fixed_launch_rec *r, struct cerr *err)
    __attribute__((warn_unused_result));
void launch_record_remove(const struct launch *l, const char *name);

#endif
