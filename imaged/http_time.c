#include <event2/event.h>

#include <stdio.h>
#include <string.h>

#include "imaged/http_call.h"

#define HTTP_TICK_MS 250

static int64_t
http_ms(unsigned int seconds)
{
	return (int64_t)seconds * 1000;
}

static int64_t
http_since_ms(struct mono since)
{
	return (mono_now().ns - since.ns) / MONO_NS_PER_MS;
}

void
http_set_phase(struct http_call *c, enum http_phase phase)
{
	c->phase = phase;
	c->since = mono_now();
	c->span = 0;
}

/* Connections that speak HTTP/2 are shared: one is waited for to know. */
static bool
http_waits_for_other(const struct http_call *c)
{
	const struct http_call *o;

	LIST_FOREACH(o, &c->http->calls, entry) {
		if (o != c && o->phase == HTTP_CONNECTING && !c->opened &&
		    o->opened && url_same_origin(&o->here, &c->here))
			return true;
	}
	return false;
}

static bool
http_late_connecting(struct http_call *c, char *text, size_t size)
{
	const struct http_limits *l = c->http->limits;
	unsigned int s = c->secured ? l->tls : l->connect;

	if (http_waits_for_other(c))
		s = l->connect + l->tls;
	if (http_since_ms(c->since) < http_ms(s))
		return false;
	(void)snprintf(text, size, "no %s within %u seconds",
	    c->secured ? "TLS" : "connection", s);
	return true;
}

static bool
http_late_asking(struct http_call *c, char *text, size_t size)
{
	unsigned int s = c->http->limits->header;

	if (http_since_ms(c->since) < http_ms(s))
		return false;
	(void)snprintf(text, size, "no answer within %u seconds", s);
	return true;
}

static bool
http_late_reading(struct http_call *c, char *text, size_t size)
{
	const struct http_limits *l = c->http->limits;

	if (http_since_ms(c->since) < http_ms(l->idle))
		return false;
	if (c->span == 0)
		(void)snprintf(text, size, "nothing came for %u seconds",
		    l->idle);
	else
		(void)snprintf(text, size,
		    "less than %u bytes a second came for %u seconds", l->rate,
		    l->idle);
	if (c->span == 0 || c->span < (uint64_t)l->rate * l->idle)
		return true;
	http_set_phase(c, HTTP_READING); /* the next span */
	return false;
}

static bool
http_is_late(struct http_call *c, char *text, size_t size)
{
	static bool (*const late[])(struct http_call *, char *, size_t) = {
		[HTTP_CONNECTING] = http_late_connecting,
		[HTTP_ASKING] = http_late_asking,
		[HTTP_READING] = http_late_reading,
	};

	if (c->easy == NULL || c->phase == HTTP_OVER)
		return false;
	if (mono_passed(c->end)) {
		(void)snprintf(text, size, "not all of it came in %u seconds",
		    c->http->limits->document);
		return true;
	}
	return late[c->phase](c, text, size);
}

/*
 * This process itself stood still, on a slow disk or stopped: that is not the
 * registry's fault.
 */
static void
http_forgive(struct http *h)
{
	int64_t late = http_since_ms(h->ticked) - 4 * HTTP_TICK_MS;
	struct http_call *c;

	h->ticked = mono_now();
	if (late <= 0)
		return;
	LIST_FOREACH(c, &h->calls, entry) {
		c->since.ns += late * MONO_NS_PER_MS;
		if (mono_is_set(c->end))
			c->end.ns += late * MONO_NS_PER_MS;
	}
}

static struct http_call *
http_find_late(struct http *h, char *text, size_t size)
{
	struct http_call *c;

	LIST_FOREACH(c, &h->calls, entry) {
		if (http_is_late(c, text, size))
			return c;
	}
	return NULL;
}

void
http_time_tick(struct http *h)
{
	struct http_call *c;
	char text[128];

	http_forgive(h);
	/* What done does may end other calls: each is looked for anew. */
	while ((c = http_find_late(h, text, sizeof(text))) != NULL) {
		http_fault(c, HTTP_FAULT_NET, text);
		http_call_end(c);
	}
	if (!LIST_EMPTY(&h->calls))
		http_time_start(h);
}

void
http_time_start(struct http *h)
{
	struct timeval tv = { 0, HTTP_TICK_MS * 1000 };

	if (evtimer_pending(h->tick, NULL))
		return;
	h->ticked = mono_now();
	(void)evtimer_add(h->tick, &tv);
}
