#ifndef CRIOD_EXECD_SHIM_H
#define CRIOD_EXECD_SHIM_H

/*
 * shimrun: what criod runs where a handler of type vm is asked for.  To the
 * launcher and the monitor it is an OCI runtime like any other; it speaks
 * containerd's shim API (version 2, over ttrpc) to the program that the
 * administrator named, so that Kata Containers and the like work as they ship.
 *
 *	shimrun --root R --shim PROGRAM --ids UID:GID --empty DIR --pause FILE
 *	    [--config FILE] [--systemd-cgroup] COMMAND ...
 *	create --pod POD --rootfs DIR --bundle DIR --pid-file F
 *	    [--console-socket S] CTR
 *	start CTR
 *	exec --process F --pid-file F [--console-socket S] --detach CTR
 *	kill [--exec ID] CTR SIGNAL
 *	update --resources F CTR
 *	delete --force CTR
 *	stop POD
 *
 * A pod has one shim.  The first create in a pod starts it, with a sandbox
 * of its own id, in which pause is the only process; "stop" ends it.
 *
 * The process that "create" leaves behind stands for the container: it
 * carries standard input and output between the monitor and the shim's FIFOs,
 * and ends as the container did.  "exec" leaves one for the command.
 *
 * Nothing that a shim says is understood by root: what speaks ttrpc has given
 * up its identity, root directory, capabilities and system calls before
 * (execd/shimrun.calls), keeping open what it needs.  Root starts the shim
 * and connects to the path that it prints.
 */

#include <sys/types.h>

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "lib/id.h"

#define SHIM_PATH_MAX  4096
#define SHIM_NAMESPACE "criod"
#define SHIM_SERVICE   "containerd.task.v2.Task"

/* Files of a container's or sandbox's directory below --root. */
#define SHIM_CONFIG "config.json"
#define SHIM_ROOTFS "rootfs"
#define SHIM_POD    "pod"   /* whose it is; not in a sandbox's */
#define SHIM_SOCKET "sock"  /* path that the shim printed */
#define SHIM_READY  "ready" /* the sandbox was started */

struct shim_args {
	const char *root, *shim, *empty, *pause, *config;
	uid_t uid;
	gid_t gid;
	bool systemd;
	const char *pod, *rootfs, *bundle, *pidfile, *console, *process, *exec,
	    *log, *resources;
	const char *id;	    /* container, or pod */
	const char *signal; /* of kill */
};

/* ---- shim_call.c: one connection; not as root ---- */

struct shim;
struct ttrpc;

/* Takes sock; leaving is readable once nobody wants the result (or -1). */
struct shim *shim_open(int sock, int leaving);
int shim_socket(const struct shim *s);
/* From now on nobody's leaving matters. */
void shim_stay(struct shim *s);
struct ttrpc *shim_ttrpc(struct shim *s);
/*
 * What came is taken.  -1 with err at its end or if it breaks the protocol;
 * all calls in flight have ended with that, and so will those that follow.
 */
int shim_input(struct shim *s, struct cerr *err)
    __attribute__((warn_unused_result));

/* Calls and waits.  reply may be NULL; else the caller frees *reply. */
int shim_call(struct shim *s, const char *method, const void *request,
    const ProtobufCMessageDescriptor *d, void *reply, int64_t timeout_ms,
    struct cerr *err) __attribute__((warn_unused_result));

/* ---- shim_root.c: what root does ---- */

/* R/ID/NAME; NULL if it does not fit.  name may be NULL. */
char *shim_path(const struct shim_args *a, const char *id, const char *name,
    char *buf);
/* R/ID as a descriptor; -1 with err. */
int shim_dir(const struct shim_args *a, const char *id, struct cerr *err)
    __attribute__((warn_unused_result));
/* Makes R/ID with config.json, copied from bundle/config, and rootfs. */
int shim_bundle(const struct shim_args *a, const char *id, const char *config,
    struct cerr *err) __attribute__((warn_unused_result));
int shim_write(int dir, const char *name, const char *text, struct cerr *err)
    __attribute__((warn_unused_result));
/* All of a small file of ours. */
int shim_read(int dir, const char *name, char *buf, size_t size,
    struct cerr *err) __attribute__((warn_unused_result));
/* The pod of a container that was created. */
int shim_pod_of(const struct shim_args *a, const char *ctr, char pod[ID_SIZE],
    struct cerr *err) __attribute__((warn_unused_result));
/* A connection to the pod's shim; -1 with err. */
int shim_connect(const struct shim_args *a, const char *pod, struct cerr *err)
    __attribute__((warn_unused_result));
/* "SHIM start" for the pod; leaves its socket's path. */
int shim_launch(const struct shim_args *a, struct cerr *err)
    __attribute__((warn_unused_result));
/* "SHIM delete": what a shim that is gone left behind; then the mount. */
void shim_clean(const struct shim_args *a, const char *id, bool run);

/* ---- shim_apart.c ---- */

/* Gives up everything; -1 with err. */
int shim_drop(const struct shim_args *a, struct cerr *err)
    __attribute__((warn_unused_result));
typedef int (
    *shim_fn)(const struct shim_args *a, struct shim *s, struct cerr *err);
/* Runs fn in a child that has dropped.  It tells its errors itself. */
int shim_apart(const struct shim_args *a, int sock, shim_fn fn);

/* ---- shim_task.c: requests ---- */

int shim_task_start(struct shim *s, const char *id, const char *exec,
    struct cerr *err) __attribute__((warn_unused_result));
int shim_task_kill(struct shim *s, const char *id, const char *exec,
    uint32_t sig, struct cerr *err) __attribute__((warn_unused_result));
/* resources: OCI's, as JSON. */
int shim_task_update(struct shim *s, const char *id, const void *resources,
    size_t len, struct cerr *err) __attribute__((warn_unused_result));
/* Kills all of it, waits for its end and forgets it. */
int shim_task_end(struct shim *s, const char *id, struct cerr *err)
    __attribute__((warn_unused_result));

struct shim_io {
	bool terminal;
	const char *in, *out, *err; /* paths; "" none */
};

/* rootfs: what is mounted as the bundle's. */
int shim_task_create(struct shim *s, const struct shim_args *a, const char *id,
    const char *bundle, const char *rootfs, const struct shim_io *io,
    struct cerr *err) __attribute__((warn_unused_result));
int shim_task_exec(struct shim *s, const char *id, const char *exec,
    const struct shim_io *io, const void *process, size_t len, struct cerr *err)
    __attribute__((warn_unused_result));

/* ---- shim_proxy.c: the process that stands for another ---- */

struct shim_proxy {
	const struct shim_args *args;
	const char *exec; /* NULL: the container itself */
	const void *process;
	size_t process_len;
};

/* Leaves one and writes its pid to --pid-file. */
int shim_proxy(struct shim_proxy *p, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
