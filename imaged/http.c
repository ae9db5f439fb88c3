#include <sys/stat.h>

#include <event2/event.h>
#include <openssl/x509_vfy.h>

#include <ctype.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"

#include "imaged/address.h"
#include "imaged/http_call.h"
#include "imaged/proxy.h"

#define HTTP_CA_MAX	 (8U * 1024 * 1024)
#define HTTP_IDLE_S	 15 /* connections are kept that long */
#define HTTP_CONNECTIONS 16L

/* What libcurl frees may have held a credential. */
static void
http_free_wiped(void *p)
{
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *
http_realloc_wiped(void *p, size_t size)
{
	size_t old = p == NULL ? 0 : malloc_usable_size(p);
	void *q = malloc(size);

	if (q == NULL)
		return NULL;
	if (p != NULL)
		memcpy(q, p, old < size ? old : size);
	http_free_wiped(p);
	return q;
}

static char *
http_strdup(const char *s)
{
	char *p = s == NULL ? NULL : strdup(s);

	if (s != NULL && p == NULL)
		fatal("http: strdup");
	return p;
}

/* ---- sockets and timers: libcurl's wishes to libevent ---- */

static void http_finish_calls(struct http *h);

static void
http_socket_ready(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;
	int mask = ((what & EV_READ) ? CURL_CSELECT_IN : 0) |
		   ((what & EV_WRITE) ? CURL_CSELECT_OUT : 0);
	int running;

	(void)curl_multi_socket_action(h->multi, fd, mask, &running);
	http_finish_calls(h);
}

static int
http_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *arg,
    void *socket_arg)
{
	struct http *h = arg;
	struct event *ev = socket_arg;
	short events = EV_PERSIST;

	(void)easy;
	if (ev != NULL)
		event_free(ev);
	ev = NULL;
	if (what != CURL_POLL_REMOVE) {
		events |= (short)((what & CURL_POLL_IN) ? EV_READ : 0);
		events |= (short)((what & CURL_POLL_OUT) ? EV_WRITE : 0);
		ev = event_new(h->base, fd, events, http_socket_ready, h);
		if (ev == NULL || event_add(ev, NULL) == -1)
			fatalx("http: event_new");
	}
	(void)curl_multi_assign(h->multi, fd, ev);
	return 0;
}

static void
http_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;
	int running;

	(void)fd;
	(void)what;
	(void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0,
	    &running);
	http_finish_calls(h);
}

static int
http_timer_wanted(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;
	struct timeval tv = { ms / 1000, (ms % 1000) * 1000 };

	(void)multi;
	if (ms < 0)
		(void)evtimer_del(h->timer);
	else
		(void)evtimer_add(h->timer, &tv);
	return 0;
}

/* Nothing was asked for a while: give connections and memory back. */
static void
http_idle(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;

	(void)fd;
	(void)what;
	if (h->multi == NULL || !LIST_EMPTY(&h->calls))
		return;
	(void)evtimer_del(h->timer);
	(void)curl_multi_cleanup(h->multi);
	h->multi = NULL;
	free(h->ca);
	h->ca = NULL;
	h->ca_len = 0;
	(void)malloc_trim(0);
}

static void
http_ticked(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_time_tick(arg);
}

struct http *
http_new(struct event_base *base, const struct http_limits *limits,
    const struct proxy_conf *proxy)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL)
		fatal("http: calloc");
	h->base = base;
	h->limits = limits;
	h->proxy = proxy;
	h->ca_fd = -1;
	LIST_INIT(&h->calls);
	h->timer = evtimer_new(base, http_timer_fired, h);
	h->idle = evtimer_new(base, http_idle, h);
	h->tick = evtimer_new(base, http_ticked, h);
	if (h->timer == NULL || h->idle == NULL || h->tick == NULL)
		fatalx("http: evtimer_new");
	return h;
}

void
http_set_ca(struct http *h, int fd)
{
	fdio_close(&h->ca_fd);
	h->ca_fd = fd;
}

static void
http_load_ca(struct http *h)
{
	struct stat st;
	ssize_t n;

	if (h->ca_fd == -1 || fstat(h->ca_fd, &st) == -1 || st.st_size <= 0 ||
	    st.st_size > (off_t)HTTP_CA_MAX)
		return;
	h->ca = malloc((size_t)st.st_size);
	if (h->ca == NULL)
		return;
	n = pread(h->ca_fd, h->ca, (size_t)st.st_size, 0);
	h->ca_len = n > 0 ? (size_t)n : 0;
	if (h->ca_len == 0)
		log_warn("cannot read the system's certificates");
}

static void
http_wake(struct http *h)
{
	(void)evtimer_del(h->idle);
	if (h->multi != NULL)
		return;
	/* Repeated calls just count; what it did stays. */
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, http_free_wiped,
		http_realloc_wiped, strdup, calloc) != CURLE_OK)
		fatalx("http: curl_global_init");
	h->multi = curl_multi_init();
	if (h->multi == NULL)
		fatalx("http: curl_multi_init");
	(void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION,
	    http_socket_wanted);
	(void)curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	(void)curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION,
	    http_timer_wanted);
	(void)curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	(void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS,
	    HTTP_CONNECTIONS);
	http_load_ca(h);
}

/* ---- what comes back ---- */

void
http_fault(struct http_call *c, enum http_fault fault, const char *text)
{
	if (c->reply.fault != HTTP_FINE)
		return;
	c->reply.fault = fault;
	(void)snprintf(c->reply.error, sizeof(c->reply.error), "%s", text);
}

static size_t
http_header(char *line, size_t one, size_t len, void *arg)
{
	(void)one;
	return http_take_line(arg, line, len) ? len : 0;
}

static int
http_begin(struct http_call *c)
{
	curl_off_t length = -1;

	c->begun = true;
	(void)curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
	    &length);
	if (c->reply.status == 206 &&
	    (c->offset == 0 || c->range_start != (int64_t)c->offset)) {
		http_fault(c, HTTP_FAULT_POLICY,
		    "another range than was asked for in the reply");
		return -1;
	}
	if (c->r.sink->begin(c->r.sink_arg, c->reply.status, length) == -1) {
		http_fault(c, HTTP_FAULT_SINK, "not taken");
		return -1;
	}
	return 0;
}

/* Keeps n bytes; false if that is more than wanted. */
static bool
http_keep(struct http_call *c, const char *data, size_t n, size_t max)
{
	size_t want = c->reply.len + n + 1;

	if (n > max - c->reply.len)
		return false;
	if (want > c->body_size) {
		size_t size = want < 4096 ? 4096 : want + want / 2;
		char *p = http_realloc_wiped(c->body, size);

		if (p == NULL)
			return false;
		c->body = p;
		c->body_size = size;
	}
	memcpy(c->body + c->reply.len, data, n);
	c->reply.len += n;
	c->body[c->reply.len] = '\0';
	return true;
}

static size_t
http_body(char *data, size_t one, size_t len, void *arg)
{
	struct http_call *c = arg;
	bool good;

	(void)one;
	c->span += len;
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE,
	    &c->reply.status);
	good = c->reply.status == 200 || c->reply.status == 206;
	if (good && c->r.sink != NULL) {
		if (!c->begun && http_begin(c) == -1)
			return 0;
		if (c->r.sink->data(c->r.sink_arg, data, len) == 0)
			return len;
		http_fault(c, HTTP_FAULT_SINK, "not taken");
		return 0;
	}
	if (http_keep(c, data, len, good ? c->r.body_max : HTTP_ERROR_MAX))
		return len;
	if (good)
		http_fault(c, HTTP_FAULT_POLICY, "the reply is too long");
	c->cut = !good;
	return 0;
}

/* ---- a call ---- */

static void
http_call_free(struct http_call *c)
{
	LIST_REMOVE(c, entry);
	if (c->easy != NULL) {
		(void)curl_multi_remove_handle(c->http->multi, c->easy);
		curl_easy_cleanup(c->easy);
	}
	http_headers_free(c);
	if (c->failed != NULL)
		event_free(c->failed);
	free(c->accept);
	auth_wipe(c->authorization);
	auth_wipe(c->form);
	http_free_wiped(c->body);
	if (LIST_EMPTY(&c->http->calls)) {
		struct timeval tv = { HTTP_IDLE_S, 0 };

		(void)evtimer_add(c->http->idle, &tv);
	}
	http_free_wiped(c);
}

void
http_cancel(struct http_call *c)
{
	if (c != NULL)
		http_call_free(c);
}

bool
http_is_foreign(const struct http_call *c)
{
	return !url_same_origin(&c->origin, &c->here);
}

/* Who is between is part of the cause, if it is not named already. */
static void
http_name_proxy(struct http_call *c)
{
	struct http_reply *r = &c->reply;
	char name[128];
	size_t used = strlen(r->error);

	if (r->fault == HTTP_FINE || c->proxy == NULL)
		return;
	proxy_name(c->proxy, name, sizeof(name));
	(void)snprintf(r->error + used, sizeof(r->error) - used,
	    " (by proxy %s)", name);
}

void
http_call_end(struct http_call *c)
{
	struct http_reply *r = &c->reply;

	c->phase = HTTP_OVER;
	http_name_proxy(c);
	(void)snprintf(r->host, sizeof(r->host), "%s:%u", c->here.host,
	    c->here.port);
	r->foreign = http_is_foreign(c);
	r->body = c->body == NULL ? "" : c->body;
	for (char *p = r->error; *p != '\0'; p++) {
		if (!isprint((unsigned char)*p))
			*p = '?';
	}
	c->r.done(c->r.arg, r);
	http_call_free(c);
}

static void
http_failed(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_call_end(arg);
}

/* ---- addresses ---- */

/* What forbids to go there, or NULL. */
static const char *
http_check_near(const struct http_call *c, unsigned int near)
{
	if ((near & ~c->reply.near) == 0)
		return NULL;
	return near == ADDRESS_NONE
		   ? "an address that is no host's"
		   : "an address that only this machine reaches, where the "
		     "registry is not";
}

/* Whether a registry's words lead there, not the configuration. */
static bool
http_is_told(const struct http_call *c)
{
	return c->r.told || http_is_foreign(c);
}

static bool
http_may_reach(struct http_call *c, unsigned int near)
{
	const char *why;
	char text[128];

	if (c->proxy != NULL)
		return true; /* the address is the proxy's */
	if (!http_is_told(c)) {
		c->reply.near |= near;
		return true;
	}
	why = http_check_near(c, near);
	if (why == NULL)
		return true;
	(void)snprintf(text, sizeof(text), "it leads to %s", why);
	http_fault(c, HTTP_FAULT_POLICY, text);
	return false;
}

static curl_socket_t
http_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct http_call *c = arg;
	int fd;

	(void)purpose;
	if (!http_may_reach(c, address_of_sockaddr(&a->addr)))
		return CURL_SOCKET_BAD;
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd == -1)
		return CURL_SOCKET_BAD;
	if (!c->opened)
		http_set_phase(c, HTTP_CONNECTING);
	c->opened = true;
	return fd;
}

/* TCP, and a proxy's tunnel, are there: the handshake has a time of its own. */
static CURLcode
http_handshake(CURL *easy, void *context, void *arg)
{
	struct http_call *c = arg;

	(void)easy;
	(void)context;
	http_set_phase(c, HTTP_CONNECTING);
	c->secured = true;
	return CURLE_OK;
}

/* There is a connection, perhaps one that another call has opened. */
static int
http_connected(void *arg, char *peer, char *own, int peer_port, int own_port)
{
	struct http_call *c = arg;

	(void)own;
	(void)peer_port;
	(void)own_port;
	if (!http_may_reach(c, address_of_host(peer)))
		return CURL_PREREQFUNC_ABORT;
	http_set_phase(c, HTTP_ASKING);
	return CURL_PREREQFUNC_OK;
}

/* ---- requests ---- */

static void
http_set_functions(struct http_call *c)
{
	(void)curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETFUNCTION,
	    http_open_socket);
	(void)curl_easy_setopt(c->easy, CURLOPT_OPENSOCKETDATA, c);
	(void)curl_easy_setopt(c->easy, CURLOPT_SSL_CTX_FUNCTION,
	    http_handshake);
	(void)curl_easy_setopt(c->easy, CURLOPT_SSL_CTX_DATA, c);
	(void)curl_easy_setopt(c->easy, CURLOPT_PREREQFUNCTION, http_connected);
	(void)curl_easy_setopt(c->easy, CURLOPT_PREREQDATA, c);
	(void)curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	(void)curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->curl_error);
	(void)curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, http_header);
	(void)curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
	(void)curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, http_body);
	(void)curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
}

/* Sends the request to url, whose parts are in c->here. */
static void
http_send(struct http_call *c, const char *url)
{
	http_reply_reset(c);
	c->header_bytes = 0;
	c->curl_error[0] = '\0';
	c->opened = c->secured = false;
	http_set_phase(c, HTTP_CONNECTING);
	http_set_options(c, url);
	if (curl_multi_add_handle(c->http->multi, c->easy) != CURLM_OK)
		fatalx("http: curl_multi_add_handle");
}

static void
http_copy_request(struct http_call *c, const struct http_request *r)
{
	c->r = *r;
	c->accept = http_strdup(r->accept);
	c->authorization = http_strdup(r->authorization);
	c->form = http_strdup(r->form);
	c->offset = r->sink == NULL ? 0 : r->offset;
	c->reply.near = r->near;
	if (r->sink == NULL)
		c->end =
		    mono_after_ms((int64_t)c->http->limits->document * 1000);
}

/* What forbids the URL that was given, or NULL. */
static const char *
http_check_url(struct http_call *c)
{
	const char *why = url_parse(c->r.url, &c->origin);

	c->here = c->origin;
	if (why == NULL && !c->origin.tls && !c->r.plain)
		why = "a plain http URL of a registry that is not insecure";
	if (why == NULL && c->r.told)
		why = http_check_near(c, address_of_host(c->origin.host));
	return why;
}

struct http_call *
http_start(struct http *h, const struct http_request *r)
{
	struct http_call *c = calloc(1, sizeof(*c));
	struct timeval now = { 0, 0 };
	const char *why;

	if (c == NULL)
		fatal("http: calloc");
	http_wake(h);
	c->http = h;
	http_copy_request(c, r);
	http_reply_reset(c);
	LIST_INSERT_HEAD(&h->calls, c, entry);
	http_time_start(h);
	why = http_check_url(c);
	if (why != NULL) {
		http_fault(c, HTTP_FAULT_POLICY, why);
		c->failed = evtimer_new(h->base, http_failed, c);
		if (c->failed == NULL || evtimer_add(c->failed, &now) == -1)
			fatalx("http: evtimer_new");
		return c;
	}
	c->easy = curl_easy_init();
	if (c->easy == NULL)
		fatalx("http: curl_easy_init");
	http_set_functions(c);
	http_send(c, r->url);
	return c;
}

static bool
http_is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 ||
	       status == 307 || status == 308;
}

/* What forbids to follow the reply to next, or NULL. */
static const char *
http_redirect_check(struct http_call *c, const char *next, struct url *to)
{
	const char *why;

	if (next == NULL)
		return "a redirect to nowhere";
	if (c->form != NULL)
		return "a redirect of a token request";
	if (c->redirects == HTTP_REDIRECTS_MAX)
		return "more than 5 redirects";
	why = url_parse(next, to);
	if (why != NULL)
		return why;
	if (c->here.tls && !to->tls)
		return "a redirect from https to http";
	if (url_same_origin(&c->origin, to))
		return NULL;
	why = http_check_near(c, address_of_host(to->host));
	return why == NULL ? NULL
			   : "a redirect to an address that only this "
			     "machine reaches";
}

/* True if the call goes on elsewhere. */
static bool
http_redirect(struct http_call *c)
{
	char *location = NULL, *next;
	struct url to;
	const char *why;
	char text[160];

	(void)curl_easy_getinfo(c->easy, CURLINFO_REDIRECT_URL, &location);
	why = http_redirect_check(c, location, &to);
	if (why != NULL) {
		(void)snprintf(text, sizeof(text), "it answered with %s", why);
		http_fault(c, HTTP_FAULT_POLICY, text);
		return false;
	}
	next = http_strdup(location); /* it is the handle's */
	c->redirects++;
	c->here = to;
	if (!url_same_origin(&c->origin, &to)) {
		auth_wipe(c->authorization);
		c->authorization = NULL;
	}
	http_send(c, next);
	auth_wipe(next);
	return true;
}

static enum http_fault
http_fault_of(CURLcode code)
{
	switch ((int)code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_FAULT_TLS;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return HTTP_FAULT_POLICY;
	default:
		return HTTP_FAULT_NET;
	}
}

/* A proxy's own answer to CONNECT; 0: none, or a good one. */
static long
http_proxy_refused(struct http_call *c)
{
	long status = 0;

	(void)curl_easy_getinfo(c->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status >= 400 ? status : 0;
}

/* A certificate's dates: then what time it is here is half of the cause. */
static void
http_tls_failed(struct http_call *c, const char *why)
{
	char text[256], clock[32] = "?";
	time_t now = time(NULL);
	struct tm tm;
	long result = 0;

	(void)curl_easy_getinfo(c->easy, CURLINFO_SSL_VERIFYRESULT, &result);
	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(clock, sizeof(clock), "%Y-%m-%d %H:%M UTC", &tm);
	if (result == X509_V_ERR_CERT_NOT_YET_VALID)
		(void)snprintf(text, sizeof(text),
		    "%.160s: the clock here, %s, is before its dates", why,
		    clock);
	else if (result == X509_V_ERR_CERT_HAS_EXPIRED)
		(void)snprintf(text, sizeof(text),
		    "%.160s: the clock here, %s, is after its dates", why,
		    clock);
	else
		(void)snprintf(text, sizeof(text), "%.255s", why);
	http_fault(c, HTTP_FAULT_TLS, text);
}

static void
http_curl_failed(struct http_call *c, CURLcode code)
{
	long refused = http_proxy_refused(c);
	const char *why =
	    c->curl_error[0] != '\0' ? c->curl_error : curl_easy_strerror(code);
	char text[64];

	if (refused != 0) {
		(void)snprintf(text, sizeof(text), "status %ld", refused);
		http_fault(c,
		    refused >= 500 ? HTTP_FAULT_NET : HTTP_FAULT_PROXY, text);
		return;
	}
	if (http_fault_of(code) == HTTP_FAULT_TLS)
		http_tls_failed(c, why);
	else
		http_fault(c, http_fault_of(code), why);
}

static void
http_call_result(struct http_call *c, CURLcode code)
{
	(void)curl_multi_remove_handle(c->http->multi, c->easy);
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE,
	    &c->reply.status);
	if (code != CURLE_OK && !c->cut)
		http_curl_failed(c, code);
	/* Without a tunnel the proxy's own refusal looks like a reply. */
	if (c->reply.fault == HTTP_FINE && c->reply.status == 407)
		http_fault(c, HTTP_FAULT_PROXY, "status 407");
	if (c->reply.fault == HTTP_FINE && http_is_redirect(c->reply.status) &&
	    http_redirect(c))
		return;
	http_call_end(c);
}

static void
http_finish_calls(struct http *h)
{
	CURLMsg *msg;
	int left;

	while (h->multi != NULL &&
	       (msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		CURLcode code = msg->data.result;
		char *private = NULL;
		struct http_call *c;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
		    &private);
		c = (struct http_call *)(void *)private;
		http_call_result(c, code);
	}
}
