#ifndef CRIOD_IMAGED_HTTP_CALL_H
#define CRIOD_IMAGED_HTTP_CALL_H

/* What the parts of http.h share: http.c, http_head.c, http_opt.c,
 * http_time.c. */

#include <sys/queue.h>

#include <curl/curl.h>

#include "lib/mono.h"

#include "imaged/auth.h"
#include "imaged/http.h"
#include "imaged/url.h"

struct event;

struct http {
	struct event_base *base;
	const struct http_limits *limits;
	const struct proxy_conf *proxy;
	CURLM *multi; /* NULL while nothing was asked for a while */
	struct event *timer, *idle, *tick;
	struct mono ticked;
	LIST_HEAD(http_calls, http_call) calls;
	int ca_fd;
	uint8_t *ca; /* its contents, while multi is there */
	size_t ca_len;
};

enum http_phase {
	HTTP_CONNECTING = 0,
	HTTP_ASKING, /* the request is on its way, no headers yet */
	HTTP_READING,
	HTTP_OVER,
};

struct http_call {
	LIST_ENTRY(http_call) entry;
	struct http *http;
	CURL *easy;
	struct curl_slist *headers;
	char curl_error[CURL_ERROR_SIZE];
	/* of the request */
	struct http_request r; /* its strings are not used, but these: */
	char *accept, *authorization, *form;
	uint64_t offset;
	/* where it is */
	struct url origin, here;
	unsigned int redirects;
	const char *proxy; /* URL of who is between; NULL */
	enum http_phase phase;
	struct mono since; /* when the phase began, or a span of reading */
	struct mono end;   /* of a document */
	uint64_t span;	   /* bytes since then */
	bool opened;	   /* a connection of its own */
	bool secured;	   /* TCP is there, TLS is being made */
	/* the reply */
	struct http_reply reply;
	size_t header_bytes;
	char challenges[AUTH_CHALLENGE_MAX];
	int64_t range_start;	  /* Content-Range; -1 */
	int64_t date, retry_date; /* of the server; -1 */
	char *body;
	size_t body_size;
	bool begun, cut;      /* cut: an error's body was too long to read on */
	struct event *failed; /* could not even start: told from the loop */
};

/* The first fault is the cause: later ones are not kept. */
void http_fault(struct http_call *c, enum http_fault fault, const char *text);
/* Ends it and calls done. */
void http_call_end(struct http_call *c);
/* Whether it is at another host or port than the registry's. */
bool http_is_foreign(const struct http_call *c);

void http_reply_reset(struct http_call *c);
/* One line of headers.  False if it may not go on. */
bool http_take_line(struct http_call *c, const char *line, size_t len);

/* Everything libcurl is to be told before a request to url. */
void http_set_options(struct http_call *c, const char *url);
void http_headers_free(struct http_call *c);

void http_set_phase(struct http_call *c, enum http_phase phase);
void http_time_start(struct http *h); /* while there are calls */
void http_time_tick(struct http *h);

#endif
