#include <stdlib.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "imsg/link.h"

/*
 * Output of each stream that is kept.  Both together must fit one message,
 * with room for the rest of it; many at once share the memory.
 */
#define EXEC_OUTPUT_MAX	   (16U * 1024 * 1024)
#define EXEC_BOTH_MAX	   (GRPC_MESSAGE_MAX - 1024)
#define EXEC_MAX	   512
#define EXEC_PEER_MAX	   (EXEC_MAX / 2) /* of one client, by its pid */
#define EXEC_SPARE_MS	   30000 /* for execd, beyond the command's own time */
#define EXEC_TIMEOUT_MAX_S (INT64_MAX / 1000000)
#define EXEC_CMD_MAX	   (2U * 1024 * 1024)

struct exec {
	LIST_ENTRY(exec) entry;
	struct front *front;
	struct grpc_call *call; /* NULL: the client has left */
	int pid;		/* the client's */
	uint32_t request;
	int64_t timeout;
};

static void
exec_free(struct exec *x)
{
	LIST_REMOVE(x, entry);
	x->front->nexecs--;
	free(x);
}

/* Each gets half, or what the other leaves. */
static void
exec_cut(size_t *out, size_t *err)
{
	size_t half = EXEC_BOTH_MAX / 2;

	if (*out + *err <= EXEC_BOTH_MAX)
		return;
	if (*out <= half)
		*err = EXEC_BOTH_MAX - *out;
	else if (*err <= half)
		*out = EXEC_BOTH_MAX - *err;
	else
		*out = *err = half;
}

static void
exec_answer(struct exec *x, const Criod__CtrExecDone *m)
{
	Runtime__V1__ExecSyncResponse resp =
	    RUNTIME__V1__EXEC_SYNC_RESPONSE__INIT;
	struct cerr err;

	if (m->timed_out) {
		(void)cerr_set(&err, CERR_DEADLINE_EXCEEDED,
		    "command timed out after %lld s", (long long)x->timeout);
		grpc_fail(x->call, &err);
		return;
	}
	resp.stdout = m->out;
	resp.stderr = m->err;
	exec_cut(&resp.stdout.len, &resp.stderr.len);
	resp.exit_code = m->exit_code;
	grpc_reply(x->call, &resp);
}

static void
exec_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct exec *x = arg;

	if (x->call != NULL) {
		grpc_on_cancel(x->call, NULL, NULL);
		if (err != NULL)
			grpc_fail(x->call, err);
		else
			exec_answer(x, m->body);
	}
	exec_free(x);
}

/*
 * Nobody waits: execd has what was started killed.  It counts until then, or
 * a client that leaves at once could start any number.
 */
static void
exec_cancelled(void *arg)
{
	struct exec *x = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	link_cancel_wait(x->front->execd, x->request);
	grpc_fail(x->call, &err);
	x->call = NULL;
}

/* How much each may keep while fewer than that many are running. */
static const struct {
	size_t running, output;
} exec_shares[] = {
	{ 2, EXEC_OUTPUT_MAX },
	{ 8, 1024 * 1024 },
	{ 64, 128 * 1024 },
	{ EXEC_MAX, 16 * 1024 },
};

static size_t
exec_output_max(const struct front *front)
{
	size_t i = 0;

	while (front->nexecs >= exec_shares[i].running &&
	       exec_shares[i].running < EXEC_MAX)
		i++;
	return exec_shares[i].output;
}

static void
exec_begin(struct front *front, struct grpc_call *call, const struct ctr *c,
    const Runtime__V1__ExecSyncRequest *r)
{
	struct exec *x = pb_calloc(1, sizeof(*x));
	Criod__CtrExec m = CRIOD__CTR_EXEC__INIT;
	struct mono deadline = mono_none();

	x->front = front;
	x->call = call;
	x->pid = grpc_peer_pid(call);
	x->timeout =
	    r->timeout < EXEC_TIMEOUT_MAX_S ? r->timeout : EXEC_TIMEOUT_MAX_S;
	m.id = pb_str(c->id);
	m.n_cmd = r->n_cmd;
	m.cmd = r->cmd;
	m.timeout_ms = x->timeout * 1000;
	m.output_max = exec_output_max(front);
	if (x->timeout > 0)
		deadline = mono_after_ms(m.timeout_ms + EXEC_SPARE_MS);
	LIST_INSERT_HEAD(&front->execs, x, entry);
	front->nexecs++;
	x->request = link_request(front->execd, MSG_CTR_EXEC, &m, NULL, 0,
	    deadline, exec_done, x);
	grpc_on_cancel(call, exec_cancelled, x);
}

int
ctr_check_cmd(char *const *cmd, size_t n, const ProtobufCMessage *request,
    struct cerr *err)
{
	if (n == 0 || cmd[0][0] == '\0')
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "cmd: must not be empty");
	if (protobuf_c_message_get_packed_size(request) > EXEC_CMD_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "cmd: longer than %u bytes", EXEC_CMD_MAX);
	return 0;
}

int
ctr_may_exec(const struct ctr *c, struct cerr *err)
{
	if (c->state != CTR_RUNNING)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s is not running", c->id);
	if (stop_plan_killing(&c->plan))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "container %s is being killed", c->id);
	return front_need(c->front->execd, err);
}

static int
exec_check(const Runtime__V1__ExecSyncRequest *r, struct cerr *err)
{
	if (r->timeout < 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "timeout: must not be negative");
	return ctr_check_cmd(r->cmd, r->n_cmd, &r->base, err);
}

static bool
exec_peer_full(const struct front *front, int pid)
{
	size_t left = EXEC_PEER_MAX;
	const struct exec *x;

	LIST_FOREACH(x, &front->execs, entry) {
		if (x->pid == pid && --left == 0)
			return true;
	}
	return false;
}

static int
exec_may(const struct front *front, const struct grpc_call *call,
    const struct ctr *c, struct cerr *err)
{
	if (front->nexecs >= EXEC_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "%d commands are running already", EXEC_MAX);
	if (exec_peer_full(front, grpc_peer_pid(call)))
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "%d commands of this client are running already, or being "
		    "killed",
		    EXEC_PEER_MAX);
	return ctr_may_exec(c, err);
}

void
ctr_handle_exec_sync(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ExecSyncRequest *r = request_;
	struct front *front = ctx;
	struct ctr *c = NULL;
	struct cerr err;

	if (exec_check(r, &err) == 0)
		c = ctr_find(front, r->container_id, &err);
	if (c == NULL || exec_may(front, call, c, &err) == -1)
		grpc_fail(call, &err);
	else
		exec_begin(front, call, c, r);
}
