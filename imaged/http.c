#include <sys/queue.h>
#include <sys/stat.h>

#include <curl/curl.h>
#include <event2/event.h>

#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"

#include "imaged/auth.h"
#include "imaged/http.h"
#include "imaged/url.h"

#define HTTP_CA_MAX	 (8U * 1024 * 1024)
#define HTTP_IDLE_S	 15 /* connections are kept that long */
#define HTTP_CONNECTIONS 16L
#define HTTP_BUFFER	 (64L * 1024)

struct http {
	struct event_base *base;
	CURLM *multi; /* NULL while nothing was asked for a while */
	struct event *timer, *idle;
	LIST_HEAD(, http_call) calls;
	int ca_fd;
	uint8_t *ca; /* its contents, while multi is there */
	size_t ca_len;
};

struct http_call {
	LIST_ENTRY(http_call) entry;
	struct http *http;
	CURL *easy;
	struct curl_slist *headers;
	char curl_error[CURL_ERROR_SIZE];
	/* of the request */
	char *accept, *authorization, *form;
	bool insecure;
	const void *ca;
	size_t ca_len, body_max;
	uint64_t offset;
	const struct http_sink *sink;
	void *sink_arg;
	http_done_fn done;
	void *arg;
	/* where it is */
	struct url origin, here;
	unsigned int redirects;
	/* the reply */
	struct http_reply reply;
	size_t header_bytes;
	char challenges[AUTH_CHALLENGE_MAX];
	int64_t range_start; /* Content-Range; -1 */
	char *body;
	size_t body_size;
	bool begun, cut;      /* cut: an error's body was too long to read on */
	struct event *failed; /* could not even start: told from the loop */
};

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

struct http *
http_new(struct event_base *base)
{
	struct http *h = calloc(1, sizeof(*h));

	if (h == NULL)
		fatal("http: calloc");
	h->base = base;
	h->ca_fd = -1;
	LIST_INIT(&h->calls);
	h->timer = evtimer_new(base, http_timer_fired, h);
	h->idle = evtimer_new(base, http_idle, h);
	if (h->timer == NULL || h->idle == NULL)
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

static void
http_fault(struct http_call *c, enum http_fault fault, const char *text)
{
	if (c->reply.fault != HTTP_FINE)
		return; /* the first is the cause */
	c->reply.fault = fault;
	(void)snprintf(c->reply.error, sizeof(c->reply.error), "%s", text);
}

static void
http_reply_reset(struct http_call *c)
{
	struct http_reply *r = &c->reply;

	r->answered = false;
	r->type[0] = r->digest[0] = '\0';
	r->retry_after = -1;
	r->challenges = c->challenges;
	r->nchallenges = 0;
	c->range_start = -1;
	r->len = 0;
	c->begun = c->cut = false;
}

/* The value of field name in line, without the blanks around it. */
static const char *
http_field(const char *line, size_t len, const char *name, size_t *n)
{
	size_t k = strlen(name);
	const char *p = line + k + 1, *end = line + len;

	if (len <= k || line[k] != ':' || strncasecmp(line, name, k) != 0)
		return NULL;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && isspace((unsigned char)end[-1]))
		end--;
	*n = (size_t)(end - p);
	return p;
}

static void
http_field_copy(char *out, size_t size, const char *value, size_t n)
{
	if (n >= size)
		n = 0;
	for (size_t i = 0; i < n; i++)
		out[i] = isprint((unsigned char)value[i]) ? value[i] : '?';
	out[n] = '\0';
}

/* Decimal digits up to n bytes; -1 if there are none or too many. */
static int64_t
http_number(const char *p, size_t n)
{
	int64_t v = 0;
	size_t i = 0;

	for (; i < n && isdigit((unsigned char)p[i]); i++) {
		if (i == 18)
			return -1;
		v = v * 10 + (p[i] - '0');
	}
	return i > 0 ? v : -1;
}

static void
http_add_challenge(struct http_call *c, const char *value, size_t n)
{
	if (c->reply.nchallenges + n + 1 > sizeof(c->challenges)) {
		http_fault(c, HTTP_FAULT_POLICY,
		    "challenges over 8 KiB in the reply");
		return;
	}
	memcpy(c->challenges + c->reply.nchallenges, value, n);
	c->challenges[c->reply.nchallenges + n] = '\n';
	c->reply.nchallenges += n + 1;
}

static void
http_take_field(struct http_call *c, const char *line, size_t len)
{
	struct http_reply *r = &c->reply;
	const char *v;
	size_t n;

	if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {
		http_reply_reset(c);
		r->answered = true;
	} else if ((v = http_field(line, len, "content-type", &n)) != NULL) {
		http_field_copy(r->type, sizeof(r->type), v, n);
	} else if ((v = http_field(line, len, "docker-content-digest", &n)) !=
		   NULL) {
		http_field_copy(r->digest, sizeof(r->digest), v, n);
	} else if ((v = http_field(line, len, "www-authenticate", &n)) !=
		   NULL) {
		http_add_challenge(c, v, n);
	} else if ((v = http_field(line, len, "retry-after", &n)) != NULL) {
		r->retry_after = http_number(v, n);
	} else if ((v = http_field(line, len, "content-range", &n)) != NULL &&
		   n > 6 && strncasecmp(v, "bytes ", 6) == 0) {
		c->range_start = http_number(v + 6, n - 6);
	}
}

static size_t
http_header(char *line, size_t one, size_t len, void *arg)
{
	struct http_call *c = arg;

	(void)one;
	c->header_bytes += len;
	if (c->header_bytes > HTTP_HEADERS_MAX)
		http_fault(c, HTTP_FAULT_POLICY,
		    "headers over 64 KiB in the reply");
	else
		http_take_field(c, line, len);
	return c->reply.fault == HTTP_FINE ? len : 0;
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
	if (c->sink->begin(c->sink_arg, c->reply.status, length) == -1) {
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
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE,
	    &c->reply.status);
	good = c->reply.status == 200 || c->reply.status == 206;
	if (good && c->sink != NULL) {
		if (!c->begun && http_begin(c) == -1)
			return 0;
		if (c->sink->data(c->sink_arg, data, len) == 0)
			return len;
		http_fault(c, HTTP_FAULT_SINK, "not taken");
		return 0;
	}
	if (http_keep(c, data, len, good ? c->body_max : HTTP_ERROR_MAX))
		return len;
	if (good)
		http_fault(c, HTTP_FAULT_POLICY, "the reply is too long");
	c->cut = !good;
	return 0;
}

/* ---- a call ---- */

static void
http_headers_free(struct http_call *c)
{
	/* libcurl's own free wipes. */
	curl_slist_free_all(c->headers);
	c->headers = NULL;
}

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

static void
http_call_end(struct http_call *c)
{
	struct http_reply *r = &c->reply;

	(void)snprintf(r->host, sizeof(r->host), "%s:%u", c->here.host,
	    c->here.port);
	r->foreign = !url_same_origin(&c->origin, &c->here);
	r->body = c->body == NULL ? "" : c->body;
	for (char *p = r->error; *p != '\0'; p++) {
		if (!isprint((unsigned char)*p))
			*p = '?';
	}
	c->done(c->arg, r);
	http_call_free(c);
}

static void
http_failed(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	http_call_end(arg);
}

static void
http_add_header(struct http_call *c, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 3;
	char *line = malloc(size);
	struct curl_slist *list;

	if (line == NULL)
		fatal("http: malloc");
	(void)snprintf(line, size, "%s: %s", name, value);
	list = curl_slist_append(c->headers, line);
	auth_wipe(line);
	if (list == NULL)
		fatalx("http: curl_slist_append");
	c->headers = list;
}

static void
http_set_headers(struct http_call *c)
{
	http_headers_free(c);
	http_add_header(c, "User-Agent", "criod/" CRIOD_VERSION);
	if (c->accept != NULL)
		http_add_header(c, "Accept", c->accept);
	if (c->authorization != NULL && url_same_origin(&c->origin, &c->here))
		http_add_header(c, "Authorization", c->authorization);
	(void)curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

/* Trust: the system's certificates, and the registry's own at its host. */
static void
http_set_trust(struct http_call *c)
{
	struct http *h = c->http;
	bool own = strcmp(c->origin.host, c->here.host) == 0;
	bool verify = !(c->insecure && own);
	struct curl_blob blob = { h->ca, h->ca_len, CURL_BLOB_NOCOPY };
	uint8_t *both = NULL;

	(void)curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER,
	    verify ? 1L : 0L);
	(void)curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST,
	    verify ? 2L : 0L);
	if (own && c->ca_len > 0) {
		both = malloc(h->ca_len + 1 + c->ca_len);
		if (both == NULL)
			fatal("http: malloc");
		if (h->ca_len > 0)
			memcpy(both, h->ca, h->ca_len);
		both[h->ca_len] = '\n';
		memcpy(both + h->ca_len + 1, c->ca, c->ca_len);
		blob = (struct curl_blob){ both, h->ca_len + 1 + c->ca_len,
			CURL_BLOB_COPY };
	}
	/* An empty one makes every verification fail, as it should. */
	(void)curl_easy_setopt(c->easy, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(c->easy, CURLOPT_CAINFO, NULL);
	if (blob.len > 0)
		(void)curl_easy_setopt(c->easy, CURLOPT_CAINFO_BLOB, &blob);
	free(both);
}

static void
http_set_limits(struct http_call *c)
{
	static const struct {
		CURLoption option;
		long value;
	} options[] = {
		{ CURLOPT_NOSIGNAL, 1 },
		/* a name that does not resolve must not stop the loop */
		{ CURLOPT_QUICK_EXIT, 1 },
		{ CURLOPT_FOLLOWLOCATION, 0 },
		{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
		{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
		{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
		{ CURLOPT_CONNECTTIMEOUT, HTTP_CONNECT_S },
		{ CURLOPT_LOW_SPEED_LIMIT, 1 },
		{ CURLOPT_LOW_SPEED_TIME, HTTP_STALL_S },
		{ CURLOPT_BUFFERSIZE, HTTP_BUFFER },
		{ CURLOPT_NOPROGRESS, 1 },
		{ CURLOPT_TCP_KEEPALIVE, 1 },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		(void)curl_easy_setopt(c->easy, options[i].option,
		    options[i].value);
	(void)curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
	if (c->sink == NULL)
		(void)curl_easy_setopt(c->easy, CURLOPT_TIMEOUT,
		    (long)HTTP_DOCUMENT_S);
}

static void
http_set_functions(struct http_call *c)
{
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
	char range[32];

	http_reply_reset(c);
	c->header_bytes = 0;
	c->curl_error[0] = '\0';
	http_set_headers(c);
	http_set_trust(c);
	(void)curl_easy_setopt(c->easy, CURLOPT_URL, url);
	if (c->form != NULL)
		(void)curl_easy_setopt(c->easy, CURLOPT_COPYPOSTFIELDS,
		    c->form);
	if (c->offset > 0) {
		(void)snprintf(range, sizeof(range), "%llu-",
		    (unsigned long long)c->offset);
		(void)curl_easy_setopt(c->easy, CURLOPT_RANGE, range);
	}
	if (curl_multi_add_handle(c->http->multi, c->easy) != CURLM_OK)
		fatalx("http: curl_multi_add_handle");
}

static void
http_copy_request(struct http_call *c, const struct http_request *r)
{
	c->accept = http_strdup(r->accept);
	c->authorization = http_strdup(r->authorization);
	c->form = http_strdup(r->form);
	c->insecure = r->insecure;
	c->ca = r->ca;
	c->ca_len = r->ca_len;
	c->body_max = r->body_max;
	c->offset = r->sink == NULL ? 0 : r->offset;
	c->sink = r->sink;
	c->sink_arg = r->sink_arg;
	c->done = r->done;
	c->arg = r->arg;
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
	why = url_parse(r->url, &c->origin);
	c->here = c->origin;
	if (why == NULL && !c->origin.tls && !c->insecure)
		why = "a plain http URL of a registry that is not insecure";
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
	http_set_limits(c);
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
	return NULL;
}

/* True if the call goes on elsewhere. */
static bool
http_redirect(struct http_call *c)
{
	char *location = NULL, *next;
	struct url to;
	const char *why;
	char text[128];

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

static void
http_call_result(struct http_call *c, CURLcode code)
{
	(void)curl_multi_remove_handle(c->http->multi, c->easy);
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE,
	    &c->reply.status);
	if (code != CURLE_OK && !c->cut)
		http_fault(c, http_fault_of(code),
		    c->curl_error[0] != '\0' ? c->curl_error
					     : curl_easy_strerror(code));
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
