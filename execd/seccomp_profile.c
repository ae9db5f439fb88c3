#include <linux/capability.h>

#include <sys/socket.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "execd/caps.h"
#include "execd/seccomp_profile.h"

/*
 * Every container: nothing here reaches beyond its namespaces and its own
 * processes.
 */
static const char *const seccomp_allowed[] = { "_llseek", "_newselect",
	"accept", "accept4", "access", "adjtimex", "alarm", "arch_prctl",
	"bind", "brk", "cachestat", "capget", "capset", "chdir", "chmod",
	"chown", "chown32", "clock_adjtime", "clock_adjtime64", "clock_getres",
	"clock_getres_time64", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "close", "close_range",
	"connect", "copy_file_range", "creat", "dup", "dup2", "dup3",
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old",
	"epoll_pwait", "epoll_pwait2", "epoll_wait", "epoll_wait_old",
	"eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group",
	"faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate",
	"fanotify_mark", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown",
	"fchown32", "fchownat", "fcntl", "fcntl64", "fdatasync", "fgetxattr",
	"file_getattr", "file_setattr", "flistxattr", "flock", "fork",
	"fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs",
	"fstatfs64", "fsync", "ftruncate", "ftruncate64", "futex",
	"futex_requeue", "futex_time64", "futex_wait", "futex_waitv",
	"futex_wake", "futimesat", "get_robust_list", "get_thread_area",
	"getcpu", "getcwd", "getdents", "getdents64", "getegid", "getegid32",
	"geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
	"getgroups32", "getitimer", "getpeername", "getpgid", "getpgrp",
	"getpid", "getppid", "getpriority", "getrandom", "getresgid",
	"getresgid32", "getresuid", "getresuid32", "getrlimit", "getrusage",
	"getsid", "getsockname", "getsockopt", "gettid", "gettimeofday",
	"getuid", "getuid32", "getxattr", "getxattrat", "inotify_add_watch",
	"inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel",
	"io_destroy", "io_getevents", "io_pgetevents", "io_pgetevents_time64",
	"io_setup", "io_submit", "ioctl", "ioprio_get", "ioprio_set", "ipc",
	"kill", "landlock_add_rule", "landlock_create_ruleset",
	"landlock_restrict_self", "lchown", "lchown32", "lgetxattr", "link",
	"linkat", "listen", "listmount", "listxattr", "listxattrat",
	"llistxattr", "lremovexattr", "lseek", "lsetxattr", "lsm_get_self_attr",
	"lsm_list_modules", "lsm_set_self_attr", "lstat", "lstat64", "madvise",
	"map_shadow_stack", "membarrier", "memfd_create", "memfd_secret",
	"mincore", "mkdir", "mkdirat", "mknod", "mknodat", "mlock", "mlock2",
	"mlockall", "mmap", "mmap2", "modify_ldt", "mprotect", "mq_getsetattr",
	"mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64",
	"mq_timedsend", "mq_timedsend_time64", "mq_unlink", "mremap", "mseal",
	"msgctl", "msgget", "msgrcv", "msgsnd", "msync", "munlock",
	"munlockall", "munmap", "name_to_handle_at", "nanosleep", "newfstatat",
	"open", "openat", "openat2", "pause", "pidfd_open", "pidfd_send_signal",
	"pipe", "pipe2", "pkey_alloc", "pkey_free", "pkey_mprotect", "poll",
	"ppoll", "ppoll_time64", "prctl", "pread64", "preadv", "preadv2",
	"prlimit64", "process_mrelease", "process_vm_readv",
	"process_vm_writev", "pselect6", "pselect6_time64", "ptrace",
	"pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink",
	"readlinkat", "readv", "recv", "recvfrom", "recvmmsg",
	"recvmmsg_time64", "recvmsg", "remap_file_pages", "removexattr",
	"removexattrat", "rename", "renameat", "renameat2", "restart_syscall",
	"rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
	"rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
	"rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sched_get_priority_max",
	"sched_get_priority_min", "sched_getaffinity", "sched_getattr",
	"sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
	"sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr",
	"sched_setparam", "sched_setscheduler", "sched_yield", "seccomp",
	"select", "semctl", "semget", "semop", "semtimedop",
	"semtimedop_time64", "send", "sendfile", "sendfile64", "sendmmsg",
	"sendmsg", "sendto", "set_robust_list", "set_thread_area",
	"set_tid_address", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32",
	"setgid", "setgid32", "setgroups", "setgroups32", "setitimer",
	"setpgid", "setpriority", "setregid", "setregid32", "setresgid",
	"setresgid32", "setresuid", "setresuid32", "setreuid", "setreuid32",
	"setrlimit", "setsid", "setsockopt", "setuid", "setuid32", "setxattr",
	"setxattrat", "shmat", "shmctl", "shmdt", "shmget", "shutdown",
	"sigaltstack", "signalfd", "signalfd4", "sigprocmask", "sigreturn",
	"socketpair", "splice", "stat", "stat64", "statfs", "statfs64",
	"statmount", "statx", "symlink", "symlinkat", "sync", "sync_file_range",
	"syncfs", "sysinfo", "tee", "tgkill", "time", "timer_create",
	"timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64",
	"timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime",
	"timerfd_gettime64", "timerfd_settime", "timerfd_settime64", "times",
	"tkill", "truncate", "truncate64", "ugetrlimit", "umask", "uname",
	"unlink", "unlinkat", "uretprobe", "utime", "utimensat",
	"utimensat_time64", "utimes", "vfork", "vmsplice", "wait4", "waitid",
	"waitpid", "write", "writev", NULL };

static const char *const seccomp_admin[] = { "fanotify_init", "fsconfig",
	"fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
	"open_tree", "open_tree_attr", "pivot_root", "quotactl", "quotactl_fd",
	"setdomainname", "sethostname", "setns", "umount", "umount2", NULL };

/* With CAP_SYS_ADMIN; without it limited by argument, see below. */
static const char *const seccomp_ruled[] = { "clone", "clone3", "socket",
	"unshare", NULL };

static const char *const seccomp_boot[] = { "reboot", NULL };

static const char *const seccomp_chroot[] = { "chroot", NULL };

static const char *const seccomp_module[] = { "delete_module", "finit_module",
	"init_module", NULL };

static const char *const seccomp_pacct[] = { "acct", NULL };

static const char *const seccomp_ptrace[] = { "kcmp", "pidfd_getfd",
	"process_madvise", NULL };

static const char *const seccomp_rawio[] = { "ioperm", "iopl", NULL };

static const char *const seccomp_time[] = { "clock_settime", "clock_settime64",
	"settimeofday", "stime", NULL };

static const char *const seccomp_tty[] = { "vhangup", NULL };

static const char *const seccomp_nice[] = { "get_mempolicy", "mbind",
	"migrate_pages", "move_pages", "set_mempolicy",
	"set_mempolicy_home_node", NULL };

static const char *const seccomp_syslog[] = { "syslog", NULL };

static const char *const seccomp_bpf[] = { "bpf", NULL };

static const char *const seccomp_perfmon[] = { "perf_event_open", NULL };

static const char *const seccomp_handle[] = { "open_by_handle_at", NULL };

/*
 * Whatever the capabilities: io_uring works past filters, keys have no
 * namespace, userfaultfd and 32-bit socketcall help exploits, the rest is
 * obsolete or the host's.
 */
static const char *const seccomp_never[] = { "_sysctl", "add_key",
	"io_uring_enter", "io_uring_register", "io_uring_setup",
	"kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie",
	"nfsservctl", "request_key", "socketcall", "swapoff", "swapon", "sysfs",
	"uselib", "userfaultfd", "ustat", "vm86", "vm86old", NULL };

/* The capabilities, any of which opens these calls. */
static const struct {
	uint64_t caps;
	const char *const *names;
} seccomp_gated[] = {
	{ CAPS_BIT(CAP_SYS_ADMIN), seccomp_admin },
	{ CAPS_BIT(CAP_SYS_BOOT), seccomp_boot },
	{ CAPS_BIT(CAP_SYS_CHROOT), seccomp_chroot },
	{ CAPS_BIT(CAP_SYS_MODULE), seccomp_module },
	{ CAPS_BIT(CAP_SYS_PACCT), seccomp_pacct },
	{ CAPS_BIT(CAP_SYS_PTRACE), seccomp_ptrace },
	{ CAPS_BIT(CAP_SYS_RAWIO), seccomp_rawio },
	{ CAPS_BIT(CAP_SYS_TIME), seccomp_time },
	{ CAPS_BIT(CAP_SYS_TTY_CONFIG), seccomp_tty },
	{ CAPS_BIT(CAP_SYS_NICE), seccomp_nice },
	{ CAPS_BIT(CAP_SYSLOG) | CAPS_BIT(CAP_SYS_ADMIN), seccomp_syslog },
	{ CAPS_BIT(CAP_BPF) | CAPS_BIT(CAP_SYS_ADMIN), seccomp_bpf },
	{ CAPS_BIT(CAP_PERFMON) | CAPS_BIT(CAP_SYS_ADMIN), seccomp_perfmon },
	{ CAPS_BIT(CAP_DAC_READ_SEARCH), seccomp_handle },
};

#define SECCOMP_NGATED (sizeof(seccomp_gated) / sizeof(seccomp_gated[0]))

/* CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}; TIME is unshare's alone. */
static const unsigned int seccomp_new[] = { 0x20000, 0x2000000, 0x4000000,
	0x8000000, 0x10000000, 0x20000000, 0x40000000 };
#define SECCOMP_CLONE_NEW 0x7e020000
#define SECCOMP_NEWTIME	  0x80

/*
 * Address families.  Not among them: AF_ALG, AF_VSOCK, and old protocols
 * whose modules a mere socket(2) would load.
 */
static const json_int_t seccomp_families[] = { AF_UNIX, AF_INET, AF_INET6,
	AF_NETLINK, AF_PACKET, AF_CAN, AF_SMC, AF_XDP };

/* Execution domains: Linux, 32-bit, both with a 2.6 release name; "which?". */
static const json_int_t seccomp_personas[] = { 0x0, 0x8, 0x20000, 0x20008,
	0xffffffff };

static const char *const seccomp_arches[] = {
#if defined(__x86_64__)
	"SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
#elif defined(__aarch64__)
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",
#endif
	NULL
};

static bool
seccomp_append(json_t *list, json_t *item)
{
	return json_array_append_new(list, item) == 0;
}

static json_t *
seccomp_names(const char *const *names)
{
	json_t *list = json_array();

	for (; list != NULL && *names != NULL; names++) {
		if (!seccomp_append(list, json_string(*names))) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool
seccomp_allow(json_t *calls, const char *const *names)
{
	return seccomp_append(calls,
	    json_pack("{s:o, s:s}", "names", seccomp_names(names), "action",
		"SCMP_ACT_ALLOW"));
}

static bool
seccomp_fail(json_t *calls, const char *const *names, int error)
{
	return seccomp_append(calls,
	    json_pack("{s:o, s:s, s:i}", "names", seccomp_names(names),
		"action", "SCMP_ACT_ERRNO", "errnoRet", error));
}

/* Applies if argument arg compares so; error 0: allowed. */
static bool
seccomp_rule(json_t *calls, const char *name, int arg, const char *op,
    json_int_t value, json_int_t value2, int error)
{
	json_t *rule = json_pack("{s:[s], s:s, s:[{s:i, s:I, s:I, s:s}]}",
	    "names", name, "action",
	    error == 0 ? "SCMP_ACT_ALLOW" : "SCMP_ACT_ERRNO", "args", "index",
	    arg, "value", value, "valueTwo", value2, "op", op);

	if (rule != NULL && error != 0)
		(void)json_object_set_new(rule, "errnoRet",
		    json_integer(error));
	return seccomp_append(calls, rule);
}

/* clone(2)'s flags are its first argument, but on s390. */
#if defined(__s390__) || defined(__s390x__)
#define SECCOMP_CLONE_ARG 1
#else
#define SECCOMP_CLONE_ARG 0
#endif

/* Allowed without any flag of mask, else EPERM. */
static bool
seccomp_no_new(json_t *calls, const char *name, int arg, unsigned int mask)
{
	bool ok =
	    seccomp_rule(calls, name, arg, "SCMP_CMP_MASKED_EQ", mask, 0, 0);

	for (size_t i = 0; i < sizeof(seccomp_new) / sizeof(seccomp_new[0]);
	     i++)
		ok = ok && seccomp_rule(calls, name, arg, "SCMP_CMP_MASKED_EQ",
			       seccomp_new[i], seccomp_new[i], EPERM);
	if (mask & SECCOMP_NEWTIME)
		ok = ok && seccomp_rule(calls, name, arg, "SCMP_CMP_MASKED_EQ",
			       SECCOMP_NEWTIME, SECCOMP_NEWTIME, EPERM);
	return ok;
}

/* Allowed if the first argument is one of these. */
static bool
seccomp_one_of(json_t *calls, const char *name, const json_int_t *values,
    size_t n)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		ok = ok && seccomp_rule(calls, name, 0, "SCMP_CMP_EQ",
			       values[i], 0, 0);
	return ok;
}

/*
 * One rule a family: they cost the runtime time at each start.  Those that
 * programs probe for get the error that says so.
 */
static bool
seccomp_socket(json_t *calls)
{
	return seccomp_one_of(calls, "socket", seccomp_families,
		   sizeof(seccomp_families) / sizeof(seccomp_families[0])) &&
	       seccomp_rule(calls, "socket", 0, "SCMP_CMP_EQ", AF_ALG, 0,
		   EAFNOSUPPORT) &&
	       seccomp_rule(calls, "socket", 0, "SCMP_CMP_EQ", AF_VSOCK, 0,
		   EAFNOSUPPORT);
}

/* What seccomp_ruled may still do without CAP_SYS_ADMIN. */
static bool
seccomp_unprivileged(json_t *calls)
{
	static const char *const clone3[] = { "clone3", NULL };

	/* clone3's flags are behind a pointer: libc falls back to clone. */
	return seccomp_no_new(calls, "clone", SECCOMP_CLONE_ARG,
		   SECCOMP_CLONE_NEW) &&
	       seccomp_no_new(calls, "unshare", 0,
		   SECCOMP_CLONE_NEW | SECCOMP_NEWTIME) &&
	       seccomp_fail(calls, clone3, ENOSYS) && seccomp_socket(calls);
}

static bool
seccomp_personality(json_t *calls)
{
	return seccomp_one_of(calls, "personality", seccomp_personas,
	    sizeof(seccomp_personas) / sizeof(seccomp_personas[0]));
}

static bool
seccomp_fill(json_t *calls, uint64_t caps)
{
	bool ok = seccomp_allow(calls, seccomp_allowed) &&
		  seccomp_fail(calls, seccomp_never, EPERM) &&
		  seccomp_personality(calls);

	if (caps & CAPS_BIT(CAP_SYS_ADMIN))
		ok = ok && seccomp_allow(calls, seccomp_ruled);
	else
		ok = ok && seccomp_unprivileged(calls);
	for (size_t i = 0; ok && i < SECCOMP_NGATED; i++) {
		if (caps & seccomp_gated[i].caps)
			ok = seccomp_allow(calls, seccomp_gated[i].names);
		else
			ok = seccomp_fail(calls, seccomp_gated[i].names, EPERM);
	}
	return ok;
}

json_t *
seccomp_profile_make(uint64_t caps)
{
	json_t *calls = json_array();

	if (calls == NULL || !seccomp_fill(calls, caps)) {
		json_decref(calls);
		return NULL;
	}
	return json_pack("{s:s, s:i, s:o, s:o}", "defaultAction",
	    "SCMP_ACT_ERRNO", "defaultErrnoRet", ENOSYS, "architectures",
	    seccomp_names(seccomp_arches), "syscalls", calls);
}
