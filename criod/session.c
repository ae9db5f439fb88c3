#include <sys/random.h>

#include <stdlib.h>
#include <string.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/session.h"
#include "imsg/link.h"
#include "lib/log.h"

#define SESSION_BEGIN_MS (150 * 1000) /* for the runtime's exec */
#define SESSION_DIAL_MS	 (30 * 1000)

struct session {
	LIST_ENTRY(session) entry;
	struct front *front;
	uint64_t number;
	Criod__StreamPrepare__Kind kind;
	char id[ID_SIZE]; /* of the container or pod */
	void *request;	  /* what the client asked for */
	size_t size;
	struct grpc_call *call;	 /* until the URL is there */
	struct link_call *begin; /* STREAM_BEGIN, while execd works */
	uint32_t pending;	 /* the request behind either */
	bool begun;
};

struct session_dial {
	struct front *front;
	struct link_call *call;
	uint32_t request;
};

void
session_init(struct session_table *t)
{
	LIST_INIT(&t->list);
	if (getrandom(&t->next, sizeof(t->next), 0) != sizeof(t->next))
		fatal("getrandom");
}

static struct session *
session_find(struct front *front, uint64_t number)
{
	struct session *s;

	LIST_FOREACH(s, &front->sessions.list, entry) {
		if (s->number == number && s->call == NULL)
			return s;
	}
	return NULL;
}

static void
session_free(struct session *s)
{
	LIST_REMOVE(s, entry);
	s->front->sessions.n--;
	s->front->sessions.bytes -= s->size;
	pb_free(s->request);
	free(s);
}

/* ---- the URL ---- */

static void
session_answer(struct session *s, const char *url)
{
	Runtime__V1__ExecResponse exec = RUNTIME__V1__EXEC_RESPONSE__INIT;
	Runtime__V1__AttachResponse attach = RUNTIME__V1__ATTACH_RESPONSE__INIT;
	Runtime__V1__PortForwardResponse forward =
	    RUNTIME__V1__PORT_FORWARD_RESPONSE__INIT;
	const void *const answers[] = {
		[CRIOD__STREAM_PREPARE__KIND__EXEC] = &exec,
		[CRIOD__STREAM_PREPARE__KIND__ATTACH] = &attach,
		[CRIOD__STREAM_PREPARE__KIND__PORT_FORWARD] = &forward,
	};

	exec.url = attach.url = forward.url = pb_str(url);
	grpc_reply(s->call, answers[s->kind]);
	s->call = NULL;
}

static void
session_prepared(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct session *s = arg;
	const Criod__StreamUrl *url;

	grpc_on_cancel(s->call, NULL, NULL);
	if (err != NULL) {
		grpc_fail(s->call, err);
		session_free(s);
		return;
	}
	url = m->body;
	session_answer(s, url->url);
}

/* streamd's token, if it made one, expires and finds no session. */
static void
session_cancelled(void *arg)
{
	struct session *s = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	link_cancel(s->front->streamd, s->pending);
	grpc_fail(s->call, &err);
	session_free(s);
}

static int
session_room(const struct front *front, size_t size, struct cerr *err)
{
	const struct session_table *t = &front->sessions;

	if (t->n >= SESSION_MAX || t->bytes + size > SESSION_BYTES_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "too many streaming requests wait for their clients");
	return front_need(front->streamd, err);
}

void
session_prepare(struct front *front, struct grpc_call *call,
    Criod__StreamPrepare *r, const void *request)
{
	size_t size = protobuf_c_message_get_packed_size(request);
	struct session *s;
	struct cerr err;

	if (session_room(front, size, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	s = pb_calloc(1, sizeof(*s));
	s->front = front;
	s->number = r->session = front->sessions.next++;
	s->kind = r->kind;
	memcpy(s->id, r->id, ID_LEN);
	s->request = pb_copy(request);
	s->size = size;
	s->call = call;
	front->sessions.n++;
	front->sessions.bytes += size;
	LIST_INSERT_HEAD(&front->sessions.list, s, entry);
	s->pending = link_request(front->streamd, MSG_STREAM_PREPARE, r, NULL,
	    0, mono_after_ms(FRONT_QUERY_MS), session_prepared, s);
	grpc_on_cancel(call, session_cancelled, s);
}

/* ---- a client came ---- */

static void
session_begin_answer(struct link_call *call, const struct cerr *err)
{
	Criod__Empty empty = CRIOD__EMPTY__INIT;

	if (err != NULL)
		link_refuse(call, err);
	else
		link_reply(call, MSG_STREAM_BEGUN, &empty, NULL, 0);
}

/* execd and streamd go on by themselves. */
static void
session_streaming(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct session *s = arg;

	(void)m;
	session_begin_answer(s->begin, err);
	session_free(s);
}

static void
session_begin_cancelled(void *arg)
{
	struct session *s = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	link_cancel(s->front->execd, s->pending);
	link_refuse(s->begin, &err);
	session_free(s);
}

static void
session_fill_exec(Criod__CtrStream *m, const void *request)
{
	const Runtime__V1__ExecRequest *r = request;

	m->n_cmd = r->n_cmd;
	m->cmd = r->cmd;
	m->stdin = r->stdin;
	m->stdout = r->stdout;
	m->stderr = r->stderr;
	m->tty = r->tty;
}

static void
session_fill_attach(Criod__CtrStream *m, const void *request)
{
	const Runtime__V1__AttachRequest *r = request;

	m->attach = true;
	m->stdin = r->stdin;
	m->stdout = r->stdout;
	m->stderr = r->stderr;
	m->tty = r->tty;
}

/* What was true when the URL was asked for may have changed. */
static int
session_begin_ctr(struct session *s, struct link_call *call, struct cerr *err)
{
	Criod__CtrStream m = CRIOD__CTR_STREAM__INIT;
	bool attach = s->kind == CRIOD__STREAM_PREPARE__KIND__ATTACH;
	struct ctr *c = ctr_find(s->front, s->id, err);

	if (c == NULL ||
	    (attach ? ctr_may_attach(c, err) : ctr_may_exec(c, err)) == -1)
		return -1;
	m.session = s->number;
	m.id = s->id;
	if (attach)
		session_fill_attach(&m, s->request);
	else
		session_fill_exec(&m, s->request);
	s->begin = call;
	s->pending = link_request(s->front->execd, MSG_CTR_STREAM, &m, NULL, 0,
	    mono_after_ms(SESSION_BEGIN_MS), session_streaming, s);
	link_call_on_cancel(call, session_begin_cancelled, s);
	return 0;
}

static int
session_begin_forward(struct session *s, struct link_call *call,
    struct cerr *err)
{
	struct pod *pod = pod_find(s->front, s->id, err);

	if (pod == NULL || pod_may_forward(pod, err) == -1)
		return -1;
	session_begin_answer(call, NULL);
	return 0;
}

void
session_handle_begin(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__StreamSession *body = m->body;
	struct session *s = session_find(ctx, body->session);
	struct cerr err;
	int rc;

	if (s == NULL || s->begun) {
		(void)cerr_set(&err, CERR_NOT_FOUND, "no such session");
		link_refuse(call, &err);
		return;
	}
	s->begun = true;
	rc = s->kind == CRIOD__STREAM_PREPARE__KIND__PORT_FORWARD
		 ? session_begin_forward(s, call, &err)
		 : session_begin_ctr(s, call, &err);
	if (rc == -1) {
		link_refuse(call, &err);
		session_free(s);
	}
}

/* ---- port forwarding ---- */

static void
session_dialled(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct session_dial *d = arg;
	Criod__Empty empty = CRIOD__EMPTY__INIT;
	int fd;

	if (err != NULL) {
		link_refuse(d->call, err);
	} else {
		fd = link_take_fd(m, 0);
		link_reply(d->call, MSG_STREAM_DIALLED, &empty, &fd, 1);
	}
	d->front->sessions.ndials--;
	free(d);
}

static void
session_dial_cancelled(void *arg)
{
	struct session_dial *d = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "cancelled");
	link_cancel(d->front->netd, d->request);
	link_refuse(d->call, &err);
	d->front->sessions.ndials--;
	free(d);
}

/* Those that the client named; any, if it named none. */
static bool
session_port_allowed(const struct session *s, uint32_t port)
{
	const Runtime__V1__PortForwardRequest *r = s->request;

	for (size_t i = 0; i < r->n_port; i++) {
		if (r->port[i] == (int32_t)port)
			return true;
	}
	return r->n_port == 0 && port >= 1 && port <= UINT16_MAX;
}

static struct pod *
session_dial_pod(struct front *front, const Criod__StreamDial *r,
    struct cerr *err)
{
	struct session *s = session_find(front, r->session);
	struct pod *pod;

	if (s == NULL || !s->begun ||
	    s->kind != CRIOD__STREAM_PREPARE__KIND__PORT_FORWARD) {
		(void)cerr_set(err, CERR_NOT_FOUND, "no such session");
		return NULL;
	}
	if (!session_port_allowed(s, r->port)) {
		(void)cerr_set(err, CERR_INVALID_ARGUMENT,
		    "port %u was not asked for", r->port);
		return NULL;
	}
	pod = pod_find(front, s->id, err);
	if (pod == NULL || pod_may_forward(pod, err) == -1)
		return NULL;
	if (front->sessions.ndials >= SESSION_DIALS_MAX) {
		(void)cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "too many connections are being made");
		return NULL;
	}
	return pod;
}

void
session_handle_dial(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__StreamDial *r = m->body;
	struct front *front = ctx;
	Criod__NetDial body = CRIOD__NET_DIAL__INIT;
	struct session_dial *d;
	struct cerr err;
	struct pod *pod = session_dial_pod(front, r, &err);

	if (pod == NULL) {
		link_refuse(call, &err);
		return;
	}
	body.pod_id = pod->id;
	body.host_network = pod_host_network(pod);
	body.port = r->port;
	body.namespace_ = pod->config->metadata->namespace_;
	d = pb_calloc(1, sizeof(*d));
	d->front = front;
	d->call = call;
	front->sessions.ndials++;
	d->request = link_request(front->netd, MSG_NET_DIAL, &body, NULL, 0,
	    mono_after_ms(SESSION_DIAL_MS), session_dialled, d);
	link_call_on_cancel(call, session_dial_cancelled, d);
}

/* ---- ends ---- */

void
session_handle_drop(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__StreamSession *body = m->body;
	struct session *s = session_find(ctx, body->session);

	(void)call;
	if (s != NULL && !s->begun)
		session_free(s);
}

void
session_handle_end(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__StreamSession *body = m->body;
	struct session *s = session_find(ctx, body->session);

	(void)call;
	if (s == NULL)
		return;
	if (s->begin != NULL)
		session_begin_cancelled(s);
	else
		session_free(s);
}

/*
 * Those whose URL is on its way hear it from the link; those that execd works
 * for were cancelled with their calls.
 */
void
session_streamd_lost(struct front *front)
{
	struct session *s = LIST_FIRST(&front->sessions.list), *next;

	for (; s != NULL; s = next) {
		next = LIST_NEXT(s, entry);
		if (s->call == NULL)
			session_free(s);
	}
}
