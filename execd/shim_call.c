/* One connection to a shim, with blocking calls. */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/shim.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/ttrpc.h"

#define CALL_READ 16384

struct shim {
	int sock, leaving;
	struct ttrpc *ttrpc;
	struct cerr broken; /* why nothing more can be said */
};

/* The answer to the call that is waited for. */
struct call {
	bool done;
	struct cerr err;
	uint8_t *data;
	size_t len;
};

static int
call_send(void *ctx, const uint8_t *buf, size_t len)
{
	struct shim *s = ctx;

	return fdio_write_all(s->sock, buf, len);
}

static const struct ttrpc_def call_def = { .send = call_send };

struct shim *
shim_open(int sock, int leaving)
{
	struct shim *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal("calloc");
	s->sock = sock;
	s->leaving = leaving;
	s->ttrpc = ttrpc_new(&call_def, s);
	if (s->ttrpc == NULL)
		fatal("calloc");
	return s;
}

int
shim_socket(const struct shim *s)
{
	return s->sock;
}

void
shim_stay(struct shim *s)
{
	s->leaving = -1;
}

struct ttrpc *
shim_ttrpc(struct shim *s)
{
	return s->ttrpc;
}

static int
call_input(struct shim *s, struct cerr *err)
{
	uint8_t buf[CALL_READ];
	ssize_t n = read(s->sock, buf, sizeof(buf));

	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n == -1)
		return cerr_errno(err, "shim");
	if (n == 0)
		return cerr_set(err, CERR_UNAVAILABLE, "the shim is gone");
	return ttrpc_input(s->ttrpc, buf, (size_t)n, err);
}

int
shim_input(struct shim *s, struct cerr *err)
{
	if (call_input(s, err) == 0)
		return 0;
	s->broken = *err;
	ttrpc_fail(s->ttrpc, err);
	return -1;
}

static void
call_reply(void *arg, const uint8_t *payload, size_t len,
    const struct cerr *err, bool answered)
{
	struct call *c = arg;

	(void)answered;
	c->done = true;
	if (err != NULL) {
		c->err = *err;
		return;
	}
	c->data = malloc(len + 1);
	if (c->data == NULL)
		fatal("malloc");
	if (len > 0)
		memcpy(c->data, payload, len);
	c->len = len;
}

/* Until the answer is there or its time is over. */
static int
call_wait(struct shim *s, const struct call *c, struct cerr *err)
{
	struct pollfd p[2] = { { s->sock, POLLIN, 0 },
		{ s->leaving, POLLIN, 0 } };
	int64_t left;

	while (!c->done) {
		left = mono_left_ms(ttrpc_deadline(s->ttrpc));
		if (poll(p, 2, left > INT32_MAX ? -1 : (int)left) == -1 &&
		    errno != EINTR)
			return cerr_errno(err, "poll");
		if (p[1].revents != 0)
			return cerr_set(err, CERR_CANCELLED, "not wanted");
		/* Its end ends the call as well. */
		if (p[0].revents != 0 && shim_input(s, err) == -1)
			return c->done ? 0 : -1;
		ttrpc_expire(s->ttrpc);
	}
	return 0;
}

static int
call_unpack(const struct call *c, const ProtobufCMessageDescriptor *d,
    void *reply, struct cerr *err)
{
	void *m;

	if (d == NULL)
		return 0;
	m = protobuf_c_message_unpack(d, NULL, c->len, c->data);
	if (m == NULL)
		return cerr_set(err, CERR_INTERNAL,
		    "the shim's answer is malformed");
	memcpy(reply, &m, sizeof(m));
	return 0;
}

static int
call_send_request(struct shim *s, const char *method, const void *request,
    int64_t timeout_ms, struct call *c, struct cerr *err)
{
	size_t len = protobuf_c_message_get_packed_size(request);
	CLEANUP_FREE uint8_t *buf = malloc(len + 1);

	if (buf == NULL)
		fatal("malloc");
	(void)protobuf_c_message_pack(request, buf);
	return ttrpc_call(s->ttrpc, SHIM_SERVICE, method, buf, len, timeout_ms,
	    call_reply, c, err);
}

int
shim_call(struct shim *s, const char *method, const void *request,
    const ProtobufCMessageDescriptor *d, void *reply, int64_t timeout_ms,
    struct cerr *err)
{
	struct call c = { .err = { 0 } };
	int ret;

	if (s->broken.code != CERR_OK) {
		*err = s->broken;
		return -1;
	}
	if (call_send_request(s, method, request, timeout_ms, &c, err) == -1 ||
	    call_wait(s, &c, err) == -1)
		return -1;
	if (c.err.code != CERR_OK)
		return cerr_set(err, c.err.code, "shim: %s: %s", method,
		    c.err.text);
	ret = call_unpack(&c, d, reply, err);
	free(c.data);
	return ret;
}
