#include <event2/event.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/fixed.h"
#include "imsg/helper.h"
#include "lib/confine.h"
#include "lib/failpoint.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "lib/trim.h"

#define HELPER_IDLE_S	    3
#define HELPER_LINKS_MAX    7
#define HELPER_HANDLERS_MAX 16
/* A peer whose link ended has been given back by then, if it died. */
#define HELPER_GONE_MIN_S 2
#define HELPER_GONE_MAX_S 64

struct helper {
	const struct helper_def *def;
	void *ctx;
	struct event_base *base;
	struct event *idle;
	struct link *parent;
	struct link *links[HELPER_LINKS_MAX];
	bool was[HELPER_LINKS_MAX]; /* attached, once */
	struct event *gone;
	int gone_s;
	struct link_def parent_def;
	struct link_handler handlers[HELPER_HANDLERS_MAX];
};

/* One per process: the parent link's context is the role's own. */
static struct helper *helper_self;

static void
helper_expect(struct helper *h)
{
	struct timeval tv = { h->gone_s, 0 };

	(void)evtimer_add(h->gone, &tv);
}

/* Quiet for a while: what the last work needed is given back. */
static void
helper_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	trim_memory();
}

static void
helper_busy(void)
{
	const struct timeval tv = { HELPER_IDLE_S, 0 };

	(void)evtimer_add(helper_self->idle, &tv);
}

static void
helper_stop(void)
{
	if (helper_self->def->stop != NULL)
		helper_self->def->stop(helper_self->ctx);
	_exit(0);
}

static void
helper_parent_lost(void *ctx, struct link *link, const char *breach)
{
	(void)ctx;
	(void)link;
	if (breach != NULL)
		log_error("the parent broke the protocol: %s", breach);
	helper_stop();
}

static void
helper_take_stop(void *ctx, struct link_call *call, struct link_msg *m)
{
	(void)ctx;
	(void)call;
	(void)m;
	helper_stop();
}

static void
helper_take_start(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct fixed_none none = { 0 };

	(void)call;
	(void)m;
	link_set_state(helper_self->parent, MSG_STATE_RUN);
	(void)link_send(helper_self->parent, MSG_READY, &none, NULL, 0);
	if (helper_self->def->start != NULL)
		helper_self->def->start(ctx);
}

/*
 * A link may end without a death: its peer closed it, or sent a packet of no
 * bytes, which looks the same.  The parent then is to look after the peer.
 */
static void
helper_on_gone(evutil_socket_t fd, short what, void *arg)
{
	struct helper *h = arg;
	bool some = false;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < h->def->nlinks; i++) {
		struct fixed_peer_bad body = { h->def->links[i].peer };

		if (!h->was[i] || link_attached(h->links[i]))
			continue;
		some = true;
		(void)link_send(h->parent, MSG_PEER_GONE, &body, NULL, 0);
	}
	h->gone_s = h->gone_s * 2 > HELPER_GONE_MAX_S ? HELPER_GONE_MAX_S
						      : h->gone_s * 2;
	if (some)
		helper_expect(h);
}

static void
helper_take_link(void *ctx, struct link_call *call, struct link_msg *m)
{
	const struct fixed_link *l = m->body;
	const struct helper_def *def = helper_self->def;

	(void)call;
	for (size_t i = 0; i < def->nlinks; i++) {
		if ((uint32_t)def->links[i].peer != l->role)
			continue;
		link_attach(helper_self->links[i], link_take_fd(m, 0));
		helper_self->was[i] = true;
		if (def->attached != NULL)
			def->attached(ctx, def->links[i].peer);
		return;
	}
	log_warn("link to %s not wanted", role_name((enum role)l->role));
}

static void
helper_take_ping(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct fixed_none none = { 0 };

	(void)ctx;
	(void)m;
	link_reply(call, MSG_PONG, &none, NULL, 0);
}

static const struct link_handler helper_common[] = {
	{ MSG_START, helper_take_start },
	{ MSG_STOP, helper_take_stop },
	{ MSG_LINK, helper_take_link },
	{ MSG_PING, helper_take_ping },
};

#define HELPER_NCOMMON (sizeof(helper_common) / sizeof(helper_common[0]))

struct helper *
helper_new(const struct helper_def *def, void *ctx, int last_fd)
{
	struct helper *h = calloc(1, sizeof(*h));

	if (h == NULL || def->nlinks > HELPER_LINKS_MAX ||
	    def->nhandlers + HELPER_NCOMMON > HELPER_HANDLERS_MAX)
		fatalx("helper_new");
	log_init(role_name(def->role));
	failpoint_init(role_name(def->role));
	if (fdio_expect_only(last_fd) == -1)
		fatalx("descriptors at start are not exactly 0 to %d", last_fd);
	(void)signal(SIGPIPE, SIG_IGN);
	helper_self = h;
	h->def = def;
	h->ctx = ctx;
	h->base = event_base_new();
	if (h->base == NULL)
		fatalx("event_base_new");
	h->idle = evtimer_new(h->base, helper_idle, NULL);
	h->gone = evtimer_new(h->base, helper_on_gone, h);
	if (h->idle == NULL || h->gone == NULL)
		fatalx("evtimer_new");
	link_on_activity(helper_busy);
	memcpy(h->handlers, helper_common, sizeof(helper_common));
	if (def->nhandlers > 0)
		memcpy(h->handlers + HELPER_NCOMMON, def->handlers,
		    def->nhandlers * sizeof(*def->handlers));
	h->parent_def = (struct link_def){
		.self = def->role,
		.peer = ROLE_PARENT,
		.handlers = h->handlers,
		.nhandlers = HELPER_NCOMMON + def->nhandlers,
		.lost = helper_parent_lost,
		.pb = def->pb,
	};
	h->parent = link_new(h->base, &h->parent_def, ctx);
	link_set_state(h->parent, MSG_STATE_BOOT);
	for (size_t i = 0; i < def->nlinks; i++)
		h->links[i] = link_new(h->base, &def->links[i], ctx);
	return h;
}

void
helper_run(struct helper *h, const struct Criod__Boot *boot, int rootfd,
    uid_t uid, gid_t gid)
{
	struct cerr err;

	/* Now, because a role's filter may not let it; as its links are. */
	if (evutil_make_socket_nonblocking(HELPER_PARENT_FD) == -1)
		fatal("parent link");
	if (confine_enter(h->def->confine, rootfd, uid, gid, &err) == -1)
		fatalx("confinement: %s", err.text);
	if (h->def->boot != NULL && h->def->boot(h->ctx, boot, &err) == -1)
		fatalx("%s", err.text);
	link_attach(h->parent, HELPER_PARENT_FD);
	(void)event_base_dispatch(h->base);
	fatalx("event loop ended");
}

struct event_base *
helper_base(struct helper *h)
{
	return h->base;
}

struct link *
helper_link(struct helper *h, enum role peer)
{
	if (peer == ROLE_PARENT)
		return h->parent;
	for (size_t i = 0; i < h->def->nlinks; i++) {
		if (h->def->links[i].peer == peer)
			return h->links[i];
	}
	fatalx("no link to %s", role_name(peer));
}

void
helper_link_lost(void *ctx, struct link *link, const char *breach)
{
	struct helper *h = *(struct helper **)ctx;
	struct fixed_peer_bad bad = { link_peer(link) };

	if (breach == NULL) {
		h->gone_s = HELPER_GONE_MIN_S;
		helper_expect(h);
		return;
	}
	log_warn("%s broke the protocol: %s", role_name(link_peer(link)),
	    breach);
	(void)link_send(h->parent, MSG_PEER_BAD, &bad, NULL, 0);
}

enum role
helper_role(const struct helper *h)
{
	return h->def->role;
}
