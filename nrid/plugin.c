#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "nrid/ask.h"
#include "nrid/job.h"
#include "nrid/plugin.h"
#include "nrid/sync.h"

#define PLUGIN_READ    65536
#define PLUGIN_OUT_MAX (16U * 1024 * 1024) /* unread by the plugin */

static const char *const plugin_state_names[] = {
	[PLUGIN_NEW] = "new",
	[PLUGIN_CONFIGURING] = "configuring",
	[PLUGIN_WAITING] = "waiting",
	[PLUGIN_SYNCING] = "synchronizing",
	[PLUGIN_ACTIVE] = "active",
	[PLUGIN_DEAD] = "dead",
};

/* Row: from; column: to. */
static const bool plugin_transitions[PLUGIN_NSTATES][PLUGIN_NSTATES] = {
	[PLUGIN_NEW] = { [PLUGIN_CONFIGURING] = true, [PLUGIN_DEAD] = true },
	[PLUGIN_CONFIGURING] = { [PLUGIN_WAITING] = true,
	    [PLUGIN_DEAD] = true },
	[PLUGIN_WAITING] = { [PLUGIN_SYNCING] = true, [PLUGIN_DEAD] = true },
	[PLUGIN_SYNCING] = { [PLUGIN_ACTIVE] = true, [PLUGIN_DEAD] = true },
	[PLUGIN_ACTIVE] = { [PLUGIN_DEAD] = true },
};

void
plugin_set_state(struct plugin *p, enum plugin_state state)
{
	if (!plugin_transitions[p->state][state])
		fatalx("plugin %s: from %s to %s", p->name,
		    plugin_state_names[p->state], plugin_state_names[state]);
	log_debug("plugin %s: %s", p->name, plugin_state_names[state]);
	p->state = state;
}

/* ---- the end ---- */

void
plugin_drop(struct plugin *p, const char *why)
{
	if (p->state == PLUGIN_DEAD)
		return;
	log_warn("NRI plugin %s is dropped: %s", p->name, why);
	plugin_set_state(p, PLUGIN_DEAD);
	event_active(p->reap, EV_TIMEOUT, 0);
}

static void
plugin_free(struct plugin *p)
{
	struct nrid *n = p->nrid;

	TAILQ_REMOVE(&n->plugins, p, entry);
	n->nplugins--;
	ttrpc_free(p->client);
	ttrpc_free(p->server);
	event_free(p->readable);
	event_free(p->writable);
	event_free(p->timer);
	event_free(p->reap);
	evbuffer_free(p->out);
	(void)close(p->fd);
	free(p->conf);
	free(p);
}

/* Whoever waits for it goes on without it. */
static void
plugin_reap(evutil_socket_t fd, short what, void *arg)
{
	struct plugin *p = arg;
	struct nrid *n = p->nrid;
	struct cerr err;

	(void)fd;
	(void)what;
	(void)cerr_set(&err, CERR_UNAVAILABLE, "plugin %s is gone", p->name);
	sync_forget(p);
	ttrpc_fail(p->client, &err);
	ask_forget(p);
	job_plugin_gone(p);
	plugin_free(p);
	sync_review(n);
}

/* ---- time ---- */

static void
plugin_set_timer(struct plugin *p)
{
	struct mono first = ttrpc_deadline(p->client);
	struct timeval tv;

	if (p->state == PLUGIN_NEW)
		first = mono_min(first, p->registration);
	if (!mono_is_set(first)) {
		(void)evtimer_del(p->timer);
		return;
	}
	tv = mono_timeval(first);
	(void)evtimer_add(p->timer, &tv);
}

static void
plugin_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct plugin *p = arg;

	(void)fd;
	(void)what;
	if (p->state == PLUGIN_NEW && mono_passed(p->registration))
		plugin_drop(p, "it did not register in time");
	else
		ttrpc_expire(p->client);
	plugin_set_timer(p);
}

/* ---- bytes ---- */

static int
plugin_send(struct plugin *p, uint32_t conn, const uint8_t *buf, size_t len)
{
	size_t first = len < MUX_FIRST ? len : MUX_FIRST;
	uint8_t head[MUX_HEADER];

	if (p->state == PLUGIN_DEAD)
		return -1;
	if (evbuffer_get_length(p->out) + len > PLUGIN_OUT_MAX) {
		plugin_drop(p, "it does not read");
		return -1;
	}
	mux_header(head, conn, first);
	if (evbuffer_add(p->out, head, sizeof(head)) == -1 ||
	    evbuffer_add(p->out, buf, first) == -1)
		fatalx("evbuffer_add");
	if (first < len) {
		mux_header(head, conn, len - first);
		if (evbuffer_add(p->out, head, sizeof(head)) == -1 ||
		    evbuffer_add(p->out, buf + first, len - first) == -1)
			fatalx("evbuffer_add");
	}
	(void)event_add(p->writable, NULL);
	return 0;
}

static int
plugin_send_client(void *ctx, const uint8_t *buf, size_t len)
{
	return plugin_send(ctx, MUX_PLUGIN_CONN, buf, len);
}

static int
plugin_send_server(void *ctx, const uint8_t *buf, size_t len)
{
	return plugin_send(ctx, MUX_RUNTIME_CONN, buf, len);
}

static int
plugin_input(void *ctx, uint32_t conn, const uint8_t *buf, size_t len,
    struct cerr *err)
{
	struct plugin *p = ctx;

	if (p->state == PLUGIN_DEAD)
		return 0;
	if (conn == MUX_PLUGIN_CONN)
		return ttrpc_input(p->client, buf, len, err);
	if (conn == MUX_RUNTIME_CONN)
		return ttrpc_input(p->server, buf, len, err);
	return 0; /* for another version's use */
}

/* With something left that it did not read, or that could not be sent. */
static const char *
plugin_ended(void)
{
	return errno == ECONNRESET || errno == EPIPE
		   ? "it closed its connection"
		   : strerror(errno);
}

static void
plugin_on_readable(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t buf[PLUGIN_READ];
	struct plugin *p = arg;
	struct cerr err;
	ssize_t n;

	(void)what;
	if (p->state == PLUGIN_DEAD)
		return;
	n = read(fd, buf, sizeof(buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		plugin_drop(p,
		    n == 0 ? "it closed its connection" : plugin_ended());
		return;
	}
	if (mux_input(&p->mux, buf, (size_t)n, plugin_input, p, &err) == -1)
		plugin_drop(p, err.text);
	plugin_set_timer(p);
}

static void
plugin_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct plugin *p = arg;

	(void)what;
	if (p->state == PLUGIN_DEAD)
		return;
	if (evbuffer_write(p->out, fd) == -1 && errno != EAGAIN &&
	    errno != EINTR) {
		plugin_drop(p, plugin_ended());
		return;
	}
	if (evbuffer_get_length(p->out) > 0)
		(void)event_add(p->writable, NULL);
}

/* ---- calls ---- */

int
plugin_call_bytes(struct plugin *p, const char *method, const uint8_t *payload,
    size_t len, ttrpc_reply_fn fn, void *arg, struct cerr *err)
{
	if (ttrpc_call(p->client, PLUGIN_SERVICE, method, payload, len,
		p->nrid->boot->request_ms, fn, arg, err) == -1)
		return -1;
	plugin_set_timer(p);
	return 0;
}

int
plugin_call(struct plugin *p, const char *method, const void *message,
    ttrpc_reply_fn fn, void *arg, struct cerr *err)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *buf = nrid_alloc(1, len + 1);
	int rv;

	(void)protobuf_c_message_pack(message, buf);
	rv = plugin_call_bytes(p, method, buf, len, fn, arg, err);
	free(buf);
	return rv;
}

struct plugin *
plugin_next(struct nrid *n, uint64_t order, Nri__Event event)
{
	struct plugin *p;

	TAILQ_FOREACH(p, &n->plugins, entry) {
		if (p->state == PLUGIN_ACTIVE && p->order > order &&
		    (p->events & PLUGIN_EVENT(event)) != 0)
			return p;
	}
	return NULL;
}

/* ---- a new one ---- */

static const struct ttrpc_def plugin_client_def = {
	.send = plugin_send_client,
};

static const struct ttrpc_def plugin_server_def = {
	.send = plugin_send_server,
	.request = ask_take,
};

static void
plugin_start(struct plugin *p)
{
	struct event_base *base = p->nrid->base;

	p->readable =
	    event_new(base, p->fd, EV_READ | EV_PERSIST, plugin_on_readable, p);
	p->writable = event_new(base, p->fd, EV_WRITE, plugin_on_writable, p);
	p->timer = evtimer_new(base, plugin_on_timer, p);
	p->reap = event_new(base, -1, 0, plugin_reap, p);
	p->out = evbuffer_new();
	p->client = ttrpc_new(&plugin_client_def, p);
	p->server = ttrpc_new(&plugin_server_def, p);
	if (p->readable == NULL || p->writable == NULL || p->timer == NULL ||
	    p->reap == NULL || p->out == NULL || p->client == NULL ||
	    p->server == NULL)
		fatalx("plugin");
	p->registration = mono_after_ms(p->nrid->boot->registration_ms);
	if (event_add(p->readable, NULL) == -1)
		fatalx("event_add");
	plugin_set_timer(p);
}

/* From here on it has its place among the others. */
void
plugin_name(struct plugin *p, const char *idx, const char *name)
{
	struct nrid *n = p->nrid;
	struct plugin *o;

	if (!p->preset) {
		(void)snprintf(p->base, sizeof(p->base), "%s", name);
		(void)snprintf(p->idx, sizeof(p->idx), "%s", idx);
		(void)snprintf(p->name, sizeof(p->name), "%s-%s", p->idx,
		    p->base);
	}
	p->order = (uint64_t)(uint8_t)p->idx[0] << 40 |
		   (uint64_t)(uint8_t)p->idx[1] << 32 | ++n->seq;
	TAILQ_REMOVE(&n->plugins, p, entry);
	TAILQ_FOREACH(o, &n->plugins, entry) {
		if (o->order > p->order) {
			TAILQ_INSERT_BEFORE(o, p, entry);
			return;
		}
	}
	TAILQ_INSERT_TAIL(&n->plugins, p, entry);
}

void
plugin_new(struct nrid *n, int fd, const char *idx, const char *name,
    char *conf)
{
	struct plugin *p;

	if (n->nplugins == NRID_PLUGINS_MAX) {
		log_warn("an NRI plugin is turned away: there are %d",
		    NRID_PLUGINS_MAX);
		(void)close(fd);
		free(conf);
		return;
	}
	p = nrid_alloc(1, sizeof(*p));
	p->nrid = n;
	p->fd = fd;
	p->conf = conf;
	p->preset = name != NULL;
	if (p->preset) {
		(void)snprintf(p->base, sizeof(p->base), "%s", name);
		(void)snprintf(p->idx, sizeof(p->idx), "%s", idx);
		(void)snprintf(p->name, sizeof(p->name), "%s-%s", p->idx,
		    p->base);
	} else
		(void)snprintf(p->name, sizeof(p->name), "(unnamed)");
	TAILQ_INIT(&p->waiting);
	LIST_INIT(&p->asks);
	TAILQ_INSERT_TAIL(&n->plugins, p, entry);
	n->nplugins++;
	plugin_start(p);
}
