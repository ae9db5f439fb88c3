/*
 * streamd: the HTTP/1 listeners.  Knows nothing of pods but what the front
 * tells it, reaches no file and makes no socket.
 */
#include <sys/resource.h>

#include <event2/buffer.h>

#include <linux/mount.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/codec.h"
#include "imsg/helper.h"
#include "lib/confine.h"
#include "lib/filter.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"
#include "streamd/http.h"
#include "streamd/metrics.h"

extern const struct filter filter_streamd;

struct streamd {
	struct helper *helper;
	struct http_server *http;
	struct metrics metrics;
	Criod__FrontFigures *figures; /* NULL before the front told any */
};

static struct streamd streamd;

#define STREAMD_FDS 192 /* connections, listeners, links, and room */

/* RLIMIT_FSIZE stays: descriptor 2 may be a log file, and long. */
static const struct confine_limit streamd_limits[] = {
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_NOFILE, STREAMD_FDS },
	{ RLIMIT_AS, 128UL * 1024 * 1024 },
	{ RLIMIT_MEMLOCK, 0 },
	{ RLIMIT_CORE, 0 },
	{ -1, 0 },
};

static const struct confine streamd_confine = {
	.role = "streamd",
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
		     MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_NO_FILES,
	.limits = streamd_limits,
	.filter = &filter_streamd,
};

/* Well while the front, which does the work, is there. */
static int
streamd_page_health(void *ctx, struct evbuffer *body)
{
	struct streamd *s = ctx;
	bool well = link_attached(helper_link(s->helper, ROLE_FRONT));

	(void)evbuffer_add_printf(body, "%s\n",
	    well ? "ok" : "the front is not running");
	return well ? 200 : 503;
}

static int
streamd_page_metrics(void *ctx, struct evbuffer *body)
{
	struct streamd *s = ctx;

	metrics_page(&s->metrics, body);
	if (s->figures != NULL)
		metrics_front(s->figures, body);
	return 200;
}

#define STREAMD_TEXT	"text/plain; charset=utf-8"
#define STREAMD_METRICS "text/plain; version=0.0.4; charset=utf-8"

static const struct http_route streamd_routes[] = {
	{ "GET", "/healthz", HTTP_STREAM | HTTP_METRICS, STREAMD_TEXT,
	    streamd_page_health },
	{ "GET", "/metrics", HTTP_METRICS, STREAMD_METRICS,
	    streamd_page_metrics },
};

#define STREAMD_NROUTES (sizeof(streamd_routes) / sizeof(streamd_routes[0]))

static void
streamd_take_listener(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__Listener *l = m->body;
	struct streamd *s = ctx;
	enum http_listener which;

	(void)call;
	if (l->kind == CRIOD__LISTENER__KIND__STREAM) {
		which = HTTP_STREAM;
	} else if (l->kind == CRIOD__LISTENER__KIND__METRICS) {
		which = HTTP_METRICS;
	} else {
		log_warn("listener %s is not for streamd", l->name);
		return;
	}
	if (http_server_listen(s->http, link_take_fd(m, 0), which) == -1)
		log_error("listener %s cannot be used", l->name);
	else
		log_info("listening on %s", l->name);
}

static void
streamd_take_metrics(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__Metrics *f = m->body;
	struct streamd *s = ctx;

	(void)call;
	if (metrics_set(&s->metrics, f->role, f->restarts, f->violations) == -1)
		log_warn("metrics of %s: not a role", f->role);
}

/* Kept as a copy, through its encoding. */
static void
streamd_take_figures(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__FrontFigures *f = m->body;
	size_t len = criod__front_figures__get_packed_size(f);
	struct streamd *s = ctx;
	uint8_t *buf = malloc(len + 1);

	(void)call;
	if (buf == NULL)
		fatal("malloc");
	(void)criod__front_figures__pack(f, buf);
	if (s->figures != NULL)
		criod__front_figures__free_unpacked(s->figures, NULL);
	s->figures = criod__front_figures__unpack(NULL, len, buf);
	free(buf);
}

static const struct link_handler streamd_handlers[] = {
	{ MSG_LISTENER, streamd_take_listener },
	{ MSG_METRICS, streamd_take_metrics },
};

static const struct link_handler streamd_front_handlers[] = {
	{ MSG_FRONT_FIGURES, streamd_take_figures },
};

static const struct link_def streamd_links[] = {
	{
	    .self = ROLE_STREAMD,
	    .peer = ROLE_FRONT,
	    .handlers = streamd_front_handlers,
	    .nhandlers = sizeof(streamd_front_handlers) /
			 sizeof(streamd_front_handlers[0]),
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_STREAMD,
	    .peer = ROLE_EXECD,
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
};

static const struct helper_def streamd_def = {
	.role = ROLE_STREAMD,
	.pb = &codec_pb,
	.confine = &streamd_confine,
	.links = streamd_links,
	.nlinks = sizeof(streamd_links) / sizeof(streamd_links[0]),
	.handlers = streamd_handlers,
	.nhandlers = sizeof(streamd_handlers) / sizeof(streamd_handlers[0]),
};

int
main(void)
{
	struct streamd *s = &streamd;

	s->helper = helper_new(&streamd_def, s, HELPER_PARENT_FD);
	s->http = http_server_new(helper_base(s->helper), streamd_routes,
	    STREAMD_NROUTES, s);
	helper_boot_run(s->helper);
}
