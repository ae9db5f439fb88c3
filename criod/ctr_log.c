#include "criod/ctr.h"
#include "criod/forward.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"

static void
ctr_reopened(struct grpc_call *call, const void *body)
{
	Runtime__V1__ReopenContainerLogResponse resp =
	    RUNTIME__V1__REOPEN_CONTAINER_LOG_RESPONSE__INIT;

	(void)body;
	grpc_reply(call, &resp);
}

/* Goes past whatever else is done with the container. */
void
ctr_handle_reopen(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ReopenContainerLogRequest *r = request_;
	struct front *front = ctx;
	Criod__CtrId m = CRIOD__CTR_ID__INIT;
	struct cerr err;
	struct ctr *c = ctr_find(front, r->container_id, &err);

	if (c != NULL && c->state != CTR_RUNNING) {
		(void)cerr_set(&err, CERR_FAILED_PRECONDITION,
		    "container %s is not running", c->id);
		c = NULL;
	}
	if (c == NULL) {
		grpc_fail(call, &err);
		return;
	}
	m.id = c->id;
	forward_call(call, front->execd, MSG_CTR_REOPEN, &m, FRONT_QUERY_MS,
	    ctr_reopened);
}
