/*
 * streamd: the HTTP/1 listeners, and the streams of exec, attach and
 * port-forward.  Knows nothing of pods but what the front tells it, reaches no
 * file and makes no socket.
 */
#include <sys/resource.h>

#include <event2/buffer.h>

#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/codec.h"
#include "imsg/fixed.h"
#include "imsg/helper.h"
#include "lib/confine.h"
#include "lib/filter.h"
#include "lib/json.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"
#include "streamd/certs.h"
#include "streamd/http.h"
#include "streamd/metrics.h"
#include "streamd/session.h"
#include "streamd/tls.h"
#include "streamd/upgrade.h"

extern const struct filter filter_streamd;

struct streamd {
	struct helper *helper;
	struct http_server *http;
	struct metrics metrics;
	Criod__FrontFigures *figures; /* NULL before the front told any */
	bool audited;		      /* there is an audit log */
	struct metrics_audit audit;
	struct sessions sessions;
	struct certs *certs; /* NULL: no TLS */
	char address[128];   /* ADDRESS:PORT, for URLs */
};

static struct streamd streamd;

/* Requests; streams with three pipes each; forwarded connections; links,
 * listeners, and room. */
#define STREAMD_FDS                                                            \
	(HTTP_CONNS_MAX + 4 * SESSION_MAX + SESSION_SOCKETS_MAX + 64)

/* RLIMIT_FSIZE stays: descriptor 2 may be a log file, and long. */
static const struct confine_limit streamd_limits[] = {
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_NOFILE, STREAMD_FDS },
	{ RLIMIT_AS, 512UL * 1024 * 1024 },
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
	struct metrics_streams t = { .open = s->sessions.count,
		.waiting = token_count(s->sessions.tokens) };

	memcpy(t.begun, s->sessions.begun, sizeof(t.begun));
	metrics_page(&s->metrics, body);
	metrics_streams(&t, body);
	if (s->figures != NULL)
		metrics_front(s->figures, body);
	if (s->audited)
		metrics_audit(&s->audit, body);
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

/* The last part of the path is the token. */
static int
streamd_upgrade(void *ctx, const struct http_upgrade *u,
    const struct http1_request *r, struct sock *sock, struct http_refusal *no)
{
	struct streamd *s = ctx;
	size_t n = strlen(u->prefix);
	struct http1_slice token = { r->path.p + n, r->path.len - n };
	struct upgrade up;

	if (upgrade_parse(r, u->what == WANT_PORT_FORWARD, &up, no) == -1)
		return -1;
	return sessions_take(&s->sessions, (enum want_kind)u->what, token, &up,
	    sock, no);
}

static const struct http_upgrade streamd_upgrades[] = {
	{ "/exec/", streamd_upgrade, WANT_EXEC },
	{ "/attach/", streamd_upgrade, WANT_ATTACH },
	{ "/portforward/", streamd_upgrade, WANT_PORT_FORWARD },
};

#define STREAMD_NUPGRADES                                                      \
	(sizeof(streamd_upgrades) / sizeof(streamd_upgrades[0]))

/* ---- the front ---- */

static int
streamd_want(const Criod__StreamPrepare *p, struct want *w, struct cerr *err)
{
	memset(w, 0, sizeof(*w));
	if ((unsigned int)p->kind >= STREAMD_NUPGRADES)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "no such kind of stream");
	if (p->n_ports > WANT_PORTS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "more than %d ports", WANT_PORTS_MAX);
	w->kind = (enum want_kind)p->kind;
	w->session = p->session;
	(void)snprintf(w->id, sizeof(w->id), "%s", p->id);
	w->in = p->stdin;
	w->out = p->stdout;
	w->err = p->stderr;
	w->tty = p->tty;
	for (size_t i = 0; i < p->n_ports; i++) {
		if (p->ports[i] == 0 || p->ports[i] > UINT16_MAX)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "%u is no port", p->ports[i]);
		w->ports[w->nports++] = (uint16_t)p->ports[i];
	}
	return 0;
}

static void
streamd_take_prepare(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct streamd *s = ctx;
	char token[TOKEN_SIZE], url[256];
	Criod__StreamUrl body;
	struct want want;
	struct cerr err;

	if (streamd_want(m->body, &want, &err) == -1 ||
	    sessions_prepare(&s->sessions, &want, token, &err) == -1) {
		link_refuse(call, &err);
		return;
	}
	(void)snprintf(url, sizeof(url), "http%s://%s%s%s",
	    s->certs != NULL ? "s" : "", s->address,
	    streamd_upgrades[want.kind].prefix, token);
	criod__stream_url__init(&body);
	body.url = url;
	link_reply(call, MSG_STREAM_URL, &body, NULL, 0);
}

static void
streamd_front_lost(void *ctx, struct link *link, const char *breach)
{
	struct streamd *s = ctx;

	sessions_front_lost(&s->sessions);
	helper_link_lost(ctx, link, breach);
}

/* ---- execd ---- */

static void
streamd_take_stdio(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__StreamStdio *b = m->body;
	struct streamd *s = ctx;

	(void)call;
	sessions_stdio(&s->sessions, b->session, (unsigned int)b->kind, m);
}

static void
streamd_take_exit(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__StreamExit *b = m->body;
	struct streamd *s = ctx;

	(void)call;
	sessions_exited(&s->sessions, b->session, b->exit_code, b->text);
}

static void
streamd_execd_lost(void *ctx, struct link *link, const char *breach)
{
	struct streamd *s = ctx;

	sessions_execd_lost(&s->sessions);
	helper_link_lost(ctx, link, breach);
}

/* ---- the parent ---- */

/* A wildcard is no address to go to; clients are on this host. */
static void
streamd_set_address(struct streamd *s, const char *name)
{
	static const char *const any[][2] = { { "0.0.0.0:", "127.0.0.1:" },
		{ "[::]:", "[::1]:" } };
	const char *host = "";

	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
		size_t n = strlen(any[i][0]);

		if (strncmp(name, any[i][0], n) != 0)
			continue;
		host = any[i][1];
		name += n;
		break;
	}
	(void)snprintf(s->address, sizeof(s->address), "%s%s", host, name);
}

static void
streamd_take_listener(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__Listener *l = m->body;
	struct streamd *s = ctx;
	enum http_listener which;

	(void)call;
	if (l->kind == CRIOD__LISTENER__KIND__STREAM) {
		which = HTTP_STREAM;
		streamd_set_address(s, l->name);
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
	if (metrics_set(&s->metrics, f) == -1)
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

static void
streamd_take_audit(void *ctx, struct link_call *call, struct link_msg *m)
{
	const struct fixed_audit_figures *f = m->body;
	struct streamd *s = ctx;

	(void)call;
	s->audited = true;
	s->audit = (struct metrics_audit){ f->written, f->lost };
}

static void
streamd_take_file(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__File *f = m->body;
	struct streamd *s = ctx;
	struct tls *tls = NULL;
	struct cerr err;
	int r;

	(void)call;
	if (s->certs == NULL || f->kind < CRIOD__FILE__KIND__STREAM_CERT ||
	    f->kind > CRIOD__FILE__KIND__STREAM_CA) {
		log_warn("file %s is not for streamd", f->name);
		return;
	}
	r = certs_take(s->certs,
	    (enum certs_kind)(f->kind - CRIOD__FILE__KIND__STREAM_CERT),
	    m->fds[0], &tls, &err);
	if (r == -1)
		log_error("streams: %s: %s", f->name, err.text);
	else if (r == 1) {
		http_server_tls(s->http, tls);
		log_info("streams: certificate and key are in use");
	}
}

static const struct link_handler streamd_handlers[] = {
	{ MSG_LISTENER, streamd_take_listener },
	{ MSG_METRICS, streamd_take_metrics },
	{ MSG_FILE, streamd_take_file },
};

static const struct link_handler streamd_front_handlers[] = {
	{ MSG_STREAM_PREPARE, streamd_take_prepare },
	{ MSG_FRONT_FIGURES, streamd_take_figures },
};

static const struct link_handler streamd_execd_handlers[] = {
	{ MSG_STREAM_STDIO, streamd_take_stdio },
	{ MSG_STREAM_EXIT, streamd_take_exit },
};

static const struct link_handler streamd_scribe_handlers[] = {
	{ MSG_AUDIT_FIGURES, streamd_take_audit },
};

static const struct link_def streamd_links[] = {
	{
	    .self = ROLE_STREAMD,
	    .peer = ROLE_FRONT,
	    .handlers = streamd_front_handlers,
	    .nhandlers = sizeof(streamd_front_handlers) /
			 sizeof(streamd_front_handlers[0]),
	    .lost = streamd_front_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_STREAMD,
	    .peer = ROLE_EXECD,
	    .handlers = streamd_execd_handlers,
	    .nhandlers = sizeof(streamd_execd_handlers) /
			 sizeof(streamd_execd_handlers[0]),
	    .lost = streamd_execd_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_STREAMD,
	    .peer = ROLE_SCRIBE,
	    .handlers = streamd_scribe_handlers,
	    .nhandlers = 1,
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
};

static int
streamd_boot(void *ctx, const Criod__Boot *boot, struct cerr *err)
{
	struct streamd *s = ctx;

	if (boot->streamd == NULL)
		return cerr_set(err, CERR_INTERNAL, "BOOT is not streamd's");
	s->sessions.idle = boot->streamd->idle;
	if (boot->streamd->tls) {
		s->certs = certs_new(boot->streamd->client_ca);
		http_server_tls(s->http, NULL);
	}
	return 0;
}

static const struct helper_def streamd_def = {
	.role = ROLE_STREAMD,
	.pb = &codec_pb,
	.confine = &streamd_confine,
	.links = streamd_links,
	.nlinks = sizeof(streamd_links) / sizeof(streamd_links[0]),
	.handlers = streamd_handlers,
	.nhandlers = sizeof(streamd_handlers) / sizeof(streamd_handlers[0]),
	.boot = streamd_boot,
};

int
main(void)
{
	struct streamd *s = &streamd;

	s->helper = helper_new(&streamd_def, s, HELPER_PARENT_FD);
	json_init();
	tls_init();
	s->http = http_server_new(helper_base(s->helper), streamd_routes,
	    STREAMD_NROUTES, s);
	http_server_upgrades(s->http, streamd_upgrades, STREAMD_NUPGRADES);
	sessions_init(&s->sessions, helper_base(s->helper),
	    helper_link(s->helper, ROLE_FRONT),
	    helper_link(s->helper, ROLE_EXECD));
	helper_boot_run(s->helper);
}
