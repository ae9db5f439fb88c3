#include <sys/mount.h>
#include <sys/resource.h>

#include <linux/mount.h>
#include <sched.h>

#include "criod/ctr.h"
#include "criod/facts.h"
#include "criod/figures.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/known.h"
#include "criod/methods.h"
#include "criod/node_net.h"
#include "criod/nri.h"
#include "criod/record.h"
#include "criod/serve.h"
#include "criod/session.h"
#include "imsg/audit.h"
#include "imsg/codec.h"
#include "imsg/helper.h"
#include "lib/confine.h"
#include "lib/filter.h"

extern const struct filter filter_front;

static struct front front;

static const struct confine_limit front_limits[] = {
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_NOFILE, 1024 },
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_AS, 512UL * 1024 * 1024 },
	{ -1, 0 },
};

static const struct confine front_confine = {
	.role = "front",
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.limits = front_limits,
	.filter = &filter_front,
};

static const struct link_handler front_execd_handlers[] = {
	{ MSG_CTR_EXITED, facts_handle_exited },
	{ MSG_RUNTIMES_NOW, facts_handle_runtimes },
	{ MSG_POD_LOST, facts_handle_lost },
};

static const struct link_handler front_imaged_handlers[] = {
	{ MSG_IMG_NEWS, known_handle_news },
};

static const struct link_handler front_streamd_handlers[] = {
	{ MSG_STREAM_DROP, session_handle_drop },
	{ MSG_STREAM_BEGIN, session_handle_begin },
	{ MSG_STREAM_DIAL, session_handle_dial },
	{ MSG_STREAM_END, session_handle_end },
};

static void
front_streamd_lost(void *ctx, struct link *link, const char *breach)
{
	session_streamd_lost(ctx);
	helper_link_lost(ctx, link, breach);
}

#define FRONT_LINK(role)                                                       \
	.self = ROLE_FRONT, .peer = (role), .lost = helper_link_lost,          \
	.pb = &codec_pb

static const struct link_handler front_nrid_handlers[] = {
	{ MSG_NRI_UPDATE, ctr_nri_update },
	{ MSG_NRI_EVICT, nri_handle_evict },
};

static const struct link_def front_links[] = {
	{
	    .self = ROLE_FRONT,
	    .peer = ROLE_STREAMD,
	    .handlers = front_streamd_handlers,
	    .nhandlers = sizeof(front_streamd_handlers) /
			 sizeof(front_streamd_handlers[0]),
	    .lost = front_streamd_lost,
	    .pb = &codec_pb,
	},
	{
	    FRONT_LINK(ROLE_IMAGED),
	    .handlers = front_imaged_handlers,
	    .nhandlers = 1,
	},
	{ FRONT_LINK(ROLE_NETD) },
	{
	    FRONT_LINK(ROLE_EXECD),
	    .handlers = front_execd_handlers,
	    .nhandlers =
		sizeof(front_execd_handlers) / sizeof(front_execd_handlers[0]),
	},
	{
	    FRONT_LINK(ROLE_NRID),
	    .handlers = front_nrid_handlers,
	    .nhandlers =
		sizeof(front_nrid_handlers) / sizeof(front_nrid_handlers[0]),
	},
	{ FRONT_LINK(ROLE_SCRIBE) },
	{ FRONT_LINK(ROLE_KEEPER) },
};

static const struct link_handler front_handlers[] = {
	{ MSG_LISTENER, serve_handle_listener },
};

static void
front_call_ended(void *ctx, const struct grpc_outcome *o)
{
	struct front *f = ctx;

	figures_call(f, o);
	record_call(f->audit, o);
}

/* Its records are complete: with what others know they can be compared. */
static void
front_go(struct front *f)
{
	if (link_attached(f->nrid))
		nri_attached(f);
	figures_send(f);
	if (link_attached(f->netd))
		facts_netd_back(f);
	if (link_attached(f->execd))
		facts_execd_back(f);
	else
		serve_begin(f);
}

static int
front_boot(void *ctx, const Criod__Boot *boot, struct cerr *err)
{
	struct front *f = ctx;

	if (boot->front == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "BOOT: not for the front");
	f->boot = boot->front;
	f->figures = figures_new(f);
	f->net = node_net_new(f);
	f->grpc = grpc_server_new(f->base, methods_cri, methods_cri_count, f);
	f->audit =
	    audit_new(helper_link(f->helper, ROLE_SCRIBE), f->boot->audit);
	grpc_server_on_end(f->grpc, front_call_ended);
	if (store_open(&f->store, err) == -1 || store_load(f, err) == -1 ||
	    keep_open(f, front_go, err) == -1)
		return -1;
	if (!f->keep.restoring)
		store_resume(f);
	return 0;
}

static void
front_start(void *ctx)
{
	struct front *f = ctx;

	f->started = true;
	if (link_attached(f->keeper))
		keep_attached(f);
	if (!f->keep.restoring)
		front_go(f);
}

static void
front_attached(void *ctx, enum role peer)
{
	struct front *f = ctx;

	if (f->started && peer == ROLE_KEEPER)
		keep_attached(f);
	if (!f->started || f->keep.restoring)
		return;
	if (peer == ROLE_EXECD)
		facts_execd_back(f);
	else if (peer == ROLE_NETD)
		facts_netd_back(f);
	else if (peer == ROLE_NRID)
		nri_attached(f);
	else if (peer == ROLE_STREAMD)
		figures_send(f);
}

static void
front_stop(void *ctx)
{
	struct front *f = ctx;

	grpc_server_stop(f->grpc);
}

static const struct helper_def front_def = {
	.role = ROLE_FRONT,
	.pb = &codec_pb,
	.confine = &front_confine,
	.links = front_links,
	.nlinks = sizeof(front_links) / sizeof(front_links[0]),
	.handlers = front_handlers,
	.nhandlers = sizeof(front_handlers) / sizeof(front_handlers[0]),
	.boot = front_boot,
	.start = front_start,
	.stop = front_stop,
	.attached = front_attached,
};

int
main(void)
{
	TAILQ_INIT(&front.pods);
	TAILQ_INIT(&front.ctrs);
	LIST_INIT(&front.execs);
	LIST_INIT(&front.orphans);
	LIST_INIT(&front.foreigns);
	session_init(&front.sessions);
	LIST_INIT(&front.control.clients);
	events_init(&front.events);
	front.helper = helper_new(&front_def, &front, HELPER_PARENT_FD);
	front.base = helper_base(front.helper);
	front.imaged = helper_link(front.helper, ROLE_IMAGED);
	front.streamd = helper_link(front.helper, ROLE_STREAMD);
	front.netd = helper_link(front.helper, ROLE_NETD);
	front.execd = helper_link(front.helper, ROLE_EXECD);
	front.nrid = helper_link(front.helper, ROLE_NRID);
	front.keeper = helper_link(front.helper, ROLE_KEEPER);
	helper_boot_run(front.helper);
}
