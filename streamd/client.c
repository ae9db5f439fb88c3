#include <event2/buffer.h>
#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

#include "streamd/client.h"
#include "streamd/sock.h"
#include "streamd/spdy.h"
#include "streamd/upgrade.h"
#include "streamd/ws.h"

#define CLIENT_BEAT 5 /* seconds; kubectl gives up after sixty */

struct client {
	struct sock *sock;
	struct spdy *spdy;	 /* NULL: channels of ws */
	struct ws *ws;		 /* NULL: no WebSocket */
	struct evbuffer *tunnel; /* SPDY that came in messages */
	const struct client_def *def;
	void *arg;
	struct flow *flows;
	size_t pending; /* bytes in all flows */
	bool stopped, finishing;
	bool was_full; /* room was denied, and is owed */
	const char *why;
	unsigned int idle;
	struct event *kick, *timer, *beat;
};

static void
client_active(struct client *c)
{
	struct timeval tv = { (time_t)c->idle, 0 };

	(void)evtimer_add(c->timer, &tv);
}

/* gone is called from the loop. */
static void
client_end(struct client *c, const char *why)
{
	if (c->why == NULL)
		c->why = why;
	event_active(c->kick, EV_TIMEOUT, 0);
}

/* ---- input ---- */

static bool
client_full(void *arg)
{
	struct client *c = arg;

	return c->pending > CLIENT_IN_MAX || c->stopped || c->finishing ||
	       c->why != NULL || sock_waiting(c->sock) > 2 * CLIENT_OUT_MAX;
}

static bool
client_tunnel_full(void *arg)
{
	struct client *c = arg;

	return client_full(c) || evbuffer_get_length(c->tunnel) > CLIENT_IN_MAX;
}

static struct flow *
client_flow(struct client *c, uint32_t id)
{
	struct flow *f = c->flows;

	while (f != NULL && f->id != id)
		f = f->next;
	return f;
}

static struct flow *
client_add(struct client *c, uint32_t id)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (f == NULL || (f->in = evbuffer_new()) == NULL) {
		free(f);
		return NULL;
	}
	f->client = c;
	f->id = id;
	f->next = c->flows;
	c->flows = f;
	return f;
}

static void
client_deliver(struct flow *f, const uint8_t *buf, size_t len)
{
	struct client *c = f->client;

	client_active(c);
	if (f->event == NULL) {
		if (c->spdy != NULL)
			spdy_used(c->spdy, f->id, len);
		return;
	}
	if (evbuffer_add(f->in, buf, len) == -1) {
		client_end(c, "out of memory");
		return;
	}
	c->pending += len;
	f->event(f->arg, f);
}

static void
client_on_fin(void *arg, void *stream)
{
	struct flow *f = stream;

	(void)arg;
	f->in_eof = true;
	if (f->event != NULL)
		f->event(f->arg, f);
}

static void
client_on_reset(void *arg, void *stream)
{
	struct flow *f = stream;

	f->gone = true;
	client_on_fin(arg, f);
}

static void
client_on_data(void *arg, void *stream, const uint8_t *buf, size_t len)
{
	(void)arg;
	client_deliver(stream, buf, len);
}

static void *
client_on_open(void *arg, uint32_t id, const struct spdy_headers *h)
{
	struct client *c = arg;
	struct flow *f = client_add(c, id);

	if (f == NULL || c->def->open(c->arg, f, h) == 0)
		return f;
	flow_free(f);
	return NULL;
}

static void
client_on_channel(void *arg, unsigned int channel, const uint8_t *buf,
    size_t len)
{
	struct flow *f = client_flow(arg, channel);

	if (f != NULL && !f->in_eof)
		client_deliver(f, buf, len);
}

static void
client_on_channel_fin(void *arg, unsigned int channel)
{
	struct flow *f = client_flow(arg, channel);

	if (f != NULL && !f->in_eof)
		client_on_fin(arg, f);
}

static void
client_on_tunnel(void *arg, unsigned int channel, const uint8_t *buf,
    size_t len)
{
	struct client *c = arg;

	(void)channel;
	if (evbuffer_add(c->tunnel, buf, len) == -1)
		client_end(c, "out of memory");
}

static void
client_out(void *arg, const void *buf, size_t len)
{
	struct client *c = arg;

	sock_send(c->sock, buf, len);
}

/* A message holds no more than WS_DATA_MAX bytes, and no less than one. */
static void
client_out_tunnel(void *arg, const void *buf, size_t len)
{
	struct client *c = arg;

	if (ws_send(c->ws, 0, buf, len) == -1)
		client_end(c, "the WebSocket takes no more");
}

static const struct spdy_def client_spdy = {
	.send = client_out,
	.open = client_on_open,
	.data = client_on_data,
	.fin = client_on_fin,
	.reset = client_on_reset,
	.full = client_full,
};

static const struct spdy_def client_spdy_tunnel = {
	.send = client_out_tunnel,
	.open = client_on_open,
	.data = client_on_data,
	.fin = client_on_fin,
	.reset = client_on_reset,
	.full = client_full,
};

static const struct ws_def client_ws = {
	.send = client_out,
	.data = client_on_channel,
	.fin = client_on_channel_fin,
	.full = client_full,
};

static const struct ws_def client_ws_tunnel = {
	.send = client_out,
	.data = client_on_tunnel,
	.fin = client_on_channel_fin,
	.full = client_tunnel_full,
};

static void
client_take_spdy(struct client *c, struct evbuffer *in)
{
	struct evbuffer_iovec v;
	ssize_t n = 0;

	while (!client_full(c) && evbuffer_peek(in, -1, NULL, &v, 1) > 0) {
		n = spdy_input(c->spdy, v.iov_base, v.iov_len);
		if (n == -1) {
			client_end(c, spdy_why(c->spdy));
			return;
		}
		(void)evbuffer_drain(in, (size_t)n);
	}
}

static void
client_take(struct client *c)
{
	enum ws_result r;

	if (c->ws == NULL) {
		client_take_spdy(c, sock_in(c->sock));
		return;
	}
	r = ws_input(c->ws, sock_in(c->sock));
	if (c->spdy != NULL)
		client_take_spdy(c, c->tunnel);
	if (r == WS_CLOSED)
		client_end(c, "the client closed the WebSocket");
	else if (r == WS_BROKEN)
		client_end(c, "the client broke the WebSocket protocol");
}

/* While nothing is read. */
static void
client_on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	if (client_full(c))
		ws_beat(c->ws);
	else
		(void)evtimer_del(c->beat);
}

static void
client_hold(struct client *c, bool full)
{
	static const struct timeval tv = { CLIENT_BEAT, 0 };

	sock_pause(c->sock, full);
	if (full && c->ws != NULL && !evtimer_pending(c->beat, NULL))
		(void)evtimer_add(c->beat, &tv);
}

static void
client_input(struct client *c)
{
	bool full = client_full(c);

	if (!full && c->why == NULL) {
		client_take(c);
		full = client_full(c);
	}
	if (c->finishing)
		return;
	client_hold(c, full);
	if (sock_ended(c->sock) && !full)
		client_end(c, "the client has gone");
}

static void
client_on_input(void *arg)
{
	client_input(arg);
}

static void
client_on_output(void *arg)
{
	struct client *c = arg;

	client_active(c);
	if (c->was_full && client_room(c) >= CLIENT_OUT_MAX / 2 &&
	    !c->stopped) {
		c->was_full = false;
		c->def->room(c->arg);
	}
	client_input(c);
}

static void
client_on_gone(void *arg)
{
	client_end(arg, "the client has gone");
}

static const struct sock_def client_sock = {
	.input = client_on_input,
	.output = client_on_output,
	.gone = client_on_gone,
};

static void
client_on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	const char *why;

	(void)fd;
	(void)what;
	if (c->stopped)
		return;
	if (c->why == NULL) {
		client_input(c);
		return;
	}
	why = c->why;
	c->stopped = true;
	c->def->gone(c->arg, why);
}

static void
client_on_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_end(arg, "nothing was carried for too long");
}

/* ---- making and freeing ---- */

static int
client_set_up(struct client *c, struct event_base *base,
    const struct upgrade *u)
{
	static const enum ws_mode modes[] = { WS_CHANNELS, WS_BASE64 };
	bool tunnel = u->proto->transport == UPGRADE_TUNNEL;

	c->kick = event_new(base, -1, 0, client_on_kick, c);
	c->timer = evtimer_new(base, client_on_idle, c);
	c->beat = event_new(base, -1, EV_PERSIST, client_on_beat, c);
	c->tunnel = evbuffer_new();
	if (c->kick == NULL || c->timer == NULL || c->beat == NULL ||
	    c->tunnel == NULL)
		return -1;
	if (u->proto->transport != UPGRADE_WEBSOCKET) {
		c->spdy =
		    spdy_new(tunnel ? &client_spdy_tunnel : &client_spdy, c);
		if (c->spdy == NULL)
			return -1;
	}
	if (u->proto->transport == UPGRADE_SPDY)
		return 0;
	c->ws = tunnel ? ws_new(&client_ws_tunnel, c, WS_BYTES, false)
		       : ws_new(&client_ws, c, modes[u->proto->base64],
			     u->proto->version >= 5);
	return c->ws == NULL ? -1 : 0;
}

struct client *
client_new(struct event_base *base, struct sock *sock, const struct upgrade *u,
    unsigned int idle, const struct client_def *def, void *arg)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		sock_free(sock);
		return NULL;
	}
	c->sock = sock;
	c->def = def;
	c->arg = arg;
	c->idle = idle;
	if (client_set_up(c, base, u) == -1) {
		client_free(c);
		return NULL;
	}
	sock_set(sock, &client_sock, c);
	sock_send(sock, u->head, strlen(u->head));
	client_active(c);
	/* Something may have come with the request. */
	event_active(c->kick, EV_TIMEOUT, 0);
	return c;
}

static void
client_event_free(struct event *ev)
{
	if (ev != NULL)
		event_free(ev);
}

void
client_free(struct client *c)
{
	if (c == NULL)
		return;
	c->stopped = true;
	while (c->flows != NULL)
		flow_free(c->flows);
	client_event_free(c->kick);
	client_event_free(c->timer);
	client_event_free(c->beat);
	if (c->tunnel != NULL)
		evbuffer_free(c->tunnel);
	spdy_free(c->spdy);
	ws_free(c->ws);
	sock_free(c->sock);
	free(c);
}

struct flow *
client_channel(struct client *c, uint32_t id)
{
	return client_add(c, id);
}

size_t
client_room(struct client *c)
{
	size_t waiting = sock_waiting(c->sock);

	if (waiting < CLIENT_OUT_MAX)
		return CLIENT_OUT_MAX - waiting;
	c->was_full = true;
	return 0;
}

void
client_finish(struct client *c)
{
	if (c->finishing || c->stopped)
		return;
	c->finishing = true;
	if (c->ws != NULL)
		ws_close(c->ws);
	sock_finish(c->sock);
}

void
client_stop(struct client *c)
{
	c->stopped = true;
}

/* ---- flows ---- */

void
flow_send(struct flow *f, const void *buf, size_t len)
{
	struct client *c = f->client;

	if (c->stopped || f->gone)
		return;
	client_active(c);
	if (c->spdy != NULL)
		spdy_send(c->spdy, f->id, buf, len);
	else if (ws_send(c->ws, f->id, buf, len) == -1)
		client_end(c, "the WebSocket takes no more");
}

/* A WebSocket has no word for it. */
void
flow_finish(struct flow *f)
{
	if (f->client->spdy != NULL && !f->client->stopped)
		spdy_fin(f->client->spdy, f->id);
}

void
flow_took(struct flow *f, size_t n)
{
	struct client *c = f->client;
	bool was = client_full(c);

	c->pending -= n;
	if (c->spdy != NULL)
		spdy_used(c->spdy, f->id, n);
	if (was && !client_full(c))
		event_active(c->kick, EV_TIMEOUT, 0);
}

void
flow_ignore(struct flow *f)
{
	size_t n = evbuffer_get_length(f->in);

	f->event = NULL;
	(void)evbuffer_drain(f->in, n);
	if (n > 0)
		flow_took(f, n);
}

void
flow_free(struct flow *f)
{
	struct client *c = f->client;
	struct flow **p = &c->flows;

	flow_ignore(f);
	if (c->spdy != NULL && !c->stopped)
		spdy_drop(c->spdy, f->id, SPDY_RESET_CANCEL);
	while (*p != f)
		p = &(*p)->next;
	*p = f->next;
	evbuffer_free(f->in);
	free(f);
}
