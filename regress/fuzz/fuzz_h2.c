/* A whole connection: what a client sends after its preface. */
#include <sys/socket.h>

#include <event2/event.h>

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "criod/grpc_int.h"
#include "criod/h2_int.h"
#include "lib/log.h"
#include "proto/cri.pb-c.h"

static struct event_base *base;

static void
leave(void *arg)
{
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "left");
	grpc_fail(arg, &err);
}

/* An answer, or none until the client has left. */
static void
handle(void *ctx, struct grpc_call *call, const void *request)
{
	const Runtime__V1__VersionRequest *r = request;
	Runtime__V1__VersionResponse resp = RUNTIME__V1__VERSION_RESPONSE__INIT;

	(void)ctx;
	resp.version = r->version;
	if (r->version[0] == 'h')
		grpc_on_cancel(call, leave, call);
	else
		grpc_reply(call, &resp);
}

static void
handle_stream(void *ctx, struct grpc_call *call, const void *request)
{
	(void)ctx;
	for (int i = 0; i < 3; i++)
		(void)!grpc_stream(call, request);
	grpc_end(call);
}

static const struct grpc_method methods[] = {
	{ "/a/b", &runtime__v1__version_request__descriptor,
	    &runtime__v1__version_response__descriptor, GRPC_UNARY, handle },
	{ "/a/s", &runtime__v1__version_request__descriptor,
	    &runtime__v1__version_response__descriptor, GRPC_SERVER_STREAM,
	    handle_stream },
};

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	(void)signal(SIGPIPE, SIG_IGN);
	log_init("fuzz");
	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	base = event_base_new();
	return 0;
}

static void
drain(int fd)
{
	char buf[65536];

	for (int i = 0; i < 8; i++) {
		(void)event_base_loop(base, EVLOOP_NONBLOCK);
		(void)!recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct grpc_server *s = grpc_server_new(base, methods, 2, NULL);
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == -1)
		abort();
	h2_conn_new(s->h2, sv[0], 0, 1);
	(void)!send(sv[1], "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, 0);
	(void)!send(sv[1], "\0\0\0\4\0\0\0\0\0", 9, 0);
	for (size_t at = 0; at < size; at += 4096) {
		(void)!send(sv[1], data + at,
		    size - at < 4096 ? size - at : 4096, MSG_NOSIGNAL);
		drain(sv[1]);
	}
	drain(sv[1]);
	(void)close(sv[1]);
	(void)event_base_loop(base, EVLOOP_NONBLOCK);
	assert(s->nwork == 0 && s->memory == 0 && s->h2->nconns == 0 &&
	       s->h2->queued == 0);
	grpc_server_free(s);
	return 0;
}
