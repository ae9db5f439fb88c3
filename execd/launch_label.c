#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_label.h"
#include "execd/launch_proc.h"
#include "execd/launch_run.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/mono.h"

#define LABEL_PROFILES	   "/sys/kernel/security/apparmor/profiles"
#define LABEL_CONTEXT	   "/sys/fs/selinux/context"
#define LABEL_PROFILES_MAX (1024 * 1024)
#define LABEL_WAIT_MS	   20000
#define LABEL_RUN_MS	   1000
#define LABEL_STEP_US	   1000

bool
label_listed(const char *profiles, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = profiles; p != NULL && *p != '\0';) {
		if (strncmp(p, name, len) == 0 &&
		    strncmp(p + len, " (", 2) == 0)
			return true;
		p = strchr(p, '\n');
		p += p != NULL;
	}
	return false;
}

static int
label_check_apparmor(const char *name, struct cerr *err)
{
	CLEANUP_FREE char *text = NULL;

	if (name[0] == '\0')
		return 0;
	text = malloc(LABEL_PROFILES_MAX);
	if (text == NULL || launch_read_file(AT_FDCWD, LABEL_PROFILES, text,
				LABEL_PROFILES_MAX) == -1)
		return cerr_errno(err, LABEL_PROFILES);
	if (label_listed(text, name))
		return 0;
	return cerr_set(err, CERR_FAILED_PRECONDITION,
	    "no AppArmor profile %.256s is loaded", name);
}

bool
label_valid(const char *label)
{
	size_t len = strlen(label);

	return len < LABEL_MAX &&
	       strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
			     "UVWXYZ0123456789_.:,-") == len;
}

const char *
label_option(const char *label, char buf[LABEL_MAX + 32])
{
	buf[0] = '\0';
	if (label[0] != '\0')
		(void)snprintf(buf, LABEL_MAX + 32, ",context=\"%s\"", label);
	return buf;
}

/* The policy's own spelling of a label, if it has that. */
static int
label_check_selinux(const char *label, char out[LABEL_MAX], struct cerr *err)
{
	CLEANUP_FD int fd = -1;
	size_t len = strlen(label) + 1;
	ssize_t n;

	if (label[0] == '\0')
		return 0;
	fd = open(LABEL_CONTEXT, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return cerr_errno(err, LABEL_CONTEXT);
	n = write(fd, label, len) == (ssize_t)len
		? pread(fd, out, LABEL_MAX - 1, 0)
		: -1;
	if (n > 0) {
		out[n] = '\0';
		return 0;
	}
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "selinux_options: the host's policy has no %.256s", label);
}

int
label_check_files(const char *label, struct cerr *err)
{
	char spelt[LABEL_MAX];

	if (!label_valid(label))
		return cerr_set(err, CERR_INVALID_ARGUMENT, "not a label");
	return label_check_selinux(label, spelt, err);
}

int
label_check(const struct fixed_ctr_create *c, struct fixed_launch_rec *r,
    struct cerr *err)
{
	_Static_assert(sizeof(r->selinux) == LABEL_MAX, "a label");
	if (label_check_apparmor(c->apparmor, err) == -1)
		return -1;
	memcpy(r->apparmor, c->apparmor, sizeof(r->apparmor));
	return label_check_selinux(c->selinux, r->selinux, err);
}

/*
 * Does attr of process pid say want, maybe with a part ("//HAT") and a mode
 * (" (enforce)") behind it?  -1: it does not.
 */
static int
label_attr(pid_t pid, const char *attr, const char *want, struct cerr *err)
{
	char path[64], text[LABEL_MAX + 64];
	const char *end = text + strlen(want);

	if (want[0] == '\0')
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/attr/%s", pid, attr);
	if (launch_read_file(AT_FDCWD, path, text, sizeof(text)) == -1)
		return cerr_errno(err, "%s", path);
	if (strncmp(text, want, strlen(want)) == 0 &&
	    (*end == '\0' || *end == '\n' || strncmp(end, "//", 2) == 0 ||
		strncmp(end, " (", 2) == 0))
		return 0;
	launch_clean_text(text);
	return cerr_set(err, CERR_INTERNAL,
	    "the runtime left it the label \"%.256s\" in place of %.256s", text,
	    want);
}

void
label_program_read(pid_t pid, struct label_program *p)
{
	char path[40];
	struct stat st;

	*p = (struct label_program){ 0 };
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st) == 0)
		*p = (struct label_program){ st.st_dev, st.st_ino };
}

static bool
label_program_new(pid_t pid, const struct label_program *before)
{
	struct label_program now;

	if (before->ino == 0)
		return false;
	label_program_read(pid, &now);
	return now.ino != 0 &&
	       (now.ino != before->ino || now.dev != before->dev);
}

static int
label_look(const struct fixed_launch_rec *r, struct cerr *err)
{
	if (label_attr((pid_t)r->pid, "apparmor/current", r->apparmor, err) ==
	    -1)
		return -1;
	return label_attr((pid_t)r->pid, "current", r->selinux, err);
}

/*
 * The runtime was told to start it, and may not have got to that yet.  Once
 * there is another program, the label follows at once.
 */
int
label_verify(const struct fixed_launch_rec *r,
    const struct label_program *before, struct cerr *err)
{
	CLEANUP_FD int pidfd = proc_open((pid_t)r->pid, r->start_time);
	struct mono end = mono_after_ms(LABEL_WAIT_MS), soon = mono_none();

	while (pidfd != -1 && label_look(r, err) == -1) {
		if (proc_wait(pidfd, 0))
			return 0; /* none of our business here */
		if (mono_passed(end) || mono_passed(soon))
			return -1;
		if (!mono_is_set(soon) &&
		    label_program_new((pid_t)r->pid, before))
			soon = mono_after_ms(LABEL_RUN_MS);
		(void)usleep(LABEL_STEP_US);
	}
	return 0;
}

/* ---- criod's own profile ---- */

/*
 * A container is master of what its namespaces hold, and of nothing else:
 * what it may do there its capabilities, filter and mounts say.  This is for
 * when one of those fails.
 */
static const char label_profile[] =
    "profile criod-default flags=(attach_disconnected, mediate_deleted) {\n"
    "  capability,\n"
    "  file,\n"
    "  network,\n"
    "  umount,\n"
    "  unix,\n"
    "  dbus,\n"
    /* Stopped by criod, by the runtime, and among themselves. */
    "  signal (receive) peer=unconfined,\n"
    "  signal (receive) peer={crun,runc,criod},\n"
    "  signal (send, receive) peer=criod-default,\n"
    "  ptrace (trace, read, tracedby, readby) peer=criod-default,\n"
    "  deny mount,\n"
    "  deny remount,\n"
    "  deny pivot_root,\n"
    "  deny ptrace (trace, read) peer=unconfined,\n"
    /* The host's memory, firmware and policies. */
    "  deny /proc/{kcore,kmem,mem,kpage*,sysrq-trigger} rwklx,\n"
    "  deny /sys/firmware/** rwklx,\n"
    "  deny /sys/devices/virtual/powercap/** rwklx,\n"
    "  deny /sys/kernel/security/** rwklx,\n"
    /* Settings that no namespace keeps apart. */
    "  deny /proc/sys/[^fkn]** wklx,\n"
    "  deny /proc/sys/fs/[^m]** wklx,\n"
    "  deny /proc/sys/fs/m[^q]** wklx,\n"
    "  deny /proc/sys/kernel/[^ms]** wklx,\n"
    "  deny /proc/sys/kernel/m[^s]** wklx,\n"
    "  deny /proc/sys/kernel/s[^eh]** wklx,\n"
    "  deny /proc/sys/kernel/seccomp/** wklx,\n"
    "  deny /proc/{bus,fs,irq}/** wklx,\n"
    "  deny /proc/acpi/** rwklx,\n"
    "  deny /sys/[^f]** wklx,\n"
    "  deny /sys/f[^s]** wklx,\n"
    "  deny /sys/fs/[^c]** wklx,\n"
    "  deny /sys/fs/c[^g]** wklx,\n"
    "}\n";

static const char *const label_parsers[] = { "/usr/sbin/apparmor_parser",
	"/sbin/apparmor_parser" };

/* The parser needs one capability, and files that are root's. */
static int
label_parser_caps(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
		0 };
	const unsigned int keep = CAP_MAC_ADMIN;
	struct __user_cap_data_struct data[2];

	for (unsigned int i = 0; i <= CAP_LAST_CAP; i++) {
		if (i != keep && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == -1 &&
		    errno != EINVAL)
			return -1;
	}
	memset(data, 0, sizeof(data));
	data[CAP_TO_INDEX(keep)].permitted =
	    data[CAP_TO_INDEX(keep)].effective = CAP_TO_MASK(keep);
	return (int)syscall(SYS_capset, &head, data);
}

static void
label_parser_exec(const char *parser)
{
	char replace[] = "--replace", fresh[] = "--skip-cache",
	     quiet[] = "--quiet", name[] = "apparmor_parser";
	char *argv[] = { name, replace, fresh, quiet, NULL };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int text = fdio_memfd_sealed("profile", label_profile,
	    sizeof(label_profile) - 1);
	int fds[3] = { text, null, STDERR_FILENO };

	if (text != -1 && null != -1 && chdir("/") == 0 &&
	    label_parser_caps() == 0) {
		run_settle(fds, 3);
		(void)execve(parser, argv, run_environ());
	}
	_exit(127);
}

static int
label_parser_run(const char *parser)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		label_parser_exec(parser);
	while (pid != -1 && waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return -1;
	}
	return status;
}

void
label_load_default(const struct launch *l)
{
	size_t i = 0;

	if (!l->apparmor)
		return;
	while (i < 2 && access(label_parsers[i], X_OK) == -1)
		i++;
	if (i == 2)
		log_warn("AppArmor: no apparmor_parser: criod-default is not "
			 "loaded, and containers that need it will fail");
	else if (label_parser_run(label_parsers[i]) != 0)
		log_warn("AppArmor: criod-default could not be loaded, and "
			 "containers that need it will fail");
	else
		log_info("AppArmor: criod-default is loaded");
}
