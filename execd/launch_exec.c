/*
 * A command in a running container.  This job is the reaper of its process,
 * and ends what it started when its time is over.
 */
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr_flags.h"
#include "execd/launch.h"
#include "execd/launch_console.h"
#include "execd/launch_proc.h"
#include "execd/launch_run.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mono.h"

#define EXEC_PIDS_MAX	   4096
#define EXEC_ROUNDS	   64
#define EXEC_ROUND_US	   2000
#define EXEC_PATH_SIZE	   40
#define EXEC_PID_SIZE	   16
#define EXEC_LOG_SIZE	   4096
#define EXEC_START_SECONDS 100
#define EXEC_HANG_SECONDS  120

struct exec {
	const struct launch *l;
	const struct fixed_exec *e;
	struct fixed_launch_rec rec;
	char root[LAUNCH_PATH_MAX], pidfile[LAUNCH_PATH_MAX];
	char inner[LAUNCH_PATH_MAX]; /* its number inside of a sandbox */
	char inner_pid[EXEC_PID_SIZE];
	char process[EXEC_PATH_SIZE], log[EXEC_PATH_SIZE];
	int logfd;
	int stdio[3]; /* what was passed, or null */
	struct console console;
	pid_t pid;
	int pidfd;
	pid_t session; /* 0: not known */
};

/* What of a container belongs to the command: its session, its descendants. */
struct exec_tree {
	pid_t session;
	pid_t pids[EXEC_PIDS_MAX], parents[EXEC_PIDS_MAX];
	uint64_t starts[EXEC_PIDS_MAX];
	bool ours[EXEC_PIDS_MAX];
	size_t n;
	/* Those that were ours before: their parents may be gone now. */
	pid_t old_pids[EXEC_PIDS_MAX];
	uint64_t old_starts[EXEC_PIDS_MAX];
	size_t nold;
};

/* Behind the process description, in order; what is not there is null. */
static int
exec_stdio(struct exec *x, const struct launch_op *op, struct cerr *err)
{
	static const uint32_t has[3] = { EXEC_HAS_STDIN, EXEC_HAS_STDOUT,
		EXEC_HAS_STDERR };
	uint32_t flags = x->e->flags;
	int null = run_null(x->l);
	size_t n = 1;

	if (null == -1)
		return cerr_errno(err, "exec");
	for (size_t i = 0; i < 3; i++) {
		x->stdio[i] = null;
		if ((flags & has[i]) != 0 && n++ < op->nfds)
			x->stdio[i] = op->fds[n - 1];
	}
	if (n != op->nfds || flags >= EXEC_HAS_TTY << 1 ||
	    ((flags & EXEC_HAS_TTY) != 0 && flags != EXEC_HAS_TTY))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "exec: flags and descriptors do not agree");
	return 0;
}

static int
exec_prepare(struct exec *x, const struct launch_op *op, struct cerr *err)
{
	int seals = fcntl(op->fds[0], F_GET_SEALS);

	if (launch_check_id("container", x->e->ctr, err) == -1 ||
	    launch_check_id("exec", x->e->exec, err) == -1 ||
	    launch_record_read(x->l, x->e->ctr, &x->rec, err) == -1 ||
	    exec_stdio(x, op, err) == -1)
		return -1;
	if (seals == -1 || (seals & F_SEAL_WRITE) == 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "process description is not a sealed memfd");
	if (launch_state_path(x->l, x->pidfile, sizeof(x->pidfile),
		"launch/exec", x->e->exec) == NULL ||
	    snprintf(x->inner, sizeof(x->inner), "%s.in", x->pidfile) >=
		(int)sizeof(x->inner))
		return cerr_set(err, CERR_INTERNAL, "state path too long");
	x->logfd = memfd_create("runtime-log", MFD_CLOEXEC);
	if (x->logfd == -1)
		return cerr_errno(err, "exec");
	/* Through this process: nothing but 0 to 2 goes to the runtime. */
	(void)snprintf(x->process, sizeof(x->process), "/proc/%d/fd/%d",
	    getpid(), op->fds[0]);
	(void)snprintf(x->log, sizeof(x->log), "/proc/%d/fd/%d", getpid(),
	    x->logfd);
	return 0;
}

static int
exec_read_pid(struct exec *x, struct cerr *err)
{
	char text[16];
	struct proc_stat st;

	if (launch_read_file(x->l->dirs[LAUNCH_DIR_SCRATCH], x->e->exec, text,
		sizeof(text)) <= 0)
		return cerr_set(err, CERR_INTERNAL, "the runtime wrote no pid");
	x->pid = (pid_t)strtol(text, NULL, 10);
	/* It is our child until we have waited for it: no other can have its
	 * number. */
	if (x->pid <= 1 || proc_stat_read(x->pid, &st) == -1 ||
	    st.ppid != getpid())
		return cerr_set(err, CERR_INTERNAL,
		    "the runtime named a process that is not the command's");
	x->session = st.session;
	x->pidfd = pidfd_open(x->pid, 0);
	return x->pidfd == -1 ? cerr_errno(err, "pidfd_open") : 0;
}

static int
exec_failed(struct exec *x, const struct run *r, int code, struct cerr *err)
{
	struct run said = *r;
	ssize_t n;

	if (!r->killed) {
		n = pread(x->logfd, said.text, EXEC_LOG_SIZE - 1, 0);
		said.text[n < 0 ? 0 : n] = '\0';
		launch_clean_text(said.text);
	}
	return run_failed(&said, "exec", code, err);
}

/* What runsc names is only its own waiting process. */
static bool
exec_sandboxed(const struct exec *x)
{
	return x->l->runtimes[x->e->runtime].type == LAUNCH_RUNTIME_GVISOR;
}

/* Keeps what the files say that is needed later. */
static void
exec_forget(struct exec *x)
{
	static const struct {
		const char *before, *after;
	} names[] = { { "", "" }, { "", ".in" }, { ".", "" } }; /* runc's */
	int dir = x->l->dirs[LAUNCH_DIR_SCRATCH];
	char name[ID_SIZE + 4];

	if (launch_read_file(AT_FDCWD, x->inner, x->inner_pid,
		sizeof(x->inner_pid)) <= 0)
		x->inner_pid[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s%s%s", names[i].before,
		    x->e->exec, names[i].after);
		(void)unlinkat(dir, name, 0);
	}
}

/* Standard input, output and error, or a terminal's other end. */
static int
exec_streams(struct exec *x, struct run *r, struct cerr *err)
{
	if ((x->e->flags & EXEC_HAS_TTY) == 0) {
		r->in = x->stdio[0];
		r->out = x->stdio[1];
		r->err = x->stdio[2];
		return 0;
	}
	if (console_open(&x->console, x->l, x->e->exec, err) == -1)
		return -1;
	run_add(r, "--console-socket");
	run_add(r, x->console.path);
	return 0;
}

/* execd gets the terminal while the command runs. */
static int
exec_terminal(struct exec *x, struct cerr *err)
{
	struct fixed_exec_tty tty;
	int fd, sent;

	if ((x->e->flags & EXEC_HAS_TTY) == 0)
		return 0;
	fd = console_take(&x->console, err);
	if (fd == -1)
		return -1;
	memcpy(tty.exec, x->e->exec, sizeof(tty.exec));
	sent = launch_note(MSG_L_EXEC_TTY, &tty, fd);
	fdio_close(&fd);
	return sent == 0 ? 0 : cerr_set(err, CERR_CANCELLED, "not wanted");
}

static bool
exec_tree_known(const struct exec_tree *t, pid_t pid, uint64_t start)
{
	for (size_t i = 0; i < t->nold; i++) {
		if (t->old_pids[i] == pid && t->old_starts[i] == start)
			return true;
	}
	return false;
}

static void
exec_tree_add(pid_t pid, void *arg)
{
	struct exec_tree *t = arg;
	struct proc_stat st;

	if (t->n == EXEC_PIDS_MAX || proc_stat_read(pid, &st) == -1 ||
	    st.state == 'Z' || st.state == 'X')
		return;
	t->pids[t->n] = pid;
	t->parents[t->n] = st.ppid;
	t->starts[t->n] = st.start_time;
	/* Not known, or this job's: before the runtime's child had its own. */
	if (st.ppid == getpid() && (t->session == 0 || t->session == getpid()))
		t->session = st.session;
	t->ours[t->n++] = st.ppid == getpid() ||
			  (t->session != 0 && st.session == t->session) ||
			  exec_tree_known(t, pid, st.start_time);
}

static bool
exec_tree_child(const struct exec_tree *t, size_t i)
{
	for (size_t j = 0; j < t->n; j++) {
		if (t->ours[j] && t->pids[j] == t->parents[i])
			return true;
	}
	return false;
}

/* Children of what is ours are ours, until nothing changes. */
static size_t
exec_tree_close(struct exec_tree *t)
{
	bool changed = true;
	size_t count = 0;

	while (changed) {
		changed = false;
		for (size_t i = 0; i < t->n; i++) {
			if (t->ours[i] || !exec_tree_child(t, i))
				continue;
			t->ours[i] = changed = true;
		}
	}
	for (size_t i = 0; i < t->n; i++)
		count += t->ours[i] ? 1 : 0;
	return count;
}

static size_t
exec_tree_signal(struct exec *x, struct exec_tree *t, int sig)
{
	size_t count;

	t->n = 0;
	cgroup_each(&x->l->cgroups, x->rec.cgroup, exec_tree_add, t);
	count = exec_tree_close(t);
	t->nold = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (!t->ours[i])
			continue;
		(void)kill(t->pids[i], sig);
		t->old_pids[t->nold] = t->pids[i];
		t->old_starts[t->nold++] = t->starts[i];
	}
	return count;
}

/* The command alone: what it started inside is the sandbox's to know. */
static void
exec_kill_inner(struct exec *x)
{
	struct cerr err;
	struct run r;

	bool shim = x->l->runtimes[x->e->runtime].type == LAUNCH_RUNTIME_VM;

	if ((!shim && x->inner_pid[0] == '\0') ||
	    run_begin(&r, x->l, x->e->runtime, x->root, sizeof(x->root),
		&err) == -1)
		return;
	run_add(&r, "kill");
	run_add(&r, shim ? "--exec" : "--pid");
	run_add(&r, shim ? x->e->exec : x->inner_pid);
	run_add(&r, x->e->ctr);
	run_add(&r, "9");
	if (run_wait(&r, &err) != 0)
		log_warn("container %s: exec: kill: %s", x->e->ctr, r.text);
}

/*
 * First stopped, until no new one appears, so that none is born behind our
 * back; then killed all at once, while each still has its parent, until none
 * is left.  Each command has a session of its own, the runtime's or this
 * job's: that finds those whose parent was gone before.  begun: a sandbox may
 * have the command, too.
 */
static void
exec_kill(struct exec *x, bool begun)
{
	struct exec_tree *t = calloc(1, sizeof(*t));
	size_t before = 0, now = 0;

	if (begun && x->l->runtimes[x->e->runtime].type != LAUNCH_RUNTIME_OCI)
		exec_kill_inner(x);
	if (t != NULL)
		t->session = x->session;
	for (int i = 0; t != NULL && i < EXEC_ROUNDS; i++) {
		now = exec_tree_signal(x, t, SIGSTOP);
		if (now == before)
			break;
		before = now;
	}
	for (int i = 0; t != NULL && i < EXEC_ROUNDS; i++) {
		now = exec_tree_signal(x, t, SIGKILL);
		(void)proc_signal(x->pidfd, SIGKILL);
		if (now == 0)
			break;
		(void)usleep(EXEC_ROUND_US);
	}
	(void)proc_signal(x->pidfd, SIGKILL);
	free(t);
}

enum exec_begun { EXEC_RUNS = 0, EXEC_LATE };

/* EXEC_LATE: there was no time left to begin it. */
static int
exec_start(struct exec *x, struct mono until, struct cerr *err)
{
	struct run r;
	int code;

	if (run_begin(&r, x->l, x->e->runtime, x->root, sizeof(x->root), err) ==
	    -1)
		return -1;
	run_add(&r, "--log");
	run_add(&r, x->log);
	run_add(&r, "exec");
	run_add(&r, "--process");
	run_add(&r, x->process);
	run_add(&r, "--detach");
	run_add(&r, "--pid-file");
	run_add(&r, x->pidfile);
	if (exec_sandboxed(x)) {
		run_add(&r, "--internal-pid-file");
		run_add(&r, x->inner);
	}
	code = exec_streams(x, &r, err);
	run_add(&r, x->e->ctr);
	r.until = mono_min(until, mono_after_ms(EXEC_START_SECONDS * 1000));
	r.wanted = true;
	if (code == 0)
		code = run_wait(&r, err);
	if (code > 0)
		(void)exec_failed(x, &r, code, err);
	if (code == 0)
		code = exec_read_pid(x, err);
	exec_forget(x);
	if (code == 0)
		return EXEC_RUNS;
	/* It may have begun the command before it ended. */
	exec_kill(x, r.killed);
	return r.killed && mono_passed(until) ? EXEC_LATE : -1;
}

static int
exec_reap(struct exec *x, struct cerr *err)
{
	int status = 0;

	while (waitpid(x->pid, &status, 0) == -1) {
		if (errno != EINTR)
			return cerr_errno(err, "wait for the command");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * True if it ended by itself.  The launcher hangs up when execd no longer
 * wants the result, or when it dies: the command must not outlive that.
 */
static bool
exec_wait(const struct exec *x, struct mono deadline)
{
	struct pollfd p[2] = { { x->pidfd, POLLIN, 0 },
		{ LAUNCH_JOB_FD, 0, 0 } };
	int64_t left;
	int n;

	do {
		left = mono_left_ms(deadline);
		n = poll(p, 2, left > INT32_MAX ? -1 : (int)left);
	} while (n == -1 && errno == EINTR);
	return (p[0].revents & POLLIN) != 0;
}

static struct mono
exec_deadline(const struct fixed_exec *e)
{
	/* Whoever asks for more than a month has no deadline. */
	return e->timeout_ms == 0 || e->timeout_ms > INT32_MAX
		   ? mono_none()
		   : mono_after_ms((int64_t)e->timeout_ms);
}

/* It runs: until it ends, or has to. */
static int
exec_attend(struct exec *x, struct launch_op *op, struct mono deadline,
    struct cerr *err)
{
	int code, tty = exec_terminal(x, err);

	console_close(&x->console);
	(void)alarm(0);
	/* The command alone holds them now. */
	for (size_t i = 1; i < op->nfds; i++)
		fdio_close(&op->fds[i]);
	if (tty == -1 || !exec_wait(x, deadline)) {
		op->reply.exec_done.timed_out = 1;
		exec_kill(x, true);
	}
	code = exec_reap(x, err);
	if (tty == -1)
		return -1;
	op->reply.exec_done.exit_code = (uint32_t)code;
	return code == -1 ? -1 : 0;
}

int
launch_exec(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	struct exec x = { .l = l,
		.e = op->body,
		.logfd = -1,
		.console = { .listen = -1 },
		.pidfd = -1 };
	struct mono deadline = exec_deadline(x.e);
	int code;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1L) == -1)
		return cerr_errno(err, "exec");
	/* What hangs ends with this job. */
	(void)alarm(EXEC_HANG_SECONDS);
	code = exec_prepare(&x, op, err);
	if (code == 0)
		code = exec_start(&x, deadline, err);
	if (code == EXEC_RUNS)
		code = exec_attend(&x, op, deadline, err);
	console_close(&x.console);
	if (code == EXEC_LATE) {
		op->reply.exec_done.timed_out = 1;
		op->reply.exec_done.exit_code = 128 + SIGKILL;
	}
	return code == -1 ? -1 : 0;
}
