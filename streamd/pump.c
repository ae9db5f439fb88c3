#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "streamd/client.h"
#include "streamd/pump.h"

struct pump {
	int fd;
	enum pump_kind kind;
	struct flow *to, *from;
	const struct pump_def *def;
	void *arg;
	struct event *rd, *wr;
	bool read_ended, write_ended, held;
	uint64_t moved;
};

static void
pump_end_read(struct pump *p)
{
	(void)event_del(p->rd);
	p->read_ended = true;
	p->held = false;
	p->def->ended(p->arg, p);
}

/* Nobody reads any more: what the client still sends is dropped. */
static void
pump_end_write(struct pump *p)
{
	(void)event_del(p->wr);
	p->write_ended = true;
	flow_ignore(p->from);
	if (p->kind == PUMP_PIPE)
		fdio_close(&p->fd);
	else if (p->kind == PUMP_SOCKET)
		(void)shutdown(p->fd, SHUT_WR);
	p->def->ended(p->arg, p);
}

static void
pump_on_read(evutil_socket_t fd, short what, void *arg)
{
	uint8_t buf[CLIENT_PIECE];
	struct pump *p = arg;
	size_t room = p->to == NULL ? sizeof(buf) : client_room(p->to->client);
	ssize_t n;

	(void)what;
	if (room == 0) {
		p->held = true;
		(void)event_del(p->rd);
		return;
	}
	n = read(fd, buf, room < sizeof(buf) ? room : sizeof(buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	/* A terminal whose last process has gone says EIO. */
	if (n <= 0) {
		pump_end_read(p);
		return;
	}
	p->moved += (uint64_t)n;
	if (p->to != NULL)
		flow_send(p->to, buf, (size_t)n);
	p->def->moved(p->arg);
}

void
pump_pull(struct pump *p)
{
	if (!p->held)
		return;
	p->held = false;
	(void)event_add(p->rd, NULL);
}

/* 0: all is written; 1: the descriptor takes no more now; -1: nor ever. */
static int
pump_write(struct pump *p)
{
	struct evbuffer *in = p->from->in;
	int n;

	while (evbuffer_get_length(in) > 0) {
		n = evbuffer_write(in, p->fd);
		if (n > 0)
			flow_took(p->from, (size_t)n);
		else if (n == -1 && errno == EAGAIN)
			return 1;
		else if (n != -1 || errno != EINTR)
			return -1;
	}
	return 0;
}

void
pump_push(struct pump *p)
{
	int r;

	if (p->write_ended)
		return;
	r = p->from->gone ? -1 : pump_write(p);
	if (r == 1)
		(void)event_add(p->wr, NULL);
	else if (r == -1 || (p->from->in_eof && p->kind != PUMP_TTY))
		pump_end_write(p);
}

static void
pump_on_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pump_push(arg);
}

static int
pump_events(struct pump *p, struct event_base *base)
{
	p->rd = event_new(base, p->fd, EV_READ | EV_PERSIST, pump_on_read, p);
	p->wr = event_new(base, p->fd, EV_WRITE, pump_on_write, p);
	if (p->rd == NULL || p->wr == NULL)
		return -1;
	if (!p->read_ended && event_add(p->rd, NULL) == -1)
		return -1;
	/* What came before the descriptor did. */
	return p->from != NULL ? event_add(p->wr, NULL) : 0;
}

struct pump *
pump_new(struct event_base *base, int fd, enum pump_kind kind, struct flow *to,
    struct flow *from, const struct pump_def *def, void *arg)
{
	struct pump *p = calloc(1, sizeof(*p));

	if (p == NULL || evutil_make_socket_nonblocking(fd) == -1) {
		free(p);
		(void)close(fd);
		return NULL;
	}
	p->fd = fd;
	p->kind = kind;
	p->to = to;
	p->from = from;
	p->def = def;
	p->arg = arg;
	p->read_ended = to == NULL && kind != PUMP_TTY;
	p->write_ended = from == NULL;
	if (pump_events(p, base) == -1) {
		pump_free(p);
		return NULL;
	}
	return p;
}

void
pump_free(struct pump *p)
{
	if (p == NULL)
		return;
	if (p->rd != NULL)
		event_free(p->rd);
	if (p->wr != NULL)
		event_free(p->wr);
	fdio_close(&p->fd);
	free(p);
}

bool
pump_read_ended(const struct pump *p)
{
	return p->read_ended;
}

bool
pump_write_ended(const struct pump *p)
{
	return p->write_ended;
}

bool
pump_held(const struct pump *p)
{
	return p->held;
}

uint64_t
pump_moved(const struct pump *p)
{
	return p->moved;
}

int
pump_fd(const struct pump *p)
{
	return p->fd;
}
