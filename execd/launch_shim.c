#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "execd/launch_run.h"
#include "execd/launch_shim.h"
#include "execd/shim.h"
#include "lib/fdio.h"
#include "lib/log.h"

#define SHIM_GONE_MS	5000 /* for what is killed to be gone */
#define SHIM_CGROUP_MAX (sizeof(LAUNCH_CGROUP_SHIM) + ID_SIZE + 1)

bool
launch_shim_is(const struct launch *l, uint32_t runtime)
{
	return l->runtimes[runtime].type == LAUNCH_RUNTIME_VM;
}

static void
shim_cgroup(const char *pod, char path[SHIM_CGROUP_MAX])
{
	(void)snprintf(path, SHIM_CGROUP_MAX, LAUNCH_CGROUP_SHIM "/%.*s",
	    ID_LEN, pod);
}

int
launch_shim_join(const struct launch *l, const char *pod, struct cerr *err)
{
	char path[SHIM_CGROUP_MAX];

	shim_cgroup(pod, path);
	return cgroup_join(&l->cgroups, path, 0, false, err);
}

static void
shim_end_all(const struct launch *l, const char *pod)
{
	char path[SHIM_CGROUP_MAX];

	shim_cgroup(pod, path);
	if (!cgroup_end(&l->cgroups, path, SHIM_GONE_MS))
		log_warn("pod %s: a process of its shim cannot be killed", pod);
	cgroup_remove(&l->cgroups, path);
}

/* "NAME/POD", of STATE/runtime. */
static void
shim_dir_name(const struct launch *l, uint32_t runtime, const char *pod,
    char name[LAUNCH_PATH_MAX])
{
	(void)snprintf(name, LAUNCH_PATH_MAX, "%s/%s",
	    l->runtimes[runtime].name, pod);
}

/* Whoever is starting one just now has the directory locked. */
void
launch_shim_failed(const struct launch *l, uint32_t runtime, const char *pod)
{
	char name[LAUNCH_PATH_MAX];
	CLEANUP_FD int dir = -1;

	shim_dir_name(l, runtime, pod, name);
	dir = openat(l->dirs[LAUNCH_DIR_RUNTIME], name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir != -1 && flock(dir, LOCK_EX | LOCK_NB) == 0 &&
	    faccessat(dir, SHIM_READY, F_OK, AT_SYMLINK_NOFOLLOW) == -1)
		shim_end_all(l, pod);
}

static int
shim_stop(const struct launch *l, uint32_t runtime, const char *pod,
    struct cerr *err)
{
	int dir = l->dirs[LAUNCH_DIR_RUNTIME];
	char root[LAUNCH_PATH_MAX], name[LAUNCH_PATH_MAX];
	struct run r;
	int code;

	shim_dir_name(l, runtime, pod, name);
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	if (run_begin(&r, l, runtime, root, sizeof(root), err) == -1)
		return -1;
	run_add(&r, "stop");
	run_add(&r, pod);
	code = run_wait(&r, err);
	if (code == -1)
		return -1;
	if (code != 0 || r.text[0] != '\0')
		log_warn("pod %s: stop: %s", pod, r.text);
	return launch_tree_remove(dir, name) == -1
		   ? cerr_errno(err, "the shim's state of the pod")
		   : 0;
}

/* The cgroup goes whatever criod.conf says today of its runtime. */
int
launch_shim_stop(const struct launch *l, const char *pod, struct cerr *err)
{
	for (uint32_t i = 0; i < l->nruntimes; i++) {
		if (launch_shim_is(l, i) && shim_stop(l, i, pod, err) == -1)
			return -1;
	}
	shim_end_all(l, pod);
	return 0;
}
