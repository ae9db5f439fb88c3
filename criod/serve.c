#include "criod/control.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/serve.h"
#include "lib/fdio.h"
#include "lib/log.h"

static void
serve_listener(struct front *front, const struct serve_listener *l)
{
	if (l->kind == CRIOD__LISTENER__KIND__CRI)
		grpc_server_listen(front->grpc, l->fd);
	else
		control_listen(front, l->fd);
}

void
serve_begin(struct front *front)
{
	if (front->serving)
		return;
	front->serving = true;
	for (size_t i = 0; i < front->nlisteners; i++)
		serve_listener(front, &front->listeners[i]);
	front->nlisteners = 0;
	log_info("serving");
}

void
serve_handle_listener(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__Listener *r = m->body;
	struct front *front = ctx;
	struct serve_listener l = { r->kind, link_take_fd(m, 0) };

	(void)call;
	if ((l.kind != CRIOD__LISTENER__KIND__CRI &&
		l.kind != CRIOD__LISTENER__KIND__CONTROL) ||
	    front->nlisteners == FRONT_LISTENERS_MAX) {
		log_warn("listener %s is not wanted", r->name);
		fdio_close(&l.fd);
		return;
	}
	log_debug("listener %s", r->name);
	if (front->serving)
		serve_listener(front, &l);
	else
		front->listeners[front->nlisteners++] = l;
}
