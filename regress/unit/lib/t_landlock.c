/*
 * confine_enter on kernels whose Landlock knows less: a seccomp listener
 * answers landlock_create_ruleset(2) as they do, who say their version and
 * refuse what they do not know, and lets the kernel that is there do the rest.
 * Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/confine.h"

extern const struct filter filter_t_landlock;

#define OLD_WORDS 3 /* of a ruleset: files, network, scopes */
#define NOBODY	  65534

/* What each version knows: bits of each word (landlock(7)). */
static const struct {
	unsigned int bits[OLD_WORDS];
	size_t words;
} versions[] = {
	{ { 0, 0, 0 }, 0 },
	{ { 13, 0, 0 }, 1 },
	{ { 14, 0, 0 }, 1 },
	{ { 15, 0, 0 }, 1 },
	{ { 15, 2, 0 }, 2 },
	{ { 16, 2, 0 }, 2 },
	{ { 16, 2, 2 }, 3 },
};
#define NVERSIONS (sizeof(versions) / sizeof(versions[0]))

/* ---- the kernel that is played ---- */

struct old {
	size_t abi;
	uint64_t asked[OLD_WORDS];
	bool asks; /* a ruleset was made */
};

static uint64_t
old_mask(const struct old *o, size_t word)
{
	return (UINT64_C(1) << versions[o->abi].bits[word]) - 1;
}

/* 0, or the error that it has. */
static int
old_judge(struct old *o, int pid, uint64_t at, uint64_t size)
{
	char path[64];
	int mem;

	if (o->abi == 0)
		return ENOSYS;
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(mem != -1 && size <= sizeof(o->asked));
	assert_int_equal(pread(mem, o->asked, size, (off_t)at), size);
	(void)close(mem);
	o->asks = true;
	for (size_t i = 0; i < OLD_WORDS; i++) {
		if (i >= versions[o->abi].words && o->asked[i] != 0)
			return E2BIG;
		if ((o->asked[i] & ~old_mask(o, i)) != 0)
			return EINVAL;
	}
	return 0;
}

static void
old_answer(struct old *o, int listener)
{
	struct seccomp_notif req;
	struct seccomp_notif_resp resp;
	const uint64_t *args = (const uint64_t *)req.data.args;

	memset(&req, 0, sizeof(req));
	memset(&resp, 0, sizeof(resp));
	assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &req), 0);
	resp.id = req.id;
	if (args[2] == LANDLOCK_CREATE_RULESET_VERSION && o->abi != 0) {
		resp.val = (int64_t)o->abi;
	} else {
		resp.error = -old_judge(o, (int)req.pid, args[0], args[1]);
		if (resp.error == 0)
			resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	}
	assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp), 0);
}

/* Until nobody is left who could ask. */
static void
old_serve(struct old *o, int listener)
{
	struct pollfd p = { listener, POLLIN, 0 };

	while (poll(&p, 1, -1) == 1 && (p.revents & POLLIN) != 0)
		old_answer(o, listener);
	(void)close(listener);
}

static int
old_listener(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset,
		    0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
}

/* ---- who is confined ---- */

static char dir[] = "/tmp/t_landlock.XXXXXX";

static const struct confine no_files = {
	.role = "t_landlock",
	.landlock = CONFINE_LANDLOCK_NO_FILES,
	.filter = &filter_t_landlock,
};
static const struct confine own_root = {
	.role = "t_landlock",
	.own_root = true,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.filter = &filter_t_landlock,
};

/* 0: a file that anyone may read can be read; else why not. */
static int
open_file(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC) == -1 ? errno : 0;
}

static void
old_child(const struct confine *c, const char *path, int said)
{
	int root = c->own_root ? open(dir, O_RDONLY | O_DIRECTORY) : -1;
	int listener = old_listener();
	struct cerr err;
	char go;

	if (listener == -1 || write(said, &listener, sizeof(listener)) == -1 ||
	    read(said, &go, 1) != 1)
		_exit(97);
	(void)close(listener);
	(void)close(said);
	if (confine_enter(c, root, NOBODY, NOBODY, &err) == -1) {
		(void)dprintf(STDERR_FILENO, "%s\n", err.text);
		_exit(99);
	}
	_exit(open_file(path));
}

/* What comes of it in a process that is confined on such a kernel. */
static int
on_kernel(struct old *o, const struct confine *c, const char *path)
{
	int pair[2], theirs, listener, pidfd, status;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0)
		old_child(c, path, pair[1]);
	assert_int_equal(read(pair[0], &theirs, sizeof(theirs)),
	    sizeof(theirs));
	pidfd = pidfd_open(pid, 0);
	listener = pidfd_getfd(pidfd, theirs, 0);
	assert_true(pidfd != -1 && listener != -1);
	assert_int_equal(write(pair[0], "", 1), 1);
	old_serve(o, listener);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)close(pidfd);
	(void)close(pair[0]);
	(void)close(pair[1]);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ---- tests ---- */

/* Of the kernel that is there. */
static size_t
last_version(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 1)
		return 0;
	return (size_t)abi < NVERSIONS ? (size_t)abi : NVERSIONS - 1;
}

static void
without_it_files_can_be_read(void **state)
{
	struct old o = { 0 };

	(void)state;
	assert_int_equal(on_kernel(&o, &no_files, "/etc/passwd"), 0);
	assert_false(o.asks);
}

static void
every_version_forbids_files(void **state)
{
	(void)state;
	for (size_t abi = 1; abi <= last_version(); abi++) {
		struct old o = { .abi = abi };

		print_message("version %zu\n", abi);
		assert_int_equal(on_kernel(&o, &no_files, "/etc/passwd"),
		    EACCES);
		/* All that it has of files is asked for. */
		assert_true(o.asked[0] == old_mask(&o, 0));
	}
}

static void
every_version_leaves_the_own_root(void **state)
{
	(void)state;
	for (size_t abi = 1; abi <= last_version(); abi++) {
		struct old o = { .abi = abi };

		print_message("version %zu\n", abi);
		assert_int_equal(on_kernel(&o, &own_root, "/inside"), 0);
		assert_true(o.asked[0] == old_mask(&o, 0));
	}
}

static int
make_dir(void **state)
{
	char path[64];
	int fd;

	(void)state;
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) == -1)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/inside", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	return fd == -1 ? -1 : close(fd);
}

static int
remove_dir(void **state)
{
	char path[64];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/inside", dir);
	(void)unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_it_files_can_be_read),
		cmocka_unit_test(every_version_forbids_files),
		cmocka_unit_test(every_version_leaves_the_own_root),
	};

	if (getuid() != 0) {
		print_message("needs root: skipped\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
