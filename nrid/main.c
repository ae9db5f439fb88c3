/*
 * nrid: NRI plugins.  It reads what they send and tells the front and execd
 * what they ask for; it opens nothing, makes no socket and executes nothing.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <event2/event.h>

#include <linux/mount.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/codec.h"
#include "imsg/helper.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/id.h"
#include "lib/log.h"
#include "nrid/job.h"
#include "nrid/nrid.h"
#include "nrid/plugin.h"
#include "nrid/sync.h"
#include "proto/pballoc.h"
#include "proto/pbcheck.h"

extern const struct filter filter_nrid;

static struct nrid nrid;

#define NRID_FDS (NRID_PLUGINS_MAX + 64)

static const struct confine_limit nrid_limits[] = {
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_NOFILE, NRID_FDS },
	{ RLIMIT_AS, 512UL * 1024 * 1024 },
	{ RLIMIT_MEMLOCK, 0 },
	{ RLIMIT_CORE, 0 },
	{ -1, 0 },
};

static const struct confine nrid_confine = {
	.role = "nrid",
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
		     MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_NO_FILES,
	.limits = nrid_limits,
	.filter = &filter_nrid,
};

void *
nrid_alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

void *
nrid_decode(struct pballoc *mem, const ProtobufCMessageDescriptor *desc,
    const uint8_t *buf, size_t len)
{
	struct cerr err;

	if (pbcheck(desc, buf, len, &err) == -1) {
		log_debug("%s: %s", desc->name, err.text);
		return NULL;
	}
	return protobuf_c_message_unpack(desc, &mem->alloc, len, buf);
}

/* ---- what the front and execd tell ---- */

/* All pods and containers, in parts: at the front's start, or at ours. */
static void
nrid_take_state(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Nri__SynchronizeRequest *r = m->body;
	struct nrid *n = ctx;

	(void)call;
	if (!n->listing)
		known_list_begin(&n->known);
	n->listing = r->more;
	for (size_t i = 0; i < r->n_pods; i++) {
		if (id_valid(r->pods[i]->id))
			(void)known_set_pod(&n->known, r->pods[i]->id,
			    r->pods[i]);
	}
	for (size_t i = 0; i < r->n_containers; i++) {
		const Nri__Container *c = r->containers[i];

		if (id_valid(c->id) && id_valid(c->pod_sandbox_id))
			(void)known_set_front(&n->known, c->id,
			    c->pod_sandbox_id, c);
	}
	if (r->more)
		return;
	known_list_end(&n->known);
	n->told_front = true;
	sync_review(n);
}

/* One of execd's containers; without an id: the last. */
static void
nrid_take_have(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Nri__Container *c = m->body;
	struct nrid *n = ctx;

	(void)call;
	if (id_valid(c->id) && id_valid(c->pod_sandbox_id))
		(void)known_set_execd(&n->known, c->id, c->pod_sandbox_id, c);
	if (c->id[0] != '\0')
		return;
	n->told_execd = true;
	sync_review(n);
}

/* ---- plugins ---- */

static void
nrid_on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct nrid_listener *l = arg;
	int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (conn != -1)
		plugin_new(l->nrid, conn, NULL, NULL, NULL);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		log_warn("accept: %s", strerror(errno));
}

static void
nrid_take_listener(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__Listener *body = m->body;
	struct nrid *n = ctx;
	struct nrid_listener *l;

	(void)call;
	if (body->kind != CRIOD__LISTENER__KIND__NRI ||
	    n->nlisteners == NRID_LISTENERS_MAX) {
		log_warn("listener %s is not for nrid", body->name);
		return;
	}
	l = &n->listeners[n->nlisteners++];
	l->nrid = n;
	l->fd = link_take_fd(m, 0);
	l->event =
	    event_new(n->base, l->fd, EV_READ | EV_PERSIST, nrid_on_accept, l);
	if (l->event == NULL || event_add(l->event, NULL) == -1)
		fatalx("event_new");
	log_info("listening on %s", body->name);
}

/* Of a file that the parent opened; NULL if there is none. */
static char *
nrid_read_conf(int fd)
{
	char *conf;
	ssize_t len;

	if (fd == -1)
		return NULL;
	conf = nrid_alloc(1, PLUGIN_CONF_MAX + 1);
	len = fdio_read_upto(fd, conf, PLUGIN_CONF_MAX + 1);
	if (len < 0 || (size_t)len > PLUGIN_CONF_MAX) {
		log_warn("an NRI plugin's configuration cannot be read");
		len = 0;
	}
	conf[len] = '\0';
	return conf;
}

static void
nrid_take_plugin(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__NriPlugin *body = m->body;
	CLEANUP_FD int conf = m->nfds > 1 ? link_take_fd(m, 1) : -1;
	int fd = link_take_fd(m, 0);

	(void)call;
	if (evutil_make_socket_nonblocking(fd) == -1)
		fatal("a plugin's socket");
	plugin_new(ctx, fd, body->idx, body->name, nrid_read_conf(conf));
}

/* ---- */

static int
nrid_boot(void *ctx, const Criod__Boot *boot, struct cerr *err)
{
	struct nrid *n = ctx;

	if (boot->nrid == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "BOOT: not for nrid");
	n->boot = boot->nrid;
	return 0;
}

static const struct link_handler nrid_handlers[] = {
	{ MSG_LISTENER, nrid_take_listener },
	{ MSG_NRI_PLUGIN, nrid_take_plugin },
};

static const struct link_handler nrid_front_handlers[] = {
	{ MSG_NRI_STATE, nrid_take_state },
	{ MSG_NRI_EVENT, job_take_event },
};

static const struct link_handler nrid_execd_handlers[] = {
	{ MSG_NRI_HAVE, nrid_take_have },
	{ MSG_NRI_CREATE, job_take_create },
};

static const struct link_def nrid_links[] = {
	{
	    .self = ROLE_NRID,
	    .peer = ROLE_FRONT,
	    .handlers = nrid_front_handlers,
	    .nhandlers = 2,
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_NRID,
	    .peer = ROLE_EXECD,
	    .handlers = nrid_execd_handlers,
	    .nhandlers = 2,
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
};

static const struct helper_def nrid_def = {
	.role = ROLE_NRID,
	.pb = &codec_pb,
	.confine = &nrid_confine,
	.links = nrid_links,
	.nlinks = sizeof(nrid_links) / sizeof(nrid_links[0]),
	.handlers = nrid_handlers,
	.nhandlers = sizeof(nrid_handlers) / sizeof(nrid_handlers[0]),
	.boot = nrid_boot,
};

int
main(void)
{
	struct nrid *n = &nrid;

	known_init(&n->known);
	TAILQ_INIT(&n->plugins);
	TAILQ_INIT(&n->held);
	n->helper = helper_new(&nrid_def, n, HELPER_PARENT_FD);
	n->base = helper_base(n->helper);
	n->front = helper_link(n->helper, ROLE_FRONT);
	n->execd = helper_link(n->helper, ROLE_EXECD);
	helper_boot_run(n->helper);
}
