#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "criod/control.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/pb.h"
#include "criod/record.h"
#include "imsg/audit.h"
#include "imsg/codec.h"
#include "imsg/link.h"
#include "lib/fdio.h"
#include "lib/log.h"

#define CONTROL_REFERENCE 384

struct control_client {
	LIST_ENTRY(control_client) entry;
	struct front *front;
	struct link *link;
	int pid;
	struct event *free_timer;
	size_t nblobs;
	struct {
		char *digest;
		int fd;
	} blobs[CONTROL_BLOBS_MAX];
};

/* A call of a client's, or its import. */
struct control_call {
	struct front *front;
	struct link_call *from;
	struct grpc_call *call;
	uint32_t request;
	const char *method;		   /* for the audit log */
	char reference[CONTROL_REFERENCE]; /* of an import; may be cut */
	int pid;
};

/* ---- any call of the CRI ---- */

static void
control_called(void *arg, const struct cerr *err, const uint8_t *resp,
    size_t len)
{
	struct control_call *k = arg;
	Criod__CtlReply m = CRIOD__CTL_REPLY__INIT;

	if (err != NULL) {
		link_refuse(k->from, err);
	} else {
		m.response.data = (uint8_t *)(uintptr_t)resp;
		m.response.len = len;
		link_reply(k->from, MSG_CTL_REPLY, &m, NULL, 0);
	}
	free(k);
}

static void
control_call_cancelled(void *arg)
{
	struct control_call *k = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "criodctl left");
	grpc_local_cancel(k->call);
	link_refuse(k->from, &err);
	free(k);
}

static struct control_call *
control_call_new(struct front *front, struct link_call *from)
{
	struct control_call *k = pb_calloc(1, sizeof(*k));

	k->front = front;
	k->from = from;
	return k;
}

static void
control_handle_call(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct control_client *cl = ctx;
	const Criod__CtlCall *r = m->body;
	struct control_call *k = control_call_new(cl->front, call);

	k->call = grpc_call_local(cl->front->grpc, r->path, r->request.data,
	    r->request.len, control_called, k);
	grpc_local_peer(k->call, 0, cl->pid);
	link_call_on_cancel(call, control_call_cancelled, k);
}

/* ---- an image's blobs, then the import ---- */

static void
control_drop_blobs(struct control_client *cl)
{
	for (size_t i = 0; i < cl->nblobs; i++) {
		free(cl->blobs[i].digest);
		fdio_close(&cl->blobs[i].fd);
	}
	cl->nblobs = 0;
}

/* They are kept until the import, so that two clients' do not mix. */
static void
control_handle_blob(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct control_client *cl = ctx;
	const Criod__ImgBlob *r = m->body;

	(void)call;
	if (cl->nblobs == CONTROL_BLOBS_MAX) {
		log_warn("criodctl: more than %d blobs", CONTROL_BLOBS_MAX);
		return;
	}
	cl->blobs[cl->nblobs].digest = pb_strdup(r->digest);
	cl->blobs[cl->nblobs].fd = link_take_fd(m, 0);
	cl->nblobs++;
}

static void
control_pass_blobs(struct control_client *cl)
{
	Criod__ImgBlob m = CRIOD__IMG_BLOB__INIT;

	for (size_t i = 0; i < cl->nblobs; i++) {
		m.digest = cl->blobs[i].digest;
		(void)link_send(cl->front->imaged, MSG_IMG_BLOB, &m,
		    &cl->blobs[i].fd, 1);
		cl->blobs[i].fd = -1; /* taken */
	}
	control_drop_blobs(cl);
}

/* ---- what is imaged's alone ---- */

static void
control_passed(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct control_call *k = arg;

	record_local(k->front->audit, k->method, k->reference, k->pid, err);
	if (err != NULL)
		link_refuse(k->from, err);
	else
		link_reply(k->from, m->type, m->body, NULL, 0);
	free(k);
}

static void
control_pass_cancelled(void *arg)
{
	struct control_call *k = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "criodctl left");
	record_local(k->front->audit, k->method, k->reference, k->pid, &err);
	link_cancel(k->front->imaged, k->request);
	link_refuse(k->from, &err);
	free(k);
}

/* Its name in the audit log, and what it is about. */
static const char *
control_method(const struct link_msg *m, char reference[CONTROL_REFERENCE])
{
	static const struct {
		enum msg_type type;
		const char *name;
	} names[] = {
		{ MSG_IMG_DETAILS, "ImageDetails" },
		{ MSG_IMG_READ, "ReadLayer" },
		{ MSG_IMG_TASKS, "ImageTasks" },
	};
	const Criod__ImgImport *import = m->body;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].type == m->type)
			return names[i].name;
	}
	audit_text(reference, CONTROL_REFERENCE, import->reference);
	return "ImportImage";
}

/* The same request, descriptor and answer. */
static void
control_pass(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct control_client *cl = ctx;
	struct control_call *k;
	struct cerr err;
	int fd = -1;

	if (front_need(cl->front->imaged, &err) == -1) {
		link_refuse(call, &err);
		return;
	}
	if (m->nfds > 0)
		fd = link_take_fd(m, 0);
	k = control_call_new(cl->front, call);
	k->pid = cl->pid;
	k->method = control_method(m, k->reference);
	k->request = link_request(cl->front->imaged, m->type, m->body, &fd,
	    fd != -1, mono_none(), control_passed, k);
	link_call_on_cancel(call, control_pass_cancelled, k);
}

static void
control_handle_import(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct control_client *cl = ctx;

	if (link_attached(cl->front->imaged))
		control_pass_blobs(cl);
	else
		control_drop_blobs(cl);
	control_pass(ctx, call, m);
}

/* ---- connections ---- */

static void
control_free(evutil_socket_t fd, short what, void *arg)
{
	struct control_client *cl = arg;

	(void)fd;
	(void)what;
	event_free(cl->free_timer);
	link_free(cl->link);
	control_drop_blobs(cl);
	free(cl);
}

/* The link may still be in use up the stack: it is freed a little later. */
static void
control_lost(void *ctx, struct link *link, const char *breach)
{
	struct control_client *cl = ctx;

	(void)link;
	if (breach != NULL)
		log_warn("criodctl cut off: %s", breach);
	LIST_REMOVE(cl, entry);
	cl->front->control.nclients--;
	event_active(cl->free_timer, EV_TIMEOUT, 0);
}

static const struct link_handler control_handlers[] = {
	{ MSG_CTL_CALL, control_handle_call },
	{ MSG_IMG_BLOB, control_handle_blob },
	{ MSG_IMG_IMPORT, control_handle_import },
	{ MSG_IMG_DETAILS, control_pass },
	{ MSG_IMG_READ, control_pass },
	{ MSG_IMG_TASKS, control_pass },
};

static const struct link_def control_link = {
	.self = ROLE_FRONT,
	.peer = ROLE_CTL,
	.handlers = control_handlers,
	.nhandlers = sizeof(control_handlers) / sizeof(control_handlers[0]),
	.lost = control_lost,
	.pb = &codec_pb,
};

/* Takes fd. */
static void
control_client_new(struct front *front, int fd, int pid)
{
	struct control_client *cl = pb_calloc(1, sizeof(*cl));

	cl->front = front;
	cl->pid = pid;
	cl->free_timer = evtimer_new(front->base, control_free, cl);
	if (cl->free_timer == NULL)
		fatalx("evtimer_new");
	cl->link = link_new(front->base, &control_link, cl);
	LIST_INSERT_HEAD(&front->control.clients, cl, entry);
	front->control.nclients++;
	link_attach(cl->link, fd);
}

static bool
control_is_root(int fd, int *pid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return false;
	*pid = cred.pid;
	return cred.uid == 0;
}

static void
control_accept(evutil_socket_t listener, short what, void *arg)
{
	struct front *front = arg;
	CLEANUP_FD int fd =
	    accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int pid = 0;

	(void)what;
	if (fd == -1) {
		if (errno != EAGAIN && errno != ECONNABORTED)
			log_warn("control socket: %s", strerror(errno));
		return;
	}
	if (front->control.nclients == CONTROL_CLIENTS_MAX ||
	    !control_is_root(fd, &pid)) {
		log_warn("control socket: client refused");
		return;
	}
	control_client_new(front, fd, pid);
	fd = -1;
}

void
control_listen(struct front *front, int fd)
{
	struct control *k = &front->control;

	if (k->accept != NULL) {
		log_warn("a second control socket is not taken");
		fdio_close(&fd);
		return;
	}
	if (evutil_make_socket_nonblocking(fd) == -1)
		fatal("control socket");
	k->accept = event_new(front->base, fd, EV_READ | EV_PERSIST,
	    control_accept, front);
	if (k->accept == NULL || event_add(k->accept, NULL) == -1)
		fatalx("event_new");
}
