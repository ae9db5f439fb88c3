#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#include "imaged/http_call.h"
#include "imaged/proxy.h"
#include "imaged/registry.h"

#define HTTP_BUFFER (64L * 1024)

/* ---- headers ---- */

void
http_headers_free(struct http_call *c)
{
	/* libcurl's own free wipes. */
	curl_slist_free_all(c->headers);
	c->headers = NULL;
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

/* What is the registry's own, not for where it sends us. */
static void
http_set_own_headers(struct http_call *c)
{
	for (size_t i = 0; i < c->r.nheaders; i++) {
		const struct registry_header *h = &c->r.headers[i];

		if (c->authorization == NULL ||
		    strcasecmp(h->name, "Authorization") != 0)
			http_add_header(c, h->name, h->value);
	}
	if (c->authorization != NULL)
		http_add_header(c, "Authorization", c->authorization);
}

static void
http_set_headers(struct http_call *c)
{
	http_headers_free(c);
	http_add_header(c, "User-Agent", "criod/" CRIOD_VERSION);
	if (c->accept != NULL)
		http_add_header(c, "Accept", c->accept);
	if (!http_is_foreign(c))
		http_set_own_headers(c);
	(void)curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

/* ---- trust ---- */

static void
http_set_blob(struct http_call *c, CURLoption option, const void *data,
    size_t len)
{
	struct curl_blob blob = { (void *)(uintptr_t)data, len,
		CURL_BLOB_NOCOPY };

	(void)curl_easy_setopt(c->easy, option, len > 0 ? &blob : NULL);
}

/* The system's certificates and the registry's own, one text. */
static void
http_set_both_ca(struct http_call *c)
{
	struct http *h = c->http;
	struct curl_blob blob = { NULL, h->ca_len + 1 + c->r.ca_len,
		CURL_BLOB_COPY };
	uint8_t *both = malloc(blob.len);

	if (both == NULL)
		fatal("http: malloc");
	if (h->ca_len > 0)
		memcpy(both, h->ca, h->ca_len);
	both[h->ca_len] = '\n';
	memcpy(both + h->ca_len + 1, c->r.ca, c->r.ca_len);
	blob.data = both;
	(void)curl_easy_setopt(c->easy, CURLOPT_CAINFO_BLOB, &blob);
	free(both);
}

/* An empty key phrase: none is asked for. */
static void
http_set_client(struct http_call *c, const struct registry_client *client)
{
	static const struct registry_client none;

	if (client == NULL)
		client = &none;
	http_set_blob(c, CURLOPT_SSLCERT_BLOB, client->cert, client->cert_len);
	http_set_blob(c, CURLOPT_SSLKEY_BLOB, client->key, client->key_len);
	(void)curl_easy_setopt(c->easy, CURLOPT_KEYPASSWD, "");
}

/* Trust: the system's certificates, and the registry's own at its host. */
static void
http_set_trust(struct http_call *c)
{
	struct http *h = c->http;
	bool own = strcmp(c->origin.host, c->here.host) == 0;
	bool verify = !(c->r.unverified && own);

	(void)curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER,
	    verify ? 1L : 0L);
	(void)curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST,
	    verify ? 2L : 0L);
	/* An empty one makes every verification fail, as it should. */
	(void)curl_easy_setopt(c->easy, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(c->easy, CURLOPT_CAINFO, NULL);
	if (own && c->r.ca_len > 0)
		http_set_both_ca(c);
	else
		http_set_blob(c, CURLOPT_CAINFO_BLOB, h->ca, h->ca_len);
	http_set_client(c, http_is_foreign(c) ? NULL : c->r.client);
}

/* ---- proxies, HTTP/2, limits ---- */

static void
http_set_proxy(struct http_call *c)
{
	struct http *h = c->http;

	c->proxy = proxy_for(h->proxy, &c->here);
	(void)curl_easy_setopt(c->easy, CURLOPT_PROXY,
	    c->proxy != NULL ? c->proxy : "");
	(void)curl_easy_setopt(c->easy, CURLOPT_NOPROXY, "");
	(void)curl_easy_setopt(c->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	(void)curl_easy_setopt(c->easy, CURLOPT_HEADEROPT,
	    (long)CURLHEADER_SEPARATE);
	(void)curl_easy_setopt(c->easy, CURLOPT_PROXY_CAPATH, NULL);
	(void)curl_easy_setopt(c->easy, CURLOPT_PROXY_CAINFO, NULL);
	http_set_blob(c, CURLOPT_PROXY_CAINFO_BLOB, h->ca, h->ca_len);
}

/*
 * Where TLS says that HTTP/2 is spoken, one connection serves all.  One that
 * may turn out to be plain is not waited for: libcurl would take such a one,
 * until it answers, for what may yet be shared.
 */
static void
http_set_version(struct http_call *c)
{
	bool tls = c->here.tls, wait = tls && !c->r.unverified;

	(void)curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION,
	    (long)(tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
	(void)curl_easy_setopt(c->easy, CURLOPT_PIPEWAIT, wait ? 1L : 0L);
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
		{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
		{ CURLOPT_BUFFERSIZE, HTTP_BUFFER },
		{ CURLOPT_NOPROGRESS, 1 },
		{ CURLOPT_TCP_KEEPALIVE, 1 },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		(void)curl_easy_setopt(c->easy, options[i].option,
		    options[i].value);
	(void)curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	/* http_time.c is stricter. */
	(void)curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT, 86400L);
}

void
http_set_options(struct http_call *c, const char *url)
{
	char range[32];

	http_set_limits(c);
	http_set_headers(c);
	http_set_trust(c);
	http_set_proxy(c);
	http_set_version(c);
	(void)curl_easy_setopt(c->easy, CURLOPT_URL, url);
	if (c->form != NULL)
		(void)curl_easy_setopt(c->easy, CURLOPT_COPYPOSTFIELDS,
		    c->form);
	if (c->offset > 0) {
		(void)snprintf(range, sizeof(range), "%llu-",
		    (unsigned long long)c->offset);
		(void)curl_easy_setopt(c->easy, CURLOPT_RANGE, range);
	}
}
