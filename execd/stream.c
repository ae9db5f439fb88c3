#include <sys/socket.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr.h"
#include "execd/ctr_flags.h"
#include "execd/exec.h"
#include "execd/mon.h"
#include "execd/stream.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "lib/log.h"

#define STREAM_FDS	     3		   /* standard input, output, error */
#define STREAM_ATTACH_BUFFER (1024 * 1024) /* output on its way to streamd */

struct stream {
	LIST_ENTRY(stream) entry;
	struct execd *x;
	uint64_t session;
	char ctr[ID_SIZE];
	char exec[ID_SIZE];	/* of L_EXEC; empty: an attach */
	uint32_t request;	/* L_EXEC or MON_ATTACH in flight, or 0 */
	struct link_call *call; /* until CTR_STREAMING */
	int socket;		/* streamd's end of an attach, until sent */
	bool dead;		/* told; waits for the answer only */
};

static bool
stream_is_exec(const struct stream *s)
{
	return s->exec[0] != '\0';
}

static struct link *
stream_streamd(struct execd *x)
{
	return helper_link(x->helper, ROLE_STREAMD);
}

static struct stream *
stream_find(struct execd *x, uint64_t session)
{
	struct stream *s = NULL;

	LIST_FOREACH(s, &x->streams, entry) {
		if (s->session == session && !s->dead)
			return s;
	}
	return NULL;
}

static size_t
stream_count(struct execd *x, bool execs)
{
	struct stream *s = NULL;
	size_t n = 0;

	LIST_FOREACH(s, &x->streams, entry)
		n += stream_is_exec(s) == execs;
	return n;
}

size_t
stream_exec_count(const struct ctr *c)
{
	struct stream *s = NULL;
	size_t n = 0;

	LIST_FOREACH(s, &c->x->streams, entry)
		n += stream_is_exec(s) && strcmp(s->ctr, c->id) == 0;
	return n;
}

static void
stream_free(struct stream *s)
{
	LIST_REMOVE(s, entry);
	fdio_close(&s->socket);
	free(s);
}

static void
stream_refuse(struct stream *s, const struct cerr *err)
{
	struct link_call *call = s->call;

	s->call = NULL;
	link_refuse(call, err);
}

/* The answer to front, after the descriptors were sent. */
static void
stream_begun(struct stream *s)
{
	Criod__Empty empty;
	struct link_call *call = s->call;

	criod__empty__init(&empty);
	s->call = NULL;
	link_reply(call, MSG_CTR_STREAMING, &empty, NULL, 0);
}

static void
stream_send_fds(struct stream *s, Criod__StreamStdio__Kind kind, const int *fds,
    size_t nfds)
{
	Criod__StreamStdio body;

	criod__stream_stdio__init(&body);
	body.session = s->session;
	body.kind = kind;
	(void)link_send(stream_streamd(s->x), MSG_STREAM_STDIO, &body, fds,
	    nfds);
}

/* text NULL: it ran. */
static void
stream_send_exit(struct stream *s, uint32_t code, const char *text)
{
	Criod__StreamExit body;
	CLEANUP_FREE char *copy = execd_strdup(text != NULL ? text : "");

	criod__stream_exit__init(&body);
	body.session = s->session;
	body.exit_code = (int32_t)code;
	body.text = copy;
	(void)link_send(stream_streamd(s->x), MSG_STREAM_EXIT, &body, NULL, 0);
}

/*
 * What runs for it is killed: the launcher's job sees to the whole of it, and
 * until it has, the command counts.  A monitor knows no CANCEL: the socket is
 * closed when it has answered.
 */
static void
stream_drop(struct stream *s)
{
	if (s->request == 0) {
		stream_free(s);
		return;
	}
	if (stream_is_exec(s) && !s->dead)
		link_cancel_wait(execd_launcher(s->x), s->request);
	s->dead = true;
}

/* Whoever waits hears why: front if it was not answered yet, else streamd. */
static void
stream_failed(struct stream *s, const struct cerr *err)
{
	if (s->call != NULL)
		stream_refuse(s, err);
	else if (!s->dead)
		stream_send_exit(s, 255, err->text);
	stream_drop(s);
}

/* ---- commands ---- */

static void
stream_exec_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct stream *s = arg;
	const struct fixed_exec_done *done = m != NULL ? m->body : NULL;
	struct cerr none;

	s->request = 0;
	if (s->dead) {
		stream_free(s);
		return;
	}
	if (err == NULL && s->call != NULL) {
		(void)cerr_set(&none, CERR_INTERNAL, "no terminal came");
		err = &none;
	}
	if (err != NULL) {
		stream_failed(s, err);
		return;
	}
	stream_send_exit(s, done->exit_code, NULL);
	stream_free(s);
}

/* The front no longer waits, or is gone. */
static void
stream_cancelled(void *arg)
{
	struct stream *s = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "cancelled");
	stream_refuse(s, &err);
	stream_drop(s);
}

static int
stream_pipe(bool wanted, bool to_command, int *ours, int *theirs)
{
	int p[2];

	if (!wanted)
		return 0;
	if (pipe2(p, O_CLOEXEC) == -1)
		return -1;
	*ours = p[to_command ? 1 : 0];
	*theirs = p[to_command ? 0 : 1];
	return 0;
}

/* Puts what is there first; how many. */
static size_t
stream_pack(int *fds, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (fds[i] != -1)
			fds[count++] = fds[i];
	}
	return count;
}

static void
stream_exec_send(struct stream *s, struct ctr *c, int *fds, uint32_t flags)
{
	struct fixed_exec body = { .runtime = c->runtime, .flags = flags };

	memcpy(body.ctr, c->id, sizeof(body.ctr));
	memcpy(body.exec, s->exec, sizeof(body.exec));
	s->request = link_request(execd_launcher(s->x), MSG_L_EXEC, &body, fds,
	    stream_pack(fds, 1 + STREAM_FDS), mono_none(), stream_exec_done, s);
}

static uint32_t
stream_exec_flags(const Criod__CtrStream *r)
{
	if (r->tty)
		return EXEC_HAS_TTY;
	return (r->stdin ? EXEC_HAS_STDIN : 0) |
	       (r->stdout ? EXEC_HAS_STDOUT : 0) |
	       (r->stderr ? EXEC_HAS_STDERR : 0);
}

/* Both halves of the pipes; theirs[0] is the process description. */
static int
stream_exec_open(struct ctr *c, const Criod__CtrStream *r, int *ours,
    int *theirs, struct cerr *err)
{
	uint32_t flags = stream_exec_flags(r);

	theirs[0] = exec_process(c, r->cmd, r->n_cmd, r->tty, err);
	if (theirs[0] == -1)
		return -1;
	if (stream_pipe(flags & EXEC_HAS_STDIN, true, &ours[0], &theirs[1]) ==
		-1 ||
	    stream_pipe(flags & EXEC_HAS_STDOUT, false, &ours[1], &theirs[2]) ==
		-1 ||
	    stream_pipe(flags & EXEC_HAS_STDERR, false, &ours[2], &theirs[3]) ==
		-1)
		return cerr_errno(err, "pipe");
	return 0;
}

/*
 * streamd gets its ends before the command starts; with a terminal, which the
 * runtime makes, once that is there.
 */
static void
stream_exec(struct stream *s, struct ctr *c, const Criod__CtrStream *r)
{
	int ours[STREAM_FDS] = { -1, -1, -1 };
	int theirs[1 + STREAM_FDS] = { -1, -1, -1, -1 };
	struct cerr err;

	id_new(s->exec);
	if (stream_exec_open(c, r, ours, theirs, &err) == -1) {
		for (size_t i = 0; i < STREAM_FDS; i++)
			fdio_close(&ours[i]);
		for (size_t i = 0; i < 1 + STREAM_FDS; i++)
			fdio_close(&theirs[i]);
		stream_failed(s, &err);
		return;
	}
	stream_exec_send(s, c, theirs, stream_exec_flags(r));
	link_call_on_cancel(s->call, stream_cancelled, s);
	if (r->tty)
		return;
	stream_send_fds(s, CRIOD__STREAM_STDIO__KIND__PIPES, ours,
	    stream_pack(ours, STREAM_FDS));
	stream_begun(s);
}

void
stream_take_tty(void *ctx, struct link_call *call, struct link_msg *m)
{
	const struct fixed_exec_tty *body = m->body;
	struct execd *x = ctx;
	struct stream *s = NULL;
	int fd;

	(void)call;
	LIST_FOREACH(s, &x->streams, entry) {
		if (stream_is_exec(s) && strcmp(s->exec, body->exec) == 0)
			break;
	}
	/* Nobody's any more, or sent twice. */
	if (s == NULL || s->call == NULL)
		return;
	fd = link_take_fd(m, 0);
	stream_send_fds(s, CRIOD__STREAM_STDIO__KIND__TTY, &fd, 1);
	stream_begun(s);
}

/* ---- attach ---- */

static void
stream_attached(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct stream *s = arg;

	(void)m;
	s->request = 0;
	if (err != NULL || s->dead) {
		stream_failed(s, err);
		return;
	}
	stream_send_fds(s, CRIOD__STREAM_STDIO__KIND__ATTACH, &s->socket, 1);
	s->socket = -1;
	stream_begun(s);
}

static uint32_t
stream_attach_flags(const Criod__CtrStream *r)
{
	return (r->stdin ? ATTACH_STDIN : 0) | (r->stdout ? ATTACH_STDOUT : 0) |
	       (r->stderr ? ATTACH_STDERR : 0);
}

static void
stream_attach(struct stream *s, struct ctr *c, const Criod__CtrStream *r)
{
	const int room = STREAM_ATTACH_BUFFER;
	struct cerr err;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
		(void)cerr_errno(&err, "socketpair");
		stream_failed(s, &err);
		return;
	}
	s->socket = pair[0];
	/* The kernel gives as much of it as its administrator allows. */
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (mon_attach(c, pair[1], stream_attach_flags(r), stream_attached, s,
		&s->request, &err) == -1) {
		stream_failed(s, &err);
		return;
	}
	link_call_on_cancel(s->call, stream_cancelled, s);
}

/* ---- requests ---- */

static int
stream_check(struct execd *x, const struct ctr *c, const Criod__CtrStream *r,
    struct cerr *err)
{
	if (!link_attached(stream_streamd(x)))
		return cerr_set(err, CERR_UNAVAILABLE,
		    "streamd is not running");
	if ((!r->stdin && !r->stdout && !r->stderr) || (r->tty && r->stderr))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "no stream, or standard error of a terminal");
	if (stream_find(x, r->session) != NULL)
		return cerr_set(err, CERR_ALREADY_EXISTS, "session in use");
	if (stream_count(x, !r->attach) >=
	    (r->attach ? STREAM_ATTACHES_MAX : STREAM_EXECS_MAX))
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "too many streams at once");
	if (!r->attach)
		return exec_check_may(c, r->cmd, r->n_cmd, err);
	if (!ctr_alive(c))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s is not running", c->id);
	return 0;
}

void
stream_take(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrStream *r = m->body;
	struct execd *x = ctx;
	struct cerr err;
	struct ctr *c = ctr_find_or(x, r->id, &err);
	struct stream *s;

	if (c == NULL || stream_check(x, c, r, &err) == -1) {
		link_refuse(call, &err);
		return;
	}
	s = execd_alloc(1, sizeof(*s));
	s->x = x;
	s->session = r->session;
	s->call = call;
	s->socket = -1;
	memcpy(s->ctr, c->id, sizeof(s->ctr));
	LIST_INSERT_HEAD(&x->streams, s, entry);
	if (r->attach)
		stream_attach(s, c, r);
	else
		stream_exec(s, c, r);
}

/* ---- ends ---- */

static void
stream_end(struct stream *s, const char *why)
{
	struct cerr err;

	(void)cerr_set(&err, CERR_UNAVAILABLE, "%s", why);
	stream_failed(s, &err);
}

void
stream_take_end(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__StreamSession *body = m->body;
	struct stream *s = stream_find(ctx, body->session);
	struct cerr err;

	(void)call;
	if (s == NULL)
		return;
	if (s->call != NULL) {
		(void)cerr_set(&err, CERR_CANCELLED, "the client left");
		stream_refuse(s, &err);
	}
	stream_drop(s);
}

void
stream_peer_lost(void *ctx, struct link *link, const char *breach)
{
	struct execd *x = ctx;
	struct stream *s = LIST_FIRST(&x->streams), *next;
	char why[64];

	(void)snprintf(why, sizeof(why), "%s went away",
	    role_name(link_peer(link)));
	for (; s != NULL; s = next) {
		next = LIST_NEXT(s, entry);
		stream_end(s, why);
	}
	helper_link_lost(ctx, link, breach);
}

void
stream_ctr_ended(struct ctr *c, uint32_t code)
{
	struct stream *s = LIST_FIRST(&c->x->streams), *next;

	for (; s != NULL; s = next) {
		next = LIST_NEXT(s, entry);
		/* A command's own end comes from the launcher. */
		if (stream_is_exec(s) || s->request != 0 ||
		    strcmp(s->ctr, c->id) != 0)
			continue;
		stream_send_exit(s, code, NULL);
		stream_free(s);
	}
}

void
stream_ctr_gone(struct ctr *c)
{
	struct stream *s = LIST_FIRST(&c->x->streams), *next;

	for (; s != NULL; s = next) {
		next = LIST_NEXT(s, entry);
		if (stream_is_exec(s) || strcmp(s->ctr, c->id) != 0)
			continue;
		s->request = 0; /* the link forgets it */
		stream_end(s, "the container is gone");
	}
}
