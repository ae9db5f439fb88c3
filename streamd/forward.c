#include <event2/buffer.h>
#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/mono.h"
#include "proto/msg.pb-c.h"
#include "streamd/client.h"
#include "streamd/forward.h"
#include "streamd/pump.h"
#include "streamd/session.h"
#include "streamd/spdy.h"

#define FORWARD_KEY_MAX	 32
#define FORWARD_TEXT_MAX 1280

struct forward_pair {
	TAILQ_ENTRY(forward_pair) entry;
	struct forward *fw;
	char key[FORWARD_KEY_MAX]; /* of SPDY: what the client calls it */
	uint16_t port;
	struct flow *data, *error;
	uint32_t dial; /* the request, while it runs */
	struct pump *pump;
	bool counted; /* among sessions.nsockets */
	struct event *timer;
};

struct forward {
	struct session s;
	bool begun;
	TAILQ_HEAD(, forward_pair) pairs;
};

static struct forward *
forward_of(struct session *s)
{
	return (struct forward *)s;
}

static bool
forward_is_spdy(const struct forward *fw)
{
	return fw->s.proto->transport != UPGRADE_WEBSOCKET;
}

/* ---- a pair's end ---- */

static void
forward_pair_free(struct forward_pair *p)
{
	struct forward *fw = p->fw;

	TAILQ_REMOVE(&fw->pairs, p, entry);
	if (p->dial != 0)
		link_cancel(fw->s.all->front, p->dial);
	if (p->counted)
		fw->s.all->nsockets--;
	pump_free(p->pump);
	if (p->data != NULL)
		flow_free(p->data);
	if (p->error != NULL)
		flow_free(p->error);
	if (p->timer != NULL)
		event_free(p->timer);
	free(p);
}

static void
forward_finish(struct forward *fw)
{
	session_release(&fw->s);
	client_finish(fw->s.client);
}

/* A client that waits for the error flow's end must see it. */
static void
forward_pair_end(struct forward_pair *p)
{
	struct forward *fw = p->fw;

	if (p->data != NULL)
		flow_finish(p->data);
	if (p->error != NULL)
		flow_finish(p->error);
	forward_pair_free(p);
	if (!forward_is_spdy(fw) && TAILQ_EMPTY(&fw->pairs))
		forward_finish(fw);
}

static void
forward_pair_fail(struct forward_pair *p, const char *why)
{
	char text[FORWARD_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "error forwarding port %u to %s: %s",
	    p->port, p->fw->s.want.id, why);
	if (p->error != NULL)
		flow_send(p->error, text, strlen(text));
	forward_pair_end(p);
}

/* ---- a pair at work ---- */

static void
forward_on_moved(void *arg)
{
	(void)arg;
}

/* Clients wait for both flows to end, and end theirs after that. */
static void
forward_on_pump_ended(void *arg, struct pump *pump)
{
	struct forward_pair *p = arg;
	bool read_ended = pump_read_ended(pump);

	if (read_ended) {
		flow_finish(p->data);
		flow_finish(p->error);
	}
	if (read_ended && (pump_write_ended(pump) || !forward_is_spdy(p->fw)))
		forward_pair_end(p);
}

static const struct pump_def forward_pump_def = {
	.moved = forward_on_moved,
	.ended = forward_on_pump_ended,
};

static void
forward_on_data(void *arg, struct flow *f)
{
	struct forward_pair *p = arg;

	if (f->gone)
		forward_pair_end(p);
	else if (p->pump != NULL)
		pump_push(p->pump);
}

static void
forward_dialled(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct forward_pair *p = arg;

	p->dial = 0;
	if (m == NULL) {
		forward_pair_fail(p, err->text);
		return;
	}
	p->pump = pump_new(p->fw->s.all->base, link_take_fd(m, 0), PUMP_SOCKET,
	    p->data, p->data, &forward_pump_def, p);
	if (p->pump == NULL)
		forward_pair_fail(p, "its socket cannot be used");
}

static void
forward_pair_dial(struct forward_pair *p)
{
	struct sessions *all = p->fw->s.all;
	Criod__StreamDial body;

	if (!p->fw->begun || p->data == NULL || p->error == NULL)
		return;
	(void)evtimer_del(p->timer);
	if (all->nsockets >= SESSION_SOCKETS_MAX) {
		forward_pair_fail(p, "too many connections are forwarded");
		return;
	}
	all->nsockets++;
	p->counted = true;
	criod__stream_dial__init(&body);
	body.session = p->fw->s.want.session;
	body.port = p->port;
	p->dial = link_request(all->front, MSG_STREAM_DIAL, &body, NULL, 0,
	    mono_after_ms(SESSION_WAIT_MS), forward_dialled, p);
}

/* EV_READ: both flows are there, see forward_open. */
static void
forward_on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	if ((what & EV_READ) != 0)
		forward_pair_dial(arg);
	else
		forward_pair_fail(arg, "its streams were not made in time");
}

static struct forward_pair *
forward_pair_new(struct forward *fw, uint16_t port)
{
	struct timeval tv = { SESSION_WAIT_MS / 1000, 0 };
	struct forward_pair *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->fw = fw;
	p->port = port;
	TAILQ_INSERT_TAIL(&fw->pairs, p, entry);
	p->timer = evtimer_new(fw->s.all->base, forward_on_time, p);
	if (p->timer == NULL) {
		forward_pair_free(p);
		return NULL;
	}
	(void)evtimer_add(p->timer, &tv);
	return p;
}

static void
forward_adopt(struct forward_pair *p, struct flow *f, bool data)
{
	f->arg = p;
	if (data) {
		p->data = f;
		f->event = forward_on_data;
	} else
		p->error = f;
}

/* ---- SPDY: streams come in pairs ---- */

static int
forward_parse_port(struct spdy_text t, uint16_t *port)
{
	unsigned int n = 0;

	if (t.len == 0 || t.len > 5)
		return -1;
	for (size_t i = 0; i < t.len; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return -1;
		n = n * 10 + (unsigned int)(t.p[i] - '0');
	}
	if (n == 0 || n > UINT16_MAX)
		return -1;
	*port = (uint16_t)n;
	return 0;
}

static bool
forward_text_is(struct spdy_text t, const char *s)
{
	return t.len == strlen(s) && memcmp(t.p, s, t.len) == 0;
}

/* Clients of old give no request number: they make error, then data. */
static int
forward_key(struct spdy_text id, uint32_t stream, bool data,
    char key[FORWARD_KEY_MAX])
{
	if (id.len >= FORWARD_KEY_MAX - 1)
		return -1;
	if (id.len > 0)
		(void)snprintf(key, FORWARD_KEY_MAX, "=%.*s", (int)id.len,
		    id.p);
	else
		(void)snprintf(key, FORWARD_KEY_MAX, "#%u",
		    data ? stream - 2 : stream);
	return 0;
}

static struct forward_pair *
forward_find(struct forward *fw, const char *key, uint16_t port)
{
	struct forward_pair *p;

	TAILQ_FOREACH(p, &fw->pairs, entry) {
		if (strcmp(p->key, key) == 0)
			return p;
	}
	p = forward_pair_new(fw, port);
	if (p != NULL)
		(void)snprintf(p->key, sizeof(p->key), "%s", key);
	return p;
}

static int
forward_open(void *arg, struct flow *f, const struct spdy_headers *h)
{
	struct forward *fw = arg;
	struct spdy_text type = spdy_header_get(h, "streamtype");
	bool data = forward_text_is(type, "data");
	char key[FORWARD_KEY_MAX];
	struct forward_pair *p;
	uint16_t port;

	if ((!data && !forward_text_is(type, "error")) ||
	    forward_parse_port(spdy_header_get(h, "port"), &port) == -1 ||
	    forward_key(spdy_header_get(h, "requestid"), f->id, data, key) ==
		-1)
		return -1;
	p = forward_find(fw, key, port);
	if (p == NULL || p->port != port ||
	    (data ? p->data != NULL : p->error != NULL))
		return -1;
	forward_adopt(p, f, data);
	/* Not from here: it may fail, and the stream is not open yet. */
	if (p->data != NULL && p->error != NULL)
		event_active(p->timer, EV_READ, 0);
	return 0;
}

static void
forward_room(void *arg)
{
	struct forward *fw = arg;
	struct forward_pair *p;

	TAILQ_FOREACH(p, &fw->pairs, entry) {
		if (p->pump != NULL)
			pump_pull(p->pump);
	}
}

static void
forward_gone(void *arg, const char *why)
{
	struct forward *fw = arg;

	session_end(&fw->s, why);
}

const struct client_def forward_client = {
	.open = forward_open,
	.room = forward_room,
	.gone = forward_gone,
};

/* ---- WebSocket: two channels for each port that was named ---- */

static int
forward_make_channel(struct forward_pair *p, unsigned int channel, bool data)
{
	uint8_t port[2] = { (uint8_t)p->port, (uint8_t)(p->port >> 8) };
	struct flow *f = client_channel(p->fw->s.client, channel);

	if (f == NULL)
		return -1;
	forward_adopt(p, f, data);
	flow_send(f, port, sizeof(port));
	return 0;
}

static int
forward_make_channels(struct forward *fw)
{
	const struct want *w = &fw->s.want;

	for (unsigned int i = 0; i < w->nports; i++) {
		struct forward_pair *p = forward_pair_new(fw, w->ports[i]);

		if (p == NULL || forward_make_channel(p, 2 * i, true) == -1 ||
		    forward_make_channel(p, 2 * i + 1, false) == -1)
			return -1;
	}
	if (w->nports == 0)
		forward_finish(fw);
	return 0;
}

static int
forward_start(struct session *s)
{
	struct forward *fw = forward_of(s);

	TAILQ_INIT(&fw->pairs);
	session_begin(s);
	return forward_is_spdy(fw) ? 0 : forward_make_channels(fw);
}

static void
forward_begun(struct session *s, const char *why)
{
	struct forward *fw = forward_of(s);
	struct forward_pair *p, *next;

	fw->begun = why == NULL;
	for (p = TAILQ_FIRST(&fw->pairs); p != NULL; p = next) {
		next = TAILQ_NEXT(p, entry);
		if (why != NULL)
			forward_pair_fail(p, why);
		else
			forward_pair_dial(p);
	}
	if (why != NULL)
		forward_finish(fw);
}

static void
forward_clean(struct session *s)
{
	struct forward *fw = forward_of(s);

	while (!TAILQ_EMPTY(&fw->pairs))
		forward_pair_free(TAILQ_FIRST(&fw->pairs));
}

const struct session_type forward_type = {
	.size = sizeof(struct forward),
	.start = forward_start,
	.begun = forward_begun,
	.clean = forward_clean,
};
