/* confine_enter for real, each case in a child of its own; needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/mount.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/confine.h"
#include "lib/filter.h"

extern const struct filter filter_t_confine;

static const struct confine_limit limits[] = {
	{ RLIMIT_CORE, 0 },
	{ -1, 0 },
};

static char dir[] = "/tmp/t_confine.XXXXXX";

static const struct confine full = {
	.role = "t_confine",
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.limits = limits,
	.filter = &filter_t_confine,
};

/* Runs body in a confined child; its wait status. */
static int
confined(const struct confine *c, uid_t uid, int (*body)(void))
{
	int status, root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t pid = fork();

	assert_true(pid != -1 && root != -1);
	if (pid == 0) {
		struct cerr err;

		if (confine_enter(c, root, uid, uid, &err) == -1) {
			dprintf(STDERR_FILENO, "%s\n", err.text);
			_exit(99);
		}
		_exit(body());
	}
	(void)close(root);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int
look(void)
{
	char buf[16];

	if (getuid() != 65534 || geteuid() != 65534)
		return 1;
	if (access("/proc", F_OK) == 0 || access("/etc", F_OK) == 0)
		return 2;
	if (access("/inside", F_OK) == -1)
		return 3;
	if (open("/../../../etc/passwd", O_RDONLY) != -1)
		return 4;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) != 1 ||
	    prctl(PR_GET_SECCOMP) != 2 || prctl(PR_GET_DUMPABLE) != 0)
		return 5;
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (prctl(PR_CAPBSET_READ, cap) == 1)
			return 6;
	}
	if (prctl(PR_GET_NAME, buf) == -1)
		return 7;
	return 0;
}

static void
everything_is_given_up(void **state)
{
	(void)state;
	assert_int_equal(confined(&full, 65534, look), 0);
}

static int
make_socket(void)
{
	(void)socket(AF_UNIX, SOCK_STREAM, 0);
	return 0;
}

static void
a_forbidden_call_kills(void **state)
{
	int status;

	(void)state;
	status = confined(&full, 65534, make_socket);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int
replace_handler(void)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };

	(void)sigaction(SIGSYS, &sa, NULL);
	return 0;
}

/* Else a process could outlive its first forbidden call. */
static void
the_handler_cannot_be_replaced(void **state)
{
	int status;

	(void)state;
	status = confined(&full, 65534, replace_handler);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static int
have_chown_only(void)
{
	if (chown("/inside", 12, 12) == -1)
		return 1;
	return setuid(0) == -1 ? 0 : 2;
}

static void
kept_capabilities_work(void **state)
{
	struct confine c = full;

	(void)state;
	c.caps = UINT64_C(1) << CAP_CHOWN;
	assert_int_equal(confined(&c, 65534, have_chown_only), 0);
}

static void
no_account_is_refused(void **state)
{
	int status;

	(void)state;
	status = confined(&full, 0, look);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 99);
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
		cmocka_unit_test(everything_is_given_up),
		cmocka_unit_test(a_forbidden_call_kills),
		cmocka_unit_test(the_handler_cannot_be_replaced),
		cmocka_unit_test(kept_capabilities_work),
		cmocka_unit_test(no_account_is_refused),
	};

	if (getuid() != 0) {
		print_message("needs root: skipped\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
