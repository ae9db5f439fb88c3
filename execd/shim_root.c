/*
 * What shimrun does as root: directories, the shim's own command line, and the
 * connection.  Of what the shim prints, only the socket's path is looked for.
 */
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/shim.h"
#include "lib/fdio.h"

#define ROOT_CONFIG_MAX (64U * 1024 * 1024)
#define ROOT_TEXT_MAX	4096
#define ROOT_START_MS	60000

char *
shim_path(const struct shim_args *a, const char *id, const char *name,
    char *buf)
{
	int n = snprintf(buf, SHIM_PATH_MAX, "%s/%s%s%s", a->root, id,
	    name != NULL ? "/" : "", name != NULL ? name : "");

	return n < 0 || n >= SHIM_PATH_MAX ? NULL : buf;
}

int
shim_dir(const struct shim_args *a, const char *id, struct cerr *err)
{
	char path[SHIM_PATH_MAX];
	int fd = -1;

	if (shim_path(a, id, NULL, path) != NULL)
		fd =
		    open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return cerr_set(err, CERR_NOT_FOUND, "%s is not there", id);
	return fd == -1 ? cerr_errno(err, "%s", id) : fd;
}

int
shim_write(int dir, const char *name, const char *text, struct cerr *err)
{
	CLEANUP_FD int fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd == -1 || fdio_write_all(fd, text, strlen(text)) == -1)
		return cerr_errno(err, "%s", name);
	return 0;
}

int
shim_read(int dir, const char *name, char *buf, size_t size, struct cerr *err)
{
	CLEANUP_FD int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd == -1 ? -1 : fdio_read_upto(fd, buf, size - 1);

	if (n == -1)
		return errno == ENOENT
			   ? cerr_set(err, CERR_NOT_FOUND, "no %s", name)
			   : cerr_errno(err, "%s", name);
	buf[n] = '\0';
	return 0;
}

int
shim_pod_of(const struct shim_args *a, const char *ctr, char pod[ID_SIZE],
    struct cerr *err)
{
	CLEANUP_FD int dir = shim_dir(a, ctr, err);

	if (dir == -1 || shim_read(dir, SHIM_POD, pod, ID_SIZE, err) == -1)
		return -1;
	return id_valid(pod) ? 0
			     : cerr_set(err, CERR_DATA_LOSS,
				   "container %s: of no pod", ctr);
}

/* ---- bundles ---- */

static int
root_copy_config(const struct shim_args *a, const char *from, int dir,
    struct cerr *err)
{
	CLEANUP_FD int bundle =
	    open(a->bundle, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP_FD int in =
	    bundle == -1 ? -1
			 : openat(bundle, from,
			       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CLEANUP_FREE char *text = NULL;
	struct stat st;

	if (in == -1 || fstat(in, &st) == -1)
		return cerr_errno(err, "%s", from);
	if (!S_ISREG(st.st_mode) || st.st_size > ROOT_CONFIG_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s: not a file of a bundle", from);
	text = calloc(1, (size_t)st.st_size + 1);
	if (text == NULL ||
	    fdio_read_upto(in, text, (size_t)st.st_size) != st.st_size)
		return cerr_errno(err, "%s", from);
	return shim_write(dir, SHIM_CONFIG, text, err);
}

int
shim_bundle(const struct shim_args *a, const char *id, const char *config,
    struct cerr *err)
{
	char path[SHIM_PATH_MAX];
	CLEANUP_FD int dir = -1;

	if (shim_path(a, id, NULL, path) == NULL ||
	    (mkdir(path, 0700) == -1 && errno != EEXIST))
		return cerr_errno(err, "bundle of %s", id);
	dir = shim_dir(a, id, err);
	if (dir == -1 || root_copy_config(a, config, dir, err) == -1)
		return -1;
	if (mkdirat(dir, SHIM_ROOTFS, 0700) == -1 && errno != EEXIST)
		return cerr_errno(err, "bundle of %s", id);
	return 0;
}

/* ---- the shim's command line ---- */

static void
root_exec(const struct shim_args *a, const char *id, const char *command,
    int dir, int out)
{
	char bundle[SHIM_PATH_MAX];
	const char *args[] = { a->shim, "-namespace", SHIM_NAMESPACE,
		"-address", "", "-publish-binary", "", "-id", id, "-bundle",
		shim_path(a, id, NULL, bundle), command, NULL };
	char *argv[sizeof(args) / sizeof(args[0])];
	/* Some read their options there, to its end. */
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	/* execve takes pointers to non-const but does not write. */
	memcpy(argv, args, sizeof(args));
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (fchdir(dir) == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1 ||
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == -1)
		_exit(127);
	(void)execv(a->shim, argv);
	_exit(127);
}

/* What it prints, to its end; its standard error is ours. */
static void
root_hear(int fd, char *text)
{
	struct pollfd p = { fd, POLLIN, 0 };
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < ROOT_TEXT_MAX - 1 &&
	       poll(&p, 1, ROOT_START_MS) > 0) {
		n = read(fd, text + len, ROOT_TEXT_MAX - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
}

/* SHIM COMMAND in R/ID: its exit code, or -1 with err. */
static int
root_run(const struct shim_args *a, const char *id, const char *command,
    char text[ROOT_TEXT_MAX], struct cerr *err)
{
	CLEANUP_FD int dir = shim_dir(a, id, err);
	int p[2], status;
	pid_t pid;

	if (dir == -1)
		return -1;
	if (pipe2(p, O_CLOEXEC) == -1)
		return cerr_errno(err, "pipe");
	pid = fork();
	if (pid == 0)
		root_exec(a, id, command, dir, p[1]);
	(void)close(p[1]);
	if (pid != -1)
		root_hear(p[0], text);
	(void)close(p[0]);
	if (pid == -1)
		return cerr_errno(err, "fork");
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return cerr_errno(err, "%s", a->shim);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/*
 * "unix:///PATH", alone or in the JSON of newer ones.  An abstract socket
 * is not taken: whoever shares the network namespace could reach it.
 */
static int
root_find_path(const char *text, char path[SHIM_PATH_MAX], struct cerr *err)
{
	static const char
	    prefix[] = "unix://",
	    set[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		"/._-+@";
	const char *p = strstr(text, prefix);
	size_t n;

	p = p == NULL ? text : p + sizeof(prefix) - 1;
	n = strspn(p, set);
	if (*p != '/' || n >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return cerr_set(err, CERR_INTERNAL,
		    "the shim printed no socket's path: %.128s", text);
	(void)snprintf(path, SHIM_PATH_MAX, "%.*s", (int)n, p);
	return 0;
}

int
shim_launch(const struct shim_args *a, struct cerr *err)
{
	char text[ROOT_TEXT_MAX], path[SHIM_PATH_MAX];
	CLEANUP_FD int dir = shim_dir(a, a->pod, err);
	int code;

	if (dir == -1)
		return -1;
	/* Its log: a FIFO to most, a file to all. */
	if (symlinkat("/dev/null", dir, "log") == -1 && errno != EEXIST)
		return cerr_errno(err, "shim's log");
	code = root_run(a, a->pod, "start", text, err);
	if (code == -1)
		return -1;
	if (code != 0)
		return cerr_set(err, CERR_INTERNAL,
		    "%s start failed (exit code %d)", a->shim, code);
	if (root_find_path(text, path, err) == -1)
		return -1;
	return shim_write(dir, SHIM_SOCKET, path, err);
}

void
shim_clean(const struct shim_args *a, const char *id, bool run)
{
	char text[ROOT_TEXT_MAX], path[SHIM_PATH_MAX];
	struct cerr err;

	if (run && root_run(a, id, "delete", text, &err) != 0)
		(void)fprintf(stderr, "%s delete failed\n", a->shim);
	if (shim_path(a, id, SHIM_ROOTFS, path) != NULL)
		(void)umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
}

/* ---- the connection ---- */

static int
root_dial(const char *path, struct cerr *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int ret;

	if (strlen(path) >= sizeof(sun.sun_path))
		return cerr_set(err, CERR_DATA_LOSS, "shim's path: too long");
	memcpy(sun.sun_path, path, strlen(path));
	if (fd == -1 ||
	    connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1)
		return cerr_set(err, CERR_UNAVAILABLE,
		    "the pod's shim does not answer");
	if (peer.uid != 0)
		return cerr_set(err, CERR_PERMISSION_DENIED,
		    "the pod's shim is not root's");
	ret = fd;
	fd = -1;
	return ret;
}

int
shim_connect(const struct shim_args *a, const char *pod, struct cerr *err)
{
	CLEANUP_FD int dir = shim_dir(a, pod, err);
	char path[SHIM_PATH_MAX];

	if (dir == -1 ||
	    shim_read(dir, SHIM_SOCKET, path, sizeof(path), err) == -1)
		return -1;
	return root_dial(path, err);
}
