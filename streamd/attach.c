#include <sys/uio.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "streamd/attach.h"
#include "streamd/client.h"
#include "streamd/resize.h"

enum attach_type {
	ATTACH_STDIN = 0,
	ATTACH_STDOUT = 1,
	ATTACH_STDERR = 2,
	ATTACH_STDIN_END = 3,
	ATTACH_RESIZE = 4,
};

struct attach {
	int fd;
	struct flow *in, *out, *err;
	const struct attach_def *def;
	void *arg;
	struct event *rd, *wr;
	bool held, ended;
	bool end_said;
	bool resized; /* size waits to be sent */
	struct resize_size size;
};

static void
attach_end(struct attach *a)
{
	(void)event_del(a->rd);
	(void)event_del(a->wr);
	a->ended = true;
	a->held = false;
	if (a->in != NULL)
		flow_ignore(a->in);
	a->def->ended(a->arg);
}

static struct client *
attach_client(const struct attach *a)
{
	return a->out != NULL ? a->out->client : a->err->client;
}

static void
attach_on_read(evutil_socket_t fd, short what, void *arg)
{
	uint8_t buf[1 + CLIENT_PIECE];
	struct attach *a = arg;
	struct flow *to;
	ssize_t n;

	(void)what;
	if ((a->out != NULL || a->err != NULL) &&
	    client_room(attach_client(a)) == 0) {
		a->held = true;
		(void)event_del(a->rd);
		return;
	}
	n = read(fd, buf, sizeof(buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		attach_end(a);
		return;
	}
	to = buf[0] == ATTACH_STDOUT ? a->out : a->err;
	if (n == 1 || to == NULL ||
	    (buf[0] != ATTACH_STDOUT && buf[0] != ATTACH_STDERR))
		return;
	flow_send(to, buf + 1, (size_t)n - 1);
	a->def->moved(a->arg);
}

/* As pump_write: 0, 1 or -1. */
static int
attach_packet(struct attach *a, uint8_t type, const void *data, size_t len)
{
	uint8_t head[1] = { type };
	struct iovec v[2] = { { head, 1 }, { NULL, len } };
	ssize_t n;

	v[1].iov_base = (void *)(uintptr_t)data;
	do
		n = writev(a->fd, v, len > 0 ? 2 : 1);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN ? 1 : -1;
	return 0;
}

static int
attach_write_size(struct attach *a)
{
	uint8_t p[4] = { (uint8_t)a->size.columns,
		(uint8_t)(a->size.columns >> 8), (uint8_t)a->size.rows,
		(uint8_t)(a->size.rows >> 8) };
	int r;

	if (!a->resized)
		return 0;
	r = attach_packet(a, ATTACH_RESIZE, p, sizeof(p));
	a->resized = r == 1;
	return r;
}

static int
attach_write_data(struct attach *a)
{
	struct evbuffer *in = a->in->in;
	size_t len;
	int r;

	while ((len = evbuffer_get_length(in)) > 0) {
		if (len > ATTACH_DATA_MAX)
			len = ATTACH_DATA_MAX;
		r = attach_packet(a, ATTACH_STDIN,
		    evbuffer_pullup(in, (ssize_t)len), len);
		if (r != 0)
			return r;
		(void)evbuffer_drain(in, len);
		flow_took(a->in, len);
	}
	return 0;
}

static int
attach_write(struct attach *a)
{
	int r = attach_write_size(a);

	if (r != 0 || a->in == NULL || a->end_said)
		return r;
	r = attach_write_data(a);
	if (r != 0 || !a->in->in_eof)
		return r;
	r = attach_packet(a, ATTACH_STDIN_END, NULL, 0);
	a->end_said = r == 0;
	return r;
}

void
attach_push(struct attach *a)
{
	int r;

	if (a->ended)
		return;
	r = attach_write(a);
	if (r == 1)
		(void)event_add(a->wr, NULL);
	else if (r == -1)
		attach_end(a);
}

void
attach_pull(struct attach *a)
{
	if (!a->held)
		return;
	a->held = false;
	(void)event_add(a->rd, NULL);
}

void
attach_resize(struct attach *a, const struct resize_size *size)
{
	a->size = *size;
	a->resized = true;
	attach_push(a);
}

bool
attach_held(const struct attach *a)
{
	return a->held;
}

static void
attach_on_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	attach_push(arg);
}

struct attach *
attach_new(struct event_base *base, int fd, struct flow *in, struct flow *out,
    struct flow *err, const struct attach_def *def, void *arg)
{
	struct attach *a = calloc(1, sizeof(*a));

	if (a == NULL || evutil_make_socket_nonblocking(fd) == -1) {
		free(a);
		(void)close(fd);
		return NULL;
	}
	a->fd = fd;
	a->in = in;
	a->out = out;
	a->err = err;
	a->def = def;
	a->arg = arg;
	a->rd = event_new(base, fd, EV_READ | EV_PERSIST, attach_on_read, a);
	a->wr = event_new(base, fd, EV_WRITE, attach_on_write, a);
	if (a->rd == NULL || a->wr == NULL || event_add(a->rd, NULL) == -1 ||
	    event_add(a->wr, NULL) == -1) {
		attach_free(a);
		return NULL;
	}
	return a;
}

void
attach_free(struct attach *a)
{
	if (a == NULL)
		return;
	if (a->rd != NULL)
		event_free(a->rd);
	if (a->wr != NULL)
		event_free(a->wr);
	(void)close(a->fd);
	free(a);
}
