#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr.h"
#include "execd/ctr_flags.h"
#include "execd/exec.h"
#include "execd/spec.h"
#include "execd/stream.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "lib/json.h"
#include "lib/log.h"

#define EXEC_PROCESS_MAX (32U * 1024 * 1024)
#define EXEC_READ	 65536U
#define EXEC_READ_BURST	 16    /* a reader must not starve the others */
#define EXEC_DRAIN_MS	 100   /* for those who still hold the pipes */
#define EXEC_GRACE_MS	 30000 /* beyond its own timeout, for the launcher */
#define EXEC_ARGS_MAX	 4096
#define EXEC_BUF_FIRST	 4096U

struct exec_stream {
	struct exec *exec;
	int fd; /* -1: ended */
	struct event *event;
	uint8_t *buf;
	size_t len, size;
};

struct exec {
	LIST_ENTRY(exec) entry;
	struct execd *x;
	char ctr[ID_SIZE];
	struct link_call *call;
	uint32_t request; /* L_EXEC in flight; 0: none */
	size_t max;
	struct exec_stream out, err;
	struct event *drain;
	uint32_t exit_code;
	bool timed_out, ended;
};

static void
exec_stream_close(struct exec_stream *s)
{
	if (s->event != NULL)
		event_free(s->event);
	s->event = NULL;
	fdio_close(&s->fd);
}

static void
exec_free(struct exec *e)
{
	LIST_REMOVE(e, entry);
	exec_stream_close(&e->out);
	exec_stream_close(&e->err);
	if (e->drain != NULL)
		event_free(e->drain);
	e->x->exec_bytes -= e->out.size + e->err.size;
	if (e->x->exec_bytes < EXEC_TOTAL_MAX / 2)
		e->x->exec_full = false;
	free(e->out.buf);
	free(e->err.buf);
	free(e);
}

static void
exec_reply(struct exec *e)
{
	Criod__CtrExecDone body;

	criod__ctr_exec_done__init(&body);
	body.exit_code = (int32_t)e->exit_code;
	body.timed_out = e->timed_out;
	body.out.data = e->out.buf;
	body.out.len = e->out.len;
	body.err.data = e->err.buf;
	body.err.len = e->err.len;
	link_reply(e->call, MSG_CTR_EXEC_DONE, &body, NULL, 0);
	exec_free(e);
}

static void
exec_refuse(struct exec *e, const struct cerr *err)
{
	link_refuse(e->call, err);
	exec_free(e);
}

/* The command has ended, and so have its streams: the answer. */
static void
exec_check(struct exec *e)
{
	if (e->ended && e->out.fd == -1 && e->err.fd == -1)
		exec_reply(e);
}

/* ---- output ---- */

/* Said once for each time that the limit is reached. */
static void
exec_full(struct exec *e)
{
	if (!e->x->exec_full)
		log_warn("container %s: output of an exec is cut: all execs "
			 "together hold %u MiB",
		    e->ctr, EXEC_TOTAL_MAX >> 20);
	e->x->exec_full = true;
}

/* Room for want more bytes, as far as the limits allow; how many. */
static size_t
exec_stream_grow(struct exec_stream *s, size_t want)
{
	struct exec *e = s->exec;
	size_t size = s->size > 0 ? s->size : EXEC_BUF_FIRST;
	uint8_t *buf;

	while (size < s->len + want && size < e->max)
		size *= 2;
	if (size > e->max)
		size = e->max;
	if (size > s->size &&
	    e->x->exec_bytes + (size - s->size) > EXEC_TOTAL_MAX) {
		exec_full(e);
		size = s->size;
	}
	if (size > s->size) {
		buf = realloc(s->buf, size);
		if (buf == NULL)
			fatal("realloc");
		e->x->exec_bytes += size - s->size;
		s->buf = buf;
		s->size = size;
	}
	return s->size - s->len < want ? s->size - s->len : want;
}

/* What is over the limit is read all the same, and dropped. */
static void
exec_stream_keep(struct exec_stream *s, const uint8_t *p, size_t n)
{
	size_t room = exec_stream_grow(s, n);

	if (room > 0)
		memcpy(s->buf + s->len, p, room);
	s->len += room;
}

/* False at the end of file. */
static bool
exec_stream_read(struct exec_stream *s)
{
	uint8_t buf[EXEC_READ];
	ssize_t n;

	for (int i = 0; i < EXEC_READ_BURST; i++) {
		n = read(s->fd, buf, sizeof(buf));
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0)
			return false;
		exec_stream_keep(s, buf, (size_t)n);
	}
	return true;
}

static void
exec_stream_ready(evutil_socket_t fd, short what, void *arg)
{
	struct exec_stream *s = arg;

	(void)fd;
	(void)what;
	if (exec_stream_read(s))
		return;
	exec_stream_close(s);
	exec_check(s->exec);
}

/* A grandchild may hold the pipes for ever: what is in them now is all. */
static void
exec_drained(evutil_socket_t fd, short what, void *arg)
{
	struct exec *e = arg;

	(void)fd;
	(void)what;
	if (e->out.fd != -1)
		(void)exec_stream_read(&e->out);
	if (e->err.fd != -1)
		(void)exec_stream_read(&e->err);
	exec_stream_close(&e->out);
	exec_stream_close(&e->err);
	exec_check(e);
}

static int
exec_stream_open(struct exec *e, struct exec_stream *s, int *theirs,
    struct cerr *err)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) == -1)
		return cerr_errno(err, "pipe");
	s->exec = e;
	s->fd = p[0];
	*theirs = p[1];
	(void)fcntl(s->fd, F_SETFL, O_NONBLOCK);
	s->event = event_new(helper_base(e->x->helper), s->fd,
	    EV_READ | EV_PERSIST, exec_stream_ready, s);
	if (s->event == NULL || event_add(s->event, NULL) == -1)
		fatalx("event_new");
	return 0;
}

/* ---- the command ---- */

static void
exec_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct exec *e = arg;
	const struct fixed_exec_done *done;
	struct timeval tv = { 0, EXEC_DRAIN_MS * 1000 };

	e->request = 0;
	if (err != NULL) {
		exec_refuse(e, err);
		return;
	}
	done = m->body;
	e->exit_code = done->exit_code;
	e->timed_out = done->timed_out != 0;
	e->ended = true;
	if (e->out.fd == -1 && e->err.fd == -1) {
		exec_reply(e);
		return;
	}
	e->drain = evtimer_new(helper_base(e->x->helper), exec_drained, e);
	if (e->drain == NULL || evtimer_add(e->drain, &tv) == -1)
		fatalx("evtimer_new");
}

/*
 * Nobody wants the result: the launcher kills it, and until it has, the
 * command counts.
 */
static void
exec_cancelled(void *arg)
{
	struct exec *e = arg;
	struct cerr err;

	if (e->request != 0) {
		exec_stream_close(&e->out);
		exec_stream_close(&e->err);
		link_cancel_wait(execd_launcher(e->x), e->request);
		return;
	}
	(void)cerr_set(&err, CERR_CANCELLED, "exec cancelled");
	exec_refuse(e, &err);
}

static json_t *
exec_read_process(struct ctr *c, struct cerr *err)
{
	CLEANUP_FD int dir = ctr_open_dir(c);
	CLEANUP_FD int fd = -1;
	CLEANUP_FREE char *buf = malloc(EXEC_PROCESS_MAX);
	ssize_t n = -1;

	if (dir != -1)
		fd = openat(dir, CTR_PROCESS_FILE,
		    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1 && buf != NULL)
		n = fdio_read_upto(fd, buf, EXEC_PROCESS_MAX);
	if (n == -1) {
		(void)cerr_errno(err, "%s of %s", CTR_PROCESS_FILE, c->id);
		return NULL;
	}
	return json_read_bounded(CTR_PROCESS_FILE, buf, (size_t)n,
	    EXEC_PROCESS_MAX, err);
}

int
exec_process(struct ctr *c, char *const *cmd, size_t n, bool tty,
    struct cerr *err)
{
	json_t *process = exec_read_process(c, err);
	CLEANUP_FREE char *text = NULL;
	int fd;

	if (process == NULL)
		return -1;
	if (spec_exec_args(process, cmd, n, tty, err) == -1) {
		json_decref(process);
		return -1;
	}
	text = json_dumps(process, JSON_COMPACT);
	json_decref(process);
	if (text == NULL)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "no memory for an exec");
	fd = fdio_memfd_sealed("process", text, strlen(text));
	return fd != -1 ? fd : cerr_errno(err, "memfd for an exec");
}

static void
exec_send(struct exec *e, struct ctr *c, const Criod__CtrExec *r, int fds[3])
{
	struct fixed_exec body = { .runtime = c->runtime,
		.flags = EXEC_HAS_STDOUT | EXEC_HAS_STDERR };
	struct mono deadline = mono_none();

	memcpy(body.ctr, c->id, sizeof(body.ctr));
	id_new(body.exec);
	if (r->timeout_ms > 0) {
		body.timeout_ms = (uint64_t)r->timeout_ms;
		if (r->timeout_ms < INT32_MAX)
			deadline = mono_after_ms(r->timeout_ms + EXEC_GRACE_MS);
	}
	e->request = link_request(execd_launcher(e->x), MSG_L_EXEC, &body, fds,
	    3, deadline, exec_done, e);
	link_call_on_cancel(e->call, exec_cancelled, e);
}

static void
exec_start(struct ctr *c, struct link_call *call, const Criod__CtrExec *r)
{
	struct exec *e = execd_alloc(1, sizeof(*e));
	int fds[3] = { -1, -1, -1 };
	struct cerr err;

	e->x = c->x;
	e->call = call;
	e->out.fd = e->err.fd = -1;
	e->max = r->output_max < EXEC_OUTPUT_MAX ? (size_t)r->output_max
						 : EXEC_OUTPUT_MAX;
	memcpy(e->ctr, c->id, sizeof(e->ctr));
	LIST_INSERT_HEAD(&c->x->execs, e, entry);
	fds[0] = exec_process(c, r->cmd, r->n_cmd, false, &err);
	if (fds[0] == -1 || exec_stream_open(e, &e->out, &fds[1], &err) == -1 ||
	    exec_stream_open(e, &e->err, &fds[2], &err) == -1) {
		for (int i = 0; i < 3; i++)
			fdio_close(&fds[i]);
		exec_refuse(e, &err);
		return;
	}
	exec_send(e, c, r, fds);
}

/* What the launcher has of that container, and has not done with. */
static size_t
exec_count(const struct ctr *c)
{
	struct exec *e = NULL;
	size_t n = 0;

	LIST_FOREACH(e, &c->x->execs, entry)
		n += e->request != 0 && strcmp(e->ctr, c->id) == 0;
	return n + stream_exec_count(c);
}

int
exec_check_may(const struct ctr *c, char *const *cmd, size_t n,
    struct cerr *err)
{
	if (n == 0 || n > EXEC_ARGS_MAX || cmd[0][0] == '\0')
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "cmd: empty, or too many words");
	if (c->state != CTR_RUNNING || c->end.set)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s is not running", c->id);
	if (exec_count(c) >= EXEC_CTR_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "container %s: %d commands are running already, or being "
		    "killed",
		    c->id, EXEC_CTR_MAX);
	return 0;
}

static int
exec_check_request(const Criod__CtrExec *r, const struct ctr *c,
    struct cerr *err)
{
	if (r->timeout_ms < 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "timeout: negative");
	return exec_check_may(c, r->cmd, r->n_cmd, err);
}

void
exec_take(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrExec *r = m->body;
	struct cerr err;
	struct ctr *c = ctr_find_or(ctx, r->id, &err);

	if (c == NULL || exec_check_request(r, c, &err) == -1)
		link_refuse(call, &err);
	else
		exec_start(c, call, r);
}
