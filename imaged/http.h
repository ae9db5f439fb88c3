#ifndef CRIOD_IMAGED_HTTP_H
#define CRIOD_IMAGED_HTTP_H

/*
 * HTTP requests on libcurl and libevent, with everything that comes back
 * bounded, in size and in time.  Redirects are followed here, not by libcurl:
 * at most HTTP_REDIRECTS_MAX, http and https only, never from https to http,
 * to another origin without what is the registry's own (Authorization, its
 * headers, the client's certificate), and to no address that only this machine
 * reaches unless the registry is there.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct http;
struct http_call;
struct proxy_conf;
struct registry_client;
struct registry_header;

#define HTTP_REDIRECTS_MAX 5
#define HTTP_HEADERS_MAX   (64U * 1024) /* bytes, of one reply */
#define HTTP_ERROR_MAX	   (64U * 1024) /* bytes of an error's body */

/* Seconds. */
struct http_limits {
	unsigned int connect;  /* names, TCP, a proxy's tunnel */
	unsigned int tls;      /* the handshake */
	unsigned int header;   /* from the request to the end of its headers */
	unsigned int idle;     /* during which rate is measured */
	unsigned int rate;     /* bytes a second */
	unsigned int document; /* for all of a reply that is kept here */
};

/* Makes nothing of libcurl's yet; never NULL (fatal).  Borrows both. */
struct http *http_new(struct event_base *base, const struct http_limits *limits,
    const struct proxy_conf *proxy);

/* The system's certificates, PEM; takes fd.  Read when first needed. */
void http_set_ca(struct http *h, int fd);

/* Where the body of a 200 or 206 goes as it comes. */
struct http_sink {
	/* length is -1 if not said.  -1 ends the request. */
	int (*begin)(void *arg, long status, int64_t length);
	int (*data)(void *arg, const void *buf, size_t len);
};

enum http_fault {
	HTTP_FINE = 0,
	HTTP_FAULT_NET,	   /* no or half a reply; trying again may help */
	HTTP_FAULT_TLS,	   /* no trust, or no TLS there */
	HTTP_FAULT_PROXY,  /* the proxy refused */
	HTTP_FAULT_POLICY, /* a limit or rule was broken: do not try again */
	HTTP_FAULT_SINK,   /* the sink ended it */
};

struct http_reply {
	enum http_fault fault;
	bool answered;	     /* a status line came */
	long status;	     /* if HTTP_FINE */
	bool foreign;	     /* by another origin than the URL's, redirected */
	char host[272];	     /* that answered, or was to */
	char error[256];     /* the fault, printable */
	char type[128];	     /* Content-Type; "" if absent or too long */
	char digest[144];    /* Docker-Content-Digest, likewise */
	bool signatures;     /* it keeps signatures of simple signing itself */
	int64_t retry_after; /* seconds; -1 if absent or not understood */
	unsigned int near;   /* enum address_near, of who was asked first */
	const char *challenges; /* WWW-Authenticate values, one a line */
	size_t nchallenges;	/* bytes */
	const char *body;	/* unless it went to the sink; NUL behind it */
	size_t len;
};

/* The reply is borrowed. */
typedef void (*http_done_fn)(void *arg, const struct http_reply *reply);

struct http_request {
	const char *url;
	const char *accept;	   /* NULL: any */
	const char *authorization; /* field value; NULL: none */
	const char *form;	   /* posted; NULL: GET */
	bool plain;		   /* http is fine at this host */
	bool unverified; /* so is a certificate that is not verified */
	const void *ca;	 /* PEM beside the system's, for this host; NULL */
	size_t ca_len;
	const struct registry_client *client;  /* to be shown here; NULL */
	const struct registry_header *headers; /* to be sent here */
	size_t nheaders;
	bool told;	   /* the URL is a registry's words, at near: */
	unsigned int near; /* enum address_near */
	size_t body_max;   /* bytes kept of a good reply without a sink */
	uint64_t offset;   /* ask for what follows; with a sink */
	const struct http_sink *sink; /* NULL: keep the body */
	void *sink_arg;
	http_done_fn done;
	void *arg;
};

/*
 * Starts a request; copies what it needs of r, but ca, client and headers must
 * live until the end.  done is called once, from the loop, unless http_cancel
 * comes before.
 */
struct http_call *http_start(struct http *h, const struct http_request *r);
void http_cancel(struct http_call *c); /* NULL is fine */

#endif
