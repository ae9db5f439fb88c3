/* shimrun: see execd/shim.h. */
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/shim.h"
#include "lib/fdio.h"
#include "proto/task.pb-c.h"

#define SHIMRUN_PROCESS_MAX   (32U * 1024 * 1024)
#define SHIMRUN_RESOURCES_MAX (1024 * 1024)
#define SHIMRUN_GONE_MS	      2000 /* for a shim to end */
#define SHIMRUN_ASK_MS	      10000
#define SHIMRUN_CTRS_MAX      1024	     /* of one pod */
#define SHIMRUN_SANDBOX	      "sandbox.json" /* execd's, beside config.json */
#define SHIMRUN_ROOT	      "root" /* the sandbox's root file system */

/* ---- the pod's sandbox ---- */

static int
sandbox_copy_pause(const struct shim_args *a, int root, struct cerr *err)
{
	CLEANUP_FD int in = open(a->pause, O_RDONLY | O_CLOEXEC);
	CLEANUP_FD int out = openat(root, "pause",
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0755);
	char buf[16384];
	ssize_t n;

	if (in == -1 || out == -1)
		return cerr_errno(err, "%s", a->pause);
	while ((n = read(in, buf, sizeof(buf))) > 0) {
		if (fdio_write_all(out, buf, (size_t)n) == -1)
			return cerr_errno(err, "sandbox");
	}
	return n == 0 && fchmod(out, 0755) == 0 ? 0
						: cerr_errno(err, "sandbox");
}

/* pause, and what runtimes mount on. */
static int
sandbox_root(const struct shim_args *a, struct cerr *err)
{
	static const char *const dirs[] = { "proc", "sys", "dev" };
	CLEANUP_FD int dir = shim_dir(a, a->pod, err);
	CLEANUP_FD int root = -1;

	if (dir == -1)
		return -1;
	if (mkdirat(dir, SHIMRUN_ROOT, 0755) == -1 && errno != EEXIST)
		return cerr_errno(err, "sandbox");
	root = openat(dir, SHIMRUN_ROOT,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root == -1 || fchmod(root, 0755) == -1)
		return cerr_errno(err, "sandbox");
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (mkdirat(root, dirs[i], 0755) == -1 && errno != EEXIST)
			return cerr_errno(err, "sandbox");
	}
	return sandbox_copy_pause(a, root, err);
}

static int
sandbox_make(const struct shim_args *a, struct shim *s, struct cerr *err)
{
	static const struct shim_io none = { false, "", "", "" };
	char bundle[SHIM_PATH_MAX], root[SHIM_PATH_MAX];

	if (shim_path(a, a->pod, NULL, bundle) == NULL ||
	    shim_path(a, a->pod, SHIMRUN_ROOT, root) == NULL)
		return cerr_set(err, CERR_INTERNAL, "state path too long");
	if (shim_task_create(s, a, a->pod, bundle, root, &none, err) == -1)
		return -1;
	return shim_task_start(s, a->pod, NULL, err);
}

/* Containers of the pod that is stopped, as far as its shim knows them. */
static char sandbox_ctrs[SHIMRUN_CTRS_MAX][ID_SIZE];
static size_t sandbox_nctrs;

static void
sandbox_find(const struct shim_args *a)
{
	DIR *d = opendir(a->root);
	struct dirent *e;
	struct cerr err;
	char pod[ID_SIZE];

	while (d != NULL && (e = readdir(d)) != NULL &&
	       sandbox_nctrs < SHIMRUN_CTRS_MAX) {
		if (id_valid(e->d_name) &&
		    shim_pod_of(a, e->d_name, pod, &err) == 0 &&
		    strcmp(pod, a->pod) == 0)
			memcpy(sandbox_ctrs[sandbox_nctrs++], e->d_name,
			    ID_SIZE);
	}
	if (d != NULL)
		(void)closedir(d);
}

/* A shim does not end while it has a container. */
static int
sandbox_end(const struct shim_args *a, struct shim *s, struct cerr *err)
{
	Task__Shutdown m = TASK__SHUTDOWN__INIT;
	int ret = 0;
	char id[ID_SIZE];

	for (size_t i = 0; i <= sandbox_nctrs; i++) {
		const char *ctr = i < sandbox_nctrs ? sandbox_ctrs[i] : a->pod;

		if (shim_task_end(s, ctr, err) == -1)
			ret = -1;
		/* One that hangs is not asked again. */
		if (ret == -1 && err->code == CERR_DEADLINE_EXCEEDED)
			return -1;
	}
	(void)snprintf(id, sizeof(id), "%s", a->pod);
	m.id = id;
	m.now = true;
	/* It may end before it answers. */
	if (shim_call(s, "Shutdown", &m, NULL, NULL, SHIMRUN_ASK_MS, err) ==
		-1 &&
	    err->code != CERR_UNAVAILABLE)
		return -1;
	return ret;
}

/* A process that runs the shim's program with the pod's id as an argument. */
static bool
sandbox_is_shim(const struct shim_args *a, const char *pid)
{
	char path[64], buf[SHIM_PATH_MAX];
	struct stat exe, shim;
	CLEANUP_FD int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%.16s/exe", pid);
	if (stat(path, &exe) == -1 || stat(a->shim, &shim) == -1 ||
	    exe.st_dev != shim.st_dev || exe.st_ino != shim.st_ino)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%.16s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd == -1 ? -1 : fdio_read_upto(fd, buf, sizeof(buf));
	return n > 0 && memmem(buf, (size_t)n, a->pod, strlen(a->pod)) != NULL;
}

static void
sandbox_kill_shims(const struct shim_args *a)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		int pidfd = isdigit((unsigned char)e->d_name[0])
				? pidfd_open((pid_t)atoi(e->d_name), 0)
				: -1;

		/* Looked at once it cannot become another. */
		if (pidfd != -1 && sandbox_is_shim(a, e->d_name)) {
			(void)fprintf(stderr, "the pod's shim was killed\n");
			(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		}
		fdio_close(&pidfd);
	}
	if (d != NULL)
		(void)closedir(d);
}

/* After its Shutdown it hangs up; one that does not is ended. */
static void
sandbox_gone(const struct shim_args *a, int sock)
{
	struct pollfd p = { sock, 0, 0 };

	if (sock == -1 || poll(&p, 1, SHIMRUN_GONE_MS) != 1 ||
	    (p.revents & POLLHUP) == 0)
		sandbox_kill_shims(a);
}

static void
sandbox_stop(const struct shim_args *a)
{
	struct cerr err;
	CLEANUP_FD int sock = shim_connect(a, a->pod, &err);
	bool well = false;

	sandbox_find(a);
	if (sock != -1)
		well = shim_apart(a, sock, sandbox_end) == 0;
	sandbox_gone(a, sock);
	shim_clean(a, a->pod, !well);
}

static int
sandbox_start(const struct shim_args *a, int dir, struct cerr *err)
{
	CLEANUP_FD int sock = -1;

	if (shim_bundle(a, a->pod, SHIMRUN_SANDBOX, err) == -1 ||
	    sandbox_root(a, err) == -1 || shim_launch(a, err) == -1)
		return -1;
	sock = shim_connect(a, a->pod, err);
	if (sock != -1 && shim_apart(a, sock, sandbox_make) == 0)
		return shim_write(dir, SHIM_READY, "", err);
	sandbox_stop(a);
	return sock == -1 ? -1
			  : cerr_set(err, CERR_INTERNAL,
				"the pod's sandbox was not made");
}

/* One at a time in a pod, by a lock on its directory. */
static int
sandbox_need(const struct shim_args *a, struct cerr *err)
{
	char path[SHIM_PATH_MAX];
	CLEANUP_FD int dir = -1;

	if (shim_path(a, a->pod, NULL, path) == NULL ||
	    (mkdir(path, 0700) == -1 && errno != EEXIST))
		return cerr_errno(err, "sandbox");
	dir = shim_dir(a, a->pod, err);
	if (dir == -1)
		return -1;
	if (flock(dir, LOCK_EX) == -1)
		return cerr_errno(err, "sandbox");
	if (faccessat(dir, SHIM_READY, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return sandbox_start(a, dir, err);
}

/* ---- commands ---- */

static int
shimrun_create(const struct shim_args *a, struct cerr *err)
{
	struct shim_proxy p = { .args = a };
	CLEANUP_FD int dir = -1;

	if (a->pod == NULL || !id_valid(a->pod) || a->bundle == NULL ||
	    a->rootfs == NULL || a->pidfile == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "create: options are missing");
	if (sandbox_need(a, err) == -1 ||
	    shim_bundle(a, a->id, SHIM_CONFIG, err) == -1)
		return -1;
	dir = shim_dir(a, a->id, err);
	if (dir == -1 || shim_write(dir, SHIM_POD, a->pod, err) == -1)
		return -1;
	return shim_proxy(&p, err);
}

static int
shimrun_exec_process(const struct shim_args *a, const char *id,
    struct cerr *err)
{
	struct shim_proxy p = { .args = a, .exec = id };
	CLEANUP_FREE char *text = malloc(SHIMRUN_PROCESS_MAX);
	/* A link to a descriptor of the launcher's. */
	CLEANUP_FD int fd = open(a->process, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	n = fd == -1 || text == NULL
		? -1
		: fdio_read_upto(fd, text, SHIMRUN_PROCESS_MAX);
	if (n == -1)
		return cerr_errno(err, "process of the exec");
	p.process = text;
	p.process_len = (size_t)n;
	return shim_proxy(&p, err);
}

/* The launcher names its file as the command. */
static int
shimrun_exec(const struct shim_args *a, struct cerr *err)
{
	const char *id = a->pidfile == NULL ? NULL : strrchr(a->pidfile, '/');

	if (a->process == NULL || id == NULL || !id_valid(id + 1))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "exec: options are missing");
	return shimrun_exec_process(a, id + 1, err);
}

/* The connection to the shim of a container's pod, as nobody. */
static struct shim *
shimrun_ask(const struct shim_args *a, struct cerr *err)
{
	char pod[ID_SIZE];
	int sock = -1;

	if (shim_pod_of(a, a->id, pod, err) == 0)
		sock = shim_connect(a, pod, err);
	return sock == -1 || shim_drop(a, err) == -1 ? NULL
						     : shim_open(sock, -1);
}

static int
shimrun_start(const struct shim_args *a, struct cerr *err)
{
	struct shim *s = shimrun_ask(a, err);

	return s == NULL ? -1 : shim_task_start(s, a->id, NULL, err);
}

static int
shimrun_kill(const struct shim_args *a, struct cerr *err)
{
	struct shim *s;
	long sig = a->signal == NULL ? 0 : strtol(a->signal, NULL, 10);

	if (sig < 1 || sig > SIGRTMAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "no such signal");
	s = shimrun_ask(a, err);
	return s == NULL
		   ? -1
		   : shim_task_kill(s, a->id, a->exec, (uint32_t)sig, err);
}

static int
shimrun_update(const struct shim_args *a, struct cerr *err)
{
	static char text[SHIMRUN_RESOURCES_MAX];
	/* A link to a descriptor of the launcher's. */
	CLEANUP_FD int fd = a->resources == NULL
				? -1
				: open(a->resources, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : fdio_read_upto(fd, text, sizeof(text));
	struct shim *s;

	if (n == -1)
		return cerr_errno(err, "resources");
	s = shimrun_ask(a, err);
	return s == NULL ? -1
			 : shim_task_update(s, a->id, text, (size_t)n, err);
}

static int
shimrun_end(const struct shim_args *a, struct shim *s, struct cerr *err)
{
	return shim_task_end(s, a->id, err);
}

/* A pod that was stopped took its containers along. */
static int
shimrun_delete(const struct shim_args *a, struct cerr *err)
{
	char pod[ID_SIZE];
	CLEANUP_FD int dir = -1;
	CLEANUP_FD int sock = -1;
	bool well = false;

	if (shim_pod_of(a, a->id, pod, err) == -1)
		return err->code == CERR_NOT_FOUND ? 0 : -1;
	dir = shim_dir(a, pod, err);
	if (dir != -1)
		sock = shim_connect(a, pod, err);
	if (sock != -1)
		well = shim_apart(a, sock, shimrun_end) == 0;
	shim_clean(a, a->id, dir != -1 && !well);
	return 0;
}

static int
shimrun_stop(const struct shim_args *a, struct cerr *err)
{
	struct shim_args pod = *a;
	CLEANUP_FD int dir = shim_dir(a, a->id, err);

	if (dir == -1)
		return err->code == CERR_NOT_FOUND ? 0 : -1;
	pod.pod = a->id;
	if (faccessat(dir, SHIM_CONFIG, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		sandbox_stop(&pod);
	return 0;
}

static const struct {
	const char *name;
	int words;
	int (*fn)(const struct shim_args *a, struct cerr *err);
} shimrun_commands[] = {
	{ "create", 1, shimrun_create },
	{ "start", 1, shimrun_start },
	{ "exec", 1, shimrun_exec },
	{ "kill", 2, shimrun_kill },
	{ "update", 1, shimrun_update },
	{ "delete", 1, shimrun_delete },
	{ "stop", 1, shimrun_stop },
};

/* ---- arguments; only the launcher and the administrator write them ---- */

enum shimrun_opt {
	OPT_ROOT,
	OPT_SHIM,
	OPT_EMPTY,
	OPT_PAUSE,
	OPT_CONFIG,
	OPT_POD,
	OPT_ROOTFS,
	OPT_BUNDLE,
	OPT_PIDFILE,
	OPT_CONSOLE,
	OPT_PROCESS,
	OPT_EXEC,
	OPT_LOG,
	OPT_RESOURCES,
	OPT_TEXTS, /* those above are strings */
	OPT_IDS,
	OPT_SYSTEMD,
	OPT_NONE,
};

static const struct option shimrun_options[] = {
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "shim", required_argument, NULL, OPT_SHIM },
	{ "empty", required_argument, NULL, OPT_EMPTY },
	{ "pause", required_argument, NULL, OPT_PAUSE },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "pod", required_argument, NULL, OPT_POD },
	{ "rootfs", required_argument, NULL, OPT_ROOTFS },
	{ "bundle", required_argument, NULL, OPT_BUNDLE },
	{ "pid-file", required_argument, NULL, OPT_PIDFILE },
	{ "console-socket", required_argument, NULL, OPT_CONSOLE },
	{ "process", required_argument, NULL, OPT_PROCESS },
	{ "exec", required_argument, NULL, OPT_EXEC },
	{ "ids", required_argument, NULL, OPT_IDS },
	{ "systemd-cgroup", no_argument, NULL, OPT_SYSTEMD },
	{ "resources", required_argument, NULL, OPT_RESOURCES },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "detach", no_argument, NULL, OPT_NONE },
	{ "force", no_argument, NULL, OPT_NONE },
	{ NULL, 0, NULL, 0 },
};

static int
shimrun_option(struct shim_args *a, int opt, const char *value)
{
	const char **texts[OPT_TEXTS] = {
		[OPT_ROOT] = &a->root,
		[OPT_SHIM] = &a->shim,
		[OPT_EMPTY] = &a->empty,
		[OPT_PAUSE] = &a->pause,
		[OPT_CONFIG] = &a->config,
		[OPT_POD] = &a->pod,
		[OPT_ROOTFS] = &a->rootfs,
		[OPT_BUNDLE] = &a->bundle,
		[OPT_PIDFILE] = &a->pidfile,
		[OPT_CONSOLE] = &a->console,
		[OPT_PROCESS] = &a->process,
		[OPT_EXEC] = &a->exec,
		[OPT_LOG] = &a->log,
		[OPT_RESOURCES] = &a->resources,
	};

	if (opt < 0 || opt > OPT_NONE)
		return -1;
	if (opt < OPT_TEXTS)
		*texts[opt] = value;
	else if (opt == OPT_SYSTEMD)
		a->systemd = true;
	else if (opt == OPT_IDS &&
		 (sscanf(value, "%u:%u", &a->uid, &a->gid) != 2 ||
		     a->uid == 0 || a->gid == 0))
		return -1;
	return 0;
}

static int
shimrun_usage(void)
{
	(void)fprintf(stderr, "shimrun: bad arguments\n");
	return 2;
}

/* To the log, where standard error is the command's. */
static void
shimrun_complain(const struct shim_args *a, const struct cerr *err)
{
	FILE *f = a->log == NULL ? NULL : fopen(a->log, "a");

	(void)fprintf(f == NULL ? stderr : f, "%s\n", err->text);
	if (f != NULL)
		(void)fclose(f);
}

static int
shimrun_run(struct shim_args *a, int argc, char **argv)
{
	struct cerr err = { 0 };

	for (size_t i = 0;
	     i < sizeof(shimrun_commands) / sizeof(shimrun_commands[0]); i++) {
		if (strcmp(argv[0], shimrun_commands[i].name) != 0 ||
		    argc != 1 + shimrun_commands[i].words)
			continue;
		a->id = argv[1];
		a->signal = argv[2];
		if (!id_valid(a->id))
			break;
		if (shimrun_commands[i].fn(a, &err) == 0)
			return 0;
		shimrun_complain(a, &err);
		return 1;
	}
	return shimrun_usage();
}

int
main(int argc, char **argv)
{
	struct shim_args a = { 0 };
	int opt;

	while (
	    (opt = getopt_long(argc, argv, "", shimrun_options, NULL)) != -1) {
		if (shimrun_option(&a, opt, optarg) == -1)
			return shimrun_usage();
	}
	if (a.root == NULL || a.shim == NULL || a.empty == NULL ||
	    a.pause == NULL || a.uid == 0 || optind >= argc)
		return shimrun_usage();
	return shimrun_run(&a, argc - optind, argv + optind);
}
