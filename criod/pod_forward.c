/* PortForward: to which pods and ports; criod/session.h does the rest. */
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pod.h"
#include "criod/session.h"

int
pod_may_forward(const struct pod *pod, struct cerr *err)
{
	if (pod->state != POD_READY)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "pod sandbox %s is not ready", pod->id);
	return front_need(pod->front->netd, err);
}

/* ports: room for SESSION_PORTS_MAX. */
static int
forward_check(const Runtime__V1__PortForwardRequest *r, uint32_t *ports,
    struct cerr *err)
{
	if (r->n_port > SESSION_PORTS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "port: more than %d", SESSION_PORTS_MAX);
	for (size_t i = 0; i < r->n_port; i++) {
		if (r->port[i] < 1 || r->port[i] > UINT16_MAX)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "port: %d is not in 1..65535", r->port[i]);
		ports[i] = (uint32_t)r->port[i];
	}
	return 0;
}

void
pod_handle_port_forward(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__PortForwardRequest *r = request_;
	Criod__StreamPrepare m = CRIOD__STREAM_PREPARE__INIT;
	uint32_t ports[SESSION_PORTS_MAX];
	struct pod *pod = NULL;
	struct cerr err;

	if (forward_check(r, ports, &err) == 0)
		pod = pod_find(ctx, r->pod_sandbox_id, &err);
	if (pod == NULL || pod_may_forward(pod, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	m.kind = CRIOD__STREAM_PREPARE__KIND__PORT_FORWARD;
	m.id = pod->id;
	m.n_ports = r->n_port;
	m.ports = ports;
	session_prepare(ctx, call, &m, r);
}
