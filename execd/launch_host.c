/* Questions about the host and its runtimes. */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/devlist.h"
#include "execd/checkpoint_list.h"
#include "execd/launch.h"
#include "execd/launch_run.h"
#include "execd/launch_userns.h"
#include "execd/mount_flags.h"
#include "execd/rootfile.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"

#define HOST_FEATURES_MAX (1024 * 1024)

static int
host_ask(const struct launch *l, uint32_t runtime, const char *arg, int out,
    struct cerr *err)
{
	struct run r;

	memset(&r, 0, sizeof(r));
	r.l = l;
	r.in = -1;
	r.out = out;
	r.err = -1;
	run_add(&r, l->runtimes[runtime].program);
	run_add(&r, arg);
	return run_wait(&r, err);
}

static int
host_seal(int fd, struct cerr *err)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return cerr_errno(err, "runtime");
	if (st.st_size > HOST_FEATURES_MAX)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "the runtime describes itself in too many bytes");
	if (lseek(fd, 0, SEEK_SET) == -1 ||
	    fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == -1)
		return cerr_errno(err, "runtime");
	return 0;
}

static const char *
host_criu_path(void)
{
	static const char *const paths[] = { "/usr/local/sbin/criu",
		"/usr/local/bin/criu", "/usr/sbin/criu", "/usr/bin/criu" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	}
	return NULL;
}

/* Runtimes find it in the same PATH. */
static enum launch_criu
host_criu(const struct launch *l)
{
	const char *path = host_criu_path();
	struct run r;
	struct cerr err;

	if (!l->checkpoint)
		return LAUNCH_CRIU_OFF;
	if (path == NULL)
		return LAUNCH_CRIU_ABSENT;
	memset(&r, 0, sizeof(r));
	r.l = l;
	r.in = r.out = r.err = -1;
	run_add(&r, path);
	run_add(&r, "check");
	return run_wait(&r, &err) == 0 ? LAUNCH_CRIU_WORKS : LAUNCH_CRIU_FAILS;
}

int
launch_features(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_runtime *f = op->body;
	bool shim;
	off_t end;
	int fd, code;

	if (run_runtime_check(l, f->runtime, err) == -1)
		return -1;
	shim = l->runtimes[f->runtime].type == LAUNCH_RUNTIME_VM;
	fd = memfd_create("features", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd == -1)
		return cerr_errno(err, "runtime");
	code = host_ask(l, f->runtime, shim ? "-v" : "--version", fd, err);
	if (code != 0)
		return code == -1 ? -1
				  : cerr_set(err, CERR_FAILED_PRECONDITION,
					"runtime %s cannot be run",
					l->runtimes[f->runtime].program);
	end = lseek(fd, 0, SEEK_CUR) + 1;
	if (fdio_write_all(fd, "", 1) == -1)
		return cerr_errno(err, "runtime");
	/* A runtime without this command says so in its own words. */
	if (!shim && host_ask(l, f->runtime, "features", fd, err) != 0 &&
	    ftruncate(fd, end) == -1)
		return cerr_errno(err, "runtime");
	op->out[0] = fd;
	op->nout = 1;
	op->reply.features.criu = host_criu(l);
	op->reply.features.idmap = launch_userns_usable(l) ? 1 : 0;
	return host_seal(fd, err);
}

/* As root, whose the file is to be, but without any capability. */
int
launch_profile(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_profile *p = op->body;
	int dir;

	if (p->dir >= l->nprofiles)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "profiles %u are not configured", p->dir);
	dir = open(l->profiles[p->dir], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return cerr_errno(err, "%s", l->profiles[p->dir]);
	if (rootfile_enter(dir, ROOTFILE_PROFILE, 0, 0, err) == -1)
		return -1;
	op->out[0] = rootfile_read_profile(p->path, err);
	op->nout = op->out[0] == -1 ? 0 : 1;
	return op->out[0] == -1 ? -1 : 0;
}

/*
 * What does not exist yet is made, but not by way of a link, which would make
 * it somewhere else than where the name says.
 */
static int
host_real_ancestor(const char *path, struct cerr *err)
{
	char top[LAUNCH_PATH_MAX], real[PATH_MAX];
	struct stat st;

	(void)snprintf(top, sizeof(top), "%s", path);
	while (lstat(top, &st) == -1 && strrchr(top, '/') != top)
		*strrchr(top, '/') = '\0';
	if (lstat(top, &st) == -1 || realpath(top, real) == NULL ||
	    strcmp(top, real) != 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "%.256s does not exist, and its name has a symbolic link",
		    path);
	return 0;
}

static int
host_real_path(const char *path, struct fixed_real_path *out, struct cerr *err)
{
	char real[PATH_MAX];

	if (realpath(path, real) == NULL)
		return cerr_errno(err, "%.256s", path);
	return FIXED_SET_STR(out->path, real) == -1
		   ? cerr_set(err, CERR_INVALID_ARGUMENT, "path too long")
		   : 0;
}

/* May wait for a file system that hangs: hence a job of its own. */
int
launch_host_path(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_host_path *h = op->body;
	bool real = (h->flags & MOUNT_SOURCE_REAL) != 0;
	struct stat st;

	(void)l;
	if (strcmp(h->path, "/") != 0 && !launch_path_clean(h->path))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%.256s: not an absolute, clean path", h->path);
	if (stat(h->path, &st) == -1) {
		if (errno != ENOENT)
			return cerr_errno(err, "%.256s", h->path);
		if (real && host_real_ancestor(h->path, err) == -1)
			return -1;
		if (launch_make_dirs(h->path) == -1)
			return cerr_errno(err, "%.256s", h->path);
	}
	if (real && host_real_path(h->path, &op->reply.real_path, err) == -1)
		return -1;
	return launch_mount_source(h->path, h->propagation, err);
}

/* Read whenever they are asked for: device plugins change them. */
int
launch_cdi(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	op->out[0] = cdi_list_make(l->cdi, l->ncdi, err);
	op->nout = op->out[0] == -1 ? 0 : 1;
	return op->out[0] == -1 ? -1 : 0;
}

int
launch_devices(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	const struct fixed_host_path *h = op->body;

	(void)l;
	if (!launch_path_clean(h->path))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%.256s: not an absolute, clean path", h->path);
	op->out[0] = devlist_make(h->path, err);
	op->nout = op->out[0] == -1 ? 0 : 1;
	return op->out[0] == -1 ? -1 : 0;
}
