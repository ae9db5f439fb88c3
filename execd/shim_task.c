/* The task service's requests, as shimrun uses them. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "execd/shim.h"
#include "lib/fdio.h"
#include "proto/task.pb-c.h"

#define TASK_MS	       60000
#define TASK_CREATE_MS 100000 /* a virtual machine may boot */
#define TASK_END_MS    5000   /* where a shim that hangs is expected */
#define TASK_OCI       "types.containerd.io/opencontainers/runtime-spec/1/"

/* protobuf-c takes pointers to non-const but does not write. */
static char *
task_str(const char *s)
{
	char *p;

	memcpy(&p, &s, sizeof(p));
	return p;
}

int
shim_task_start(struct shim *s, const char *id, const char *exec,
    struct cerr *err)
{
	Task__Target m = TASK__TARGET__INIT;

	m.id = task_str(id);
	m.exec_id = task_str(exec != NULL ? exec : "");
	return shim_call(s, "Start", &m, NULL, NULL, TASK_CREATE_MS, err);
}

int
shim_task_kill(struct shim *s, const char *id, const char *exec, uint32_t sig,
    struct cerr *err)
{
	Task__Kill m = TASK__KILL__INIT;

	m.id = task_str(id);
	m.exec_id = task_str(exec != NULL ? exec : "");
	m.signal = sig;
	m.all = sig == SIGKILL && exec == NULL;
	return shim_call(s, "Kill", &m, NULL, NULL, TASK_END_MS, err);
}

int
shim_task_update(struct shim *s, const char *id, const void *resources,
    size_t len, struct cerr *err)
{
	Task__Update m = TASK__UPDATE__INIT;
	Task__Any any = TASK__ANY__INIT;

	any.type_url = task_str(TASK_OCI "LinuxResources");
	memcpy(&any.value.data, &resources, sizeof(resources));
	any.value.len = len;
	m.id = task_str(id);
	m.resources = &any;
	return shim_call(s, "Update", &m, NULL, NULL, TASK_MS, err);
}

int
shim_task_end(struct shim *s, const char *id, struct cerr *err)
{
	Task__Target m = TASK__TARGET__INIT;
	struct cerr why;
	int killed = shim_task_kill(s, id, NULL, SIGKILL, &why);

	if (killed == -1 && why.code == CERR_DEADLINE_EXCEEDED) {
		*err = why;
		return -1;
	}

	/* One that has ended cannot be killed, and that is all right. */
	m.id = task_str(id);
	if (shim_call(s, "Wait", &m, NULL, NULL, TASK_END_MS, err) == -1 &&
	    err->code != CERR_NOT_FOUND) {
		if (killed == -1)
			*err = why;
		return -1;
	}
	if (shim_call(s, "Delete", &m, NULL, NULL, TASK_END_MS, err) == -1 &&
	    err->code != CERR_NOT_FOUND)
		return -1;
	return 0;
}

/* What the shim's own configuration is, if anything must be said. */
static void
task_options(const struct shim_args *a, Task__Any *any)
{
	static uint8_t buf[SHIM_PATH_MAX + 64];
	const char *base = strrchr(a->shim, '/');
	Task__RuncOptions runc = TASK__RUNC_OPTIONS__INIT;
	Task__ShimOptions other = TASK__SHIM_OPTIONS__INIT;

	any->value.data = buf;
	if (a->config != NULL) {
		any->type_url = task_str("runtimeoptions.v1.Options");
		other.config_path = task_str(a->config);
		any->value.len = task__shim_options__pack(&other, buf);
	} else if (a->systemd && base != NULL &&
		   strncmp(base, "/containerd-shim-runc-", 22) == 0) {
		any->type_url = task_str("containerd.runc.v1.Options");
		runc.systemd_cgroup = true;
		any->value.len = task__runc_options__pack(&runc, buf);
	}
}

int
shim_task_create(struct shim *s, const struct shim_args *a, const char *id,
    const char *bundle, const char *rootfs, const struct shim_io *io,
    struct cerr *err)
{
	char *words[] = { task_str("rbind"), task_str("rw") };
	Task__Create m = TASK__CREATE__INIT;
	Task__Mount mount = TASK__MOUNT__INIT, *mounts[] = { &mount };
	Task__Any options = TASK__ANY__INIT;

	mount.type = task_str("bind");
	mount.source = task_str(rootfs);
	mount.options = words;
	mount.n_options = 2;
	m.id = task_str(id);
	m.bundle = task_str(bundle);
	m.rootfs = mounts;
	m.n_rootfs = 1;
	m.terminal = io->terminal;
	m.stdin = task_str(io->in);
	m.stdout = task_str(io->out);
	m.stderr = task_str(io->err);
	task_options(a, &options);
	if (options.value.len > 0)
		m.options = &options;
	return shim_call(s, "Create", &m, NULL, NULL, TASK_CREATE_MS, err);
}

int
shim_task_exec(struct shim *s, const char *id, const char *exec,
    const struct shim_io *io, const void *process, size_t len, struct cerr *err)
{
	Task__Exec m = TASK__EXEC__INIT;
	Task__Any spec = TASK__ANY__INIT;

	spec.type_url = task_str(TASK_OCI "Process");
	memcpy(&spec.value.data, &process, sizeof(process));
	spec.value.len = len;
	m.id = task_str(id);
	m.exec_id = task_str(exec);
	m.terminal = io->terminal;
	m.stdin = task_str(io->in);
	m.stdout = task_str(io->out);
	m.stderr = task_str(io->err);
	m.spec = &spec;
	return shim_call(s, "Exec", &m, NULL, NULL, TASK_MS, err);
}
