#include <sys/stat.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/fixed.h"
#include "imsg/guard.h"
#include "imsg/helper.h"
#include "lib/id.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "netd/dial.h"
#include "netd/netd.h"
#include "proto/msg.pb-c.h"

#define DIAL_SPARE_MS 5000 /* for the launcher */

struct dial {
	struct netd *netd;
	struct link_call *call;
	uint32_t request;
};

static void
dial_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct dial *d = arg;
	Criod__Empty empty = CRIOD__EMPTY__INIT;
	int fd;

	if (err != NULL) {
		link_refuse(d->call, err);
	} else {
		fd = link_take_fd(m, 0);
		link_reply(d->call, MSG_NET_DIALLED, &empty, &fd, 1);
	}
	free(d);
}

static void
dial_cancelled(void *arg)
{
	struct dial *d = arg;
	struct cerr err;

	link_cancel(helper_link(d->netd->helper, ROLE_NETLAUNCH), d->request);
	(void)cerr_set(&err, CERR_CANCELLED, "cancelled");
	link_refuse(d->call, &err);
	free(d);
}

/* The host's loopback: for pods that the policy lets use its network. */
static int
dial_check_host(const struct netd *n, const Criod__NetDial *r, struct cerr *err)
{
	struct guard_for who = { r->namespace_, r->pod_id, "" };
	struct rule_ask ask = { .what = RULE_HOST_NETWORK };

	return guard_check(n->guard, &who, &ask, err);
}

/* A pod has a record from before its first plugin until DEL succeeded. */
static int
dial_check(const struct netd *n, const Criod__NetDial *r, struct cerr *err)
{
	struct stat st;
	bool known;

	if (!id_valid(r->pod_id))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "pod_id: not an id");
	if (r->port < 1 || r->port > UINT16_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "port: not in 1..65535");
	known = fstatat(n->cache, r->pod_id, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (r->host_network && known)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "pod %s has a network of its own", r->pod_id);
	if (!r->host_network && !known)
		return cerr_set(err, CERR_NOT_FOUND, "pod %s has no network",
		    r->pod_id);
	return r->host_network ? dial_check_host(n, r, err) : 0;
}

void
dial_start(struct netd *n, struct link_call *call, const Criod__NetDial *r)
{
	struct fixed_dial body = { .host = r->host_network ? 1 : 0,
		.port = r->port,
		.timeout_ms = DIAL_MS };
	struct dial *d;
	struct cerr err;

	if (dial_check(n, r, &err) == -1) {
		link_refuse(call, &err);
		return;
	}
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		fatal("calloc");
	memcpy(body.pod, r->pod_id, ID_SIZE);
	d->netd = n;
	d->call = call;
	d->request = link_request(helper_link(n->helper, ROLE_NETLAUNCH),
	    MSG_DIAL, &body, NULL, 0, mono_after_ms(DIAL_MS + DIAL_SPARE_MS),
	    dial_done, d);
	link_call_on_cancel(call, dial_cancelled, d);
}
