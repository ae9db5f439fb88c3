/*
 * netd, the half that thinks: reads network configuration, decides which
 * plugins run with what, and keeps what they said.  It executes nothing and
 * has no network of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "imsg/audit.h"
#include "imsg/codec.h"
#include "imsg/guard.h"
#include "imsg/helper.h"
#include "lib/confine.h"
#include "lib/filter.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/record.h"
#include "netd/conf.h"
#include "netd/confdir.h"
#include "netd/dial.h"
#include "netd/embedded.h"
#include "netd/gc.h"
#include "netd/netd.h"
#include "netd/op.h"
#include "netd/run.h"
#include "netd/scan.h"
#include "netd/status.h"
#include "proto/msg.pb-c.h"

extern const struct filter filter_netd;

/* ---- front ---- */

static void
netd_take_add(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct netd *n = ctx;

	ops_add(n->ops, call, m->body);
}

static void
netd_take_del(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct netd *n = ctx;
	const Criod__PodId *body = m->body;

	ops_del(n->ops, call, body->id);
}

static void
netd_take_check(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct netd *n = ctx;
	const Criod__PodId *body = m->body;

	ops_check(n->ops, call, body->id);
}

static void
netd_take_status(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct netd *n = ctx;

	(void)m;
	status_take(n->status, call);
}

static void
netd_take_gc(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct netd *n = ctx;

	gc_start(n->gc, call, m->body);
}

static void
netd_take_dial(void *ctx, struct link_call *call, struct link_msg *m)
{
	dial_start(ctx, call, m->body);
}

static const struct link_handler netd_front_handlers[] = {
	{ MSG_NET_ADD, netd_take_add },
	{ MSG_NET_DEL, netd_take_del },
	{ MSG_NET_CHECK, netd_take_check },
	{ MSG_NET_STATUS, netd_take_status },
	{ MSG_NET_GC, netd_take_gc },
	{ MSG_NET_DIAL, netd_take_dial },
};

/* ---- parent ---- */

static void
netd_take_file(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct netd *n = ctx;
	const Criod__File *body = m->body;

	(void)call;
	if (body->kind == CRIOD__FILE__KIND__CNI_CONF)
		confdir_add(n->confdir, body->name, link_take_fd(m, 0));
}

static const struct link_handler netd_handlers[] = {
	{ MSG_FILE, netd_take_file },
};

static int
netd_boot(void *ctx, const Criod__Boot *boot, struct cerr *err)
{
	struct netd *n = ctx;
	struct conf *embedded;

	if (boot->netd == NULL)
		return cerr_set(err, CERR_INTERNAL, "BOOT without netd");
	json_init();
	embedded = embedded_make(boot->netd->bridge_subnet, err);
	if (embedded == NULL)
		return -1;
	n->guard = guard_new(boot->netd->policy, boot->netd->n_policy,
	    audit_new(helper_link(n->helper, ROLE_SCRIBE), boot->netd->audit));
	n->cache = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (n->cache == -1)
		return cerr_errno(err, "network directory");
	if (record_clear_aside(n->cache, err) == -1)
		return -1;
	n->confdir = confdir_new(boot->netd->default_network, embedded);
	n->scan = scan_new(n);
	n->runner = runner_new(helper_base(n->helper),
	    helper_link(n->helper, ROLE_NETLAUNCH));
	n->ops = ops_new(n);
	n->gc = gc_new(n);
	n->status = status_new(n);
	return 0;
}

/* The files that came before START are the first configuration. */
static void
netd_start(void *ctx)
{
	struct netd *n = ctx;

	confdir_commit(n->confdir);
}

static void
netd_attached(void *ctx, enum role peer)
{
	struct netd *n = ctx;

	if (peer == ROLE_NETLAUNCH)
		runner_attached(n->runner);
}

static const struct link_def netd_links[] = {
	{
	    .self = ROLE_NETD,
	    .peer = ROLE_FRONT,
	    .handlers = netd_front_handlers,
	    .nhandlers =
		sizeof(netd_front_handlers) / sizeof(netd_front_handlers[0]),
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_NETD,
	    .peer = ROLE_NETLAUNCH,
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_NETD,
	    .peer = ROLE_SCRIBE,
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
};

static const struct confine_limit netd_limits[] = {
	{ RLIMIT_AS, 512UL << 20 },
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_FSIZE, 8UL << 20 },
	{ RLIMIT_MEMLOCK, 0 },
	{ RLIMIT_NOFILE, 512 },
	{ RLIMIT_NPROC, 0 },
	{ -1, 0 },
};

static const struct confine netd_confine = {
	.role = "netd",
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.limits = netd_limits,
	.filter = &filter_netd,
};

static const struct helper_def netd_def = {
	.role = ROLE_NETD,
	.pb = &codec_pb,
	.confine = &netd_confine,
	.links = netd_links,
	.nlinks = sizeof(netd_links) / sizeof(netd_links[0]),
	.handlers = netd_handlers,
	.nhandlers = sizeof(netd_handlers) / sizeof(netd_handlers[0]),
	.boot = netd_boot,
	.start = netd_start,
	.attached = netd_attached,
};

int
main(void)
{
	static struct netd netd = { .cache = -1 };

	netd.helper = helper_new(&netd_def, &netd, HELPER_PARENT_FD);
	helper_boot_run(netd.helper);
}
