/* Exec and Attach: what may be streamed; criod/session.h does the rest. */
#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/session.h"

/* What both kinds ask for. */
static int
stream_want(Criod__StreamPrepare *m, bool in, bool out, bool errors, bool tty,
    struct cerr *err)
{
	m->stdin = in;
	m->stdout = out;
	m->stderr = errors;
	m->tty = tty;
	if (!in && !out && !errors)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "one of stdin, stdout and stderr must be set");
	if (tty && errors)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "tty and stderr cannot both be set");
	return 0;
}

int
ctr_may_attach(const struct ctr *c, struct cerr *err)
{
	if (c->state != CTR_CREATED && c->state != CTR_RUNNING)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s is not running", c->id);
	return front_need(c->front->execd, err);
}

void
ctr_handle_exec(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ExecRequest *r = request_;
	Criod__StreamPrepare m = CRIOD__STREAM_PREPARE__INIT;
	struct ctr *c = NULL;
	struct cerr err;

	if (stream_want(&m, r->stdin, r->stdout, r->stderr, r->tty, &err) ==
		0 &&
	    ctr_check_cmd(r->cmd, r->n_cmd, &r->base, &err) == 0)
		c = ctr_find(ctx, r->container_id, &err);
	if (c == NULL || ctr_may_exec(c, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	m.kind = CRIOD__STREAM_PREPARE__KIND__EXEC;
	m.id = c->id;
	session_prepare(ctx, call, &m, r);
}

void
ctr_handle_attach(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__AttachRequest *r = request_;
	Criod__StreamPrepare m = CRIOD__STREAM_PREPARE__INIT;
	struct ctr *c = NULL;
	struct cerr err;

	if (stream_want(&m, r->stdin, r->stdout, r->stderr, r->tty, &err) == 0)
		c = ctr_find(ctx, r->container_id, &err);
	if (c != NULL && r->tty != c->config->tty) {
		(void)cerr_set(&err, CERR_INVALID_ARGUMENT,
		    "tty: container %s has %s terminal", c->id,
		    c->config->tty ? "a" : "no");
		c = NULL;
	}
	if (c == NULL || ctr_may_attach(c, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	m.kind = CRIOD__STREAM_PREPARE__KIND__ATTACH;
	m.id = c->id;
	session_prepare(ctx, call, &m, r);
}
