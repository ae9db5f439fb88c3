#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_job.h"
#include "imsg/codec.h"
#include "imsg/helper.h"
#include "lib/failpoint.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/mono.h"

#define JOB_KEEP_MAX  (3 + 1 + LAUNCH_DIR_COUNT + 2 + WIRE_FDS_MAX)
#define JOB_REPLY_MAX 4096

/* What a job's messages have in the place of a request's id. */
#define JOB_ID_ANSWER 1
#define JOB_ID_BEGUN  2
#define JOB_ID_NOTE   3

struct launch_job {
	TAILQ_ENTRY(launch_job) entry;
	struct launch *l;
	const struct launch_row *row;
	struct link_call *call; /* NULL once answered */
	struct launch_op op;
	void *body;
	struct launch_sysctl *sysctls;
	bool undoing;
	/* while it runs */
	pid_t pid;
	int pidfd, sock;
	struct event *ev_end, *ev_sock, *ev_timer;
	/* how it ended */
	struct wire_msg answer;
	bool begun; /* there may be something to undo */
	bool answered;
	struct cerr why; /* if killed or failed: what the caller hears */
	bool failed;
};

struct launch_jobs {
	TAILQ_HEAD(, launch_job) queue;
	size_t nqueue;
	size_t running[LAUNCH_CLASSES];
};

static const size_t job_max[LAUNCH_CLASSES] = {
	[LAUNCH_SHORT] = LAUNCH_SHORT_MAX,
	[LAUNCH_LONG] = LAUNCH_LONG_MAX,
	[LAUNCH_EXEC] = LAUNCH_EXEC_MAX,
};

static void job_run(struct launch_job *j);

static bool
job_full(const struct launch_jobs *jobs, enum launch_class class)
{
	return jobs->running[class] >= job_max[class];
}

struct launch_jobs *
launch_jobs_new(struct launch *l)
{
	struct launch_jobs *jobs = calloc(1, sizeof(*jobs));

	(void)l;
	if (jobs == NULL)
		fatal("calloc");
	TAILQ_INIT(&jobs->queue);
	return jobs;
}

/* ---- in the child ---- */

static int
job_compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

static void
job_close_gap(int first, int last)
{
	if (first <= last &&
	    close_range((unsigned int)first, (unsigned int)last, 0) == -1)
		_exit(1);
}

/*
 * A job keeps what it needs.  It must not hold the links, or another job's
 * descriptors: their ends would not be seen.
 */
static void
job_close_others(const struct launch_job *j)
{
	int keep[JOB_KEEP_MAX] = { 0, 1, 2, LAUNCH_JOB_FD, j->l->exe_monitor,
		j->l->exe_pause },
	    last = -1;
	size_t n = 6;

	memcpy(keep + n, j->l->dirs, sizeof(j->l->dirs));
	n += LAUNCH_DIR_COUNT;
	for (size_t i = 0; i < j->op.nfds; i++)
		keep[n++] = j->op.fds[i];
	qsort(keep, n, sizeof(keep[0]), job_compare);
	for (size_t i = 0; i < n; i++) {
		job_close_gap(last + 1, keep[i] - 1);
		last = keep[i] > last ? keep[i] : last;
	}
	if (close_range((unsigned int)last + 1, ~0U, 0) == -1)
		_exit(1);
}

static int
job_send(enum msg_type type, uint32_t id, const void *body, const int *fds,
    size_t nfds)
{
	struct wire_msg m = { .type = type, .id = id, .nfds = nfds };
	int sent;

	if (nfds > 0)
		memcpy(m.fds, fds, nfds * sizeof(int));
	if (codec_pack(NULL, type, body, &m.data, &m.len) == -1)
		return -1;
	sent = wire_send(LAUNCH_JOB_FD, &m);
	free(m.data);
	return sent;
}

static void
job_answer(enum msg_type type, uint32_t id, const void *body, const int *fds,
    size_t nfds)
{
	if (job_send(type, id, body, fds, nfds) == -1)
		_exit(1);
}

void
launch_begun(void)
{
	struct fixed_none none = { 0 };

	job_answer(MSG_L_OK, JOB_ID_BEGUN, &none, NULL, 0);
}

int
launch_note(enum msg_type type, const void *body, int fd)
{
	return job_send(type, JOB_ID_NOTE, body, &fd, 1);
}

static void
job_child(struct launch_job *j, int sock, pid_t parent)
{
	struct cerr err = { .code = CERR_INTERNAL };
	struct fixed_fail fail;
	launch_fn fn = j->undoing ? j->row->undo : j->row->fn;
	int result;

	/* Nothing goes on without the launcher: execd asks again. */
	if (j->row->cancel != LAUNCH_HANGUP)
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)setsid();
	(void)signal(SIGPIPE, SIG_IGN);
	/* In the place of the link to the parent. */
	if (dup3(sock, LAUNCH_JOB_FD, O_CLOEXEC) == -1)
		_exit(1);
	job_close_others(j);
	if (failpoint("job", msg_info(j->row->type)->name) == 0)
		result = fn(j->l, &j->op, &err);
	else
		result = cerr_errno(&err, "job");
	if (result == 0) {
		job_answer(msg_info(j->row->type)->reply, JOB_ID_ANSWER,
		    &j->op.reply, j->op.out, j->op.nout);
		_exit(0);
	}
	memset(&fail, 0, sizeof(fail));
	fail.code = err.code;
	if (FIXED_SET_STR(fail.text, err.text) == -1)
		fail.text[0] = '\0';
	job_answer(MSG_FAIL, JOB_ID_ANSWER, &fail, NULL, 0);
	_exit(0);
}

/* ---- in the launcher ---- */

static void
job_close_fds(struct launch_job *j)
{
	for (size_t i = 0; i < j->op.nfds; i++)
		fdio_close(&j->op.fds[i]);
}

static void
job_free(struct launch_job *j)
{
	job_close_fds(j);
	wire_clear(&j->answer);
	free(j->body);
	free(j->sysctls);
	free(j);
}

static void
job_fail(struct launch_job *j, enum cerr_code code, const char *text)
{
	if (j->failed)
		return;
	j->failed = true;
	(void)cerr_set(&j->why, code, "%s: %s", msg_info(j->row->type)->name,
	    text);
}

/* The reply as the job sent it, or why there is none. */
static void
job_tell(struct launch_job *j)
{
	struct link_call *call = j->call;
	void *body;

	j->call = NULL;
	if (call == NULL)
		return;
	body = j->failed ? NULL
			 : codec_unpack(NULL, (enum msg_type)j->answer.type,
			       j->answer.data, j->answer.len);
	if (body == NULL) {
		log_info("%s failed: %s", msg_info(j->row->type)->name,
		    j->why.text);
		link_refuse(call, &j->why);
		return;
	}
	link_reply(call, (enum msg_type)j->answer.type, body, j->answer.fds,
	    j->answer.nfds);
	j->answer.nfds = 0; /* the link's now */
	codec_free(NULL, (enum msg_type)j->answer.type, body);
}

static void
job_next(struct launch *l)
{
	struct launch_job *j = TAILQ_FIRST(&l->jobs->queue);

	if (j == NULL || job_full(l->jobs, LAUNCH_SHORT))
		return;
	TAILQ_REMOVE(&l->jobs->queue, j, entry);
	l->jobs->nqueue--;
	job_run(j);
}

static void
job_unwatch(struct launch_job *j)
{
	struct event **events[] = { &j->ev_end, &j->ev_sock, &j->ev_timer };

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (*events[i] != NULL)
			event_free(*events[i]);
		*events[i] = NULL;
	}
	fdio_close(&j->pidfd);
	fdio_close(&j->sock);
}

static void
job_kill(struct launch_job *j)
{
	/* Not reaped yet, so the number is still this child's. */
	(void)kill(-j->pid, SIGKILL);
	(void)kill(j->pid, SIGKILL);
}

static void
job_take_fail(struct launch_job *j)
{
	struct fixed_fail fail;

	if (fixed_decode(&fixed_desc_fail, j->answer.data, j->answer.len,
		&fail) == -1)
		fail.text[0] = '\0';
	if (j->undoing)
		log_warn("undo of %s: %s", msg_info(j->row->type)->name,
		    fail.text);
	if (!j->failed)
		(void)cerr_set(&j->why, cerr_code_from(fail.code), "%s",
		    fail.text);
	j->failed = true;
}

/* Goes on to execd as it is, unless nobody wants the operation any more. */
static void
job_take_note(struct launch_job *j)
{
	enum msg_type type = (enum msg_type)j->answer.type;
	void *body = codec_unpack(NULL, type, j->answer.data, j->answer.len);

	if (body != NULL && !j->failed) {
		(void)link_send(helper_link(j->l->helper, ROLE_EXECD), type,
		    body, j->answer.fds, j->answer.nfds);
		j->answer.nfds = 0; /* the link's now */
	}
	codec_free(NULL, type, body);
	wire_clear(&j->answer);
}

/* True if more may come. */
static bool
job_take_answer(struct launch_job *j)
{
	int got = 0;

	while (!j->answered &&
	       (got = wire_recv(j->sock, &j->answer, JOB_REPLY_MAX)) == 1) {
		if (j->answer.id == JOB_ID_BEGUN) {
			j->begun = true;
			wire_clear(&j->answer);
			continue;
		}
		if (j->answer.id == JOB_ID_NOTE) {
			job_take_note(j);
			continue;
		}
		j->answered = true;
		if (j->answer.type == MSG_FAIL)
			job_take_fail(j);
	}
	if (!j->answered && got == -1 && (errno == EMFILE || errno == ENOMEM))
		job_fail(j, CERR_RESOURCE_EXHAUSTED, strerror(errno));
	return !j->answered && got == -1 && errno == EAGAIN;
}

static const char *
job_silence(const siginfo_t *si)
{
	return si->si_code != CLD_EXITED && si->si_status == SIGSYS
		   ? "was killed by its own system call filter"
		   : "ended without an answer";
}

static void
job_ended(evutil_socket_t fd, short what, void *arg)
{
	struct launch_job *j = arg;
	struct launch *l = j->l;
	enum launch_class class = j->row->class;
	siginfo_t si;

	(void)fd;
	(void)what;
	/* What it started and did not wait for; not reaped yet, so the number
	 * is still its own. */
	(void)kill(-j->pid, SIGKILL);
	memset(&si, 0, sizeof(si));
	if (waitid(P_PID, (id_t)j->pid, &si, WEXITED | WNOHANG) == -1 ||
	    si.si_pid == 0)
		return;
	(void)job_take_answer(j);
	job_unwatch(j);
	if (!j->answered)
		job_fail(j, CERR_INTERNAL, job_silence(&si));
	l->jobs->running[class]--;
	if (j->failed && j->begun && !j->undoing && j->row->undo != NULL) {
		j->undoing = true;
		job_run(j);
	} else {
		job_tell(j);
		job_free(j);
	}
	job_next(l);
}

static void
job_readable(evutil_socket_t fd, short what, void *arg)
{
	struct launch_job *j = arg;

	(void)fd;
	(void)what;
	if (job_take_answer(j))
		(void)event_add(j->ev_sock, NULL);
}

static void
job_late(evutil_socket_t fd, short what, void *arg)
{
	struct launch_job *j = arg;

	(void)fd;
	(void)what;
	log_warn("%s took too long", msg_info(j->row->type)->name);
	job_fail(j, CERR_DEADLINE_EXCEEDED, "took too long");
	job_kill(j);
	/* One that cannot even be killed must not keep execd waiting. */
	if (j->undoing)
		job_tell(j);
}

static void
job_cancelled(void *arg)
{
	struct launch_job *j = arg;

	if (j->row->cancel == LAUNCH_COMPLETE || j->undoing)
		return;
	job_fail(j, CERR_CANCELLED, "cancelled");
	if (j->pid > 0 && j->row->cancel == LAUNCH_KILL)
		job_kill(j);
	else if (j->pid > 0)
		(void)shutdown(j->sock, SHUT_RDWR);
}

static int64_t
job_deadline(const struct launch_job *j)
{
	if (j->undoing)
		return LAUNCH_UNDO_MS;
	return j->row->ms != NULL ? j->row->ms(j->body) : j->row->deadline_ms;
}

static void
job_watch(struct launch_job *j)
{
	struct event_base *base = helper_base(j->l->helper);
	int64_t ms = job_deadline(j);
	struct timeval tv = mono_timeval(mono_after_ms(ms));

	j->ev_end =
	    event_new(base, j->pidfd, EV_READ | EV_PERSIST, job_ended, j);
	j->ev_sock = event_new(base, j->sock, EV_READ, job_readable, j);
	j->ev_timer = evtimer_new(base, job_late, j);
	if (j->ev_end == NULL || j->ev_sock == NULL || j->ev_timer == NULL)
		fatalx("event_new");
	(void)event_add(j->ev_end, NULL);
	(void)event_add(j->ev_sock, NULL);
	if (ms != 0)
		(void)evtimer_add(j->ev_timer, &tv);
}

/* It never ran. */
static void
job_abandon(struct launch_job *j, const char *what)
{
	log_error("%s: %s: %s", msg_info(j->row->type)->name, what,
	    strerror(errno));
	job_fail(j, CERR_RESOURCE_EXHAUSTED, what);
	job_tell(j);
	job_free(j);
}

static void
job_run(struct launch_job *j)
{
	pid_t parent = getpid();
	int pair[2];

	j->pidfd = j->sock = -1;
	wire_clear(&j->answer);
	j->answered = false;
	if (link_call_cancelled(j->call) && !j->undoing &&
	    j->row->cancel != LAUNCH_COMPLETE) {
		errno = ECANCELED;
		job_abandon(j, "cancelled");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
		job_abandon(j, "socketpair");
		return;
	}
	j->pid = fork();
	if (j->pid == 0)
		job_child(j, pair[1], parent);
	fdio_close(&pair[1]);
	j->sock = pair[0];
	if (j->pid == -1) {
		fdio_close(&j->sock);
		job_abandon(j, "fork");
		return;
	}
	(void)evutil_make_socket_nonblocking(j->sock);
	/* The job's alone: who waits for their end must not wait for us. */
	if (j->row->undo == NULL)
		job_close_fds(j);
	j->pidfd = pidfd_open(j->pid, 0);
	if (j->pidfd == -1)
		fatal("pidfd_open");
	j->l->jobs->running[j->row->class]++;
	job_watch(j);
}

static struct launch_job *
job_new(struct launch *l, const struct launch_row *row, struct link_call *call,
    struct link_msg *m)
{
	struct launch_job *j = calloc(1, sizeof(*j));
	size_t size = fixed_memory(msg_info(m->type)->fixed);

	if (j == NULL || (j->body = malloc(size)) == NULL)
		fatal("malloc");
	memcpy(j->body, m->body, size);
	j->l = l;
	j->row = row;
	j->call = call;
	j->op.body = j->body;
	j->op.nfds = m->nfds;
	for (size_t i = 0; i < m->nfds; i++)
		j->op.fds[i] = link_take_fd(m, i);
	link_call_on_cancel(call, job_cancelled, j);
	return j;
}

static void
job_refuse(struct launch_job *j, const char *text)
{
	job_fail(j, CERR_RESOURCE_EXHAUSTED, text);
	job_tell(j);
	job_free(j);
}

void
launch_job_start(struct launch *l, const struct launch_row *row,
    struct link_call *call, struct link_msg *m, struct launch_sysctl *sysctls,
    size_t nsysctls)
{
	struct launch_job *j = job_new(l, row, call, m);

	j->sysctls = sysctls;
	j->op.sysctls = sysctls;
	j->op.nsysctls = nsysctls;
	if (row->class != LAUNCH_SHORT) {
		if (job_full(l->jobs, row->class))
			job_refuse(j, "too many at once");
		else
			job_run(j);
	} else if (l->jobs->nqueue >= LAUNCH_QUEUE_MAX) {
		job_refuse(j, "too many at once");
	} else {
		TAILQ_INSERT_TAIL(&l->jobs->queue, j, entry);
		l->jobs->nqueue++;
		job_next(l);
	}
}
