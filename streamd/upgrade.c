#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "streamd/http.h"
#include "streamd/upgrade.h"

#define UPGRADE_WS_GUID	   "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define UPGRADE_WS_KEY_LEN 24 /* base64 of 16 bytes */
#define UPGRADE_SPDY_NAME  "SPDY/3.1"
#define UPGRADE_SPDY_FIELD "x-stream-protocol-version"
#define UPGRADE_WS_FIELD   "sec-websocket-protocol"
#define UPGRADE_WS_ACCEPT  32 /* base64 of 20 bytes, and a NUL */

/* The names are those of Kubernetes' clients. */
static const struct upgrade_proto upgrade_protos[] = {
	{ "v4.channel.k8s.io", UPGRADE_SPDY, false, 4, false },
	{ "v3.channel.k8s.io", UPGRADE_SPDY, false, 3, false },
	{ "v2.channel.k8s.io", UPGRADE_SPDY, false, 2, false },
	{ "channel.k8s.io", UPGRADE_SPDY, false, 1, false },
	{ "portforward.k8s.io", UPGRADE_SPDY, true, 0, false },
	{ "v5.channel.k8s.io", UPGRADE_WEBSOCKET, false, 5, false },
	{ "v4.channel.k8s.io", UPGRADE_WEBSOCKET, false, 4, false },
	{ "v4.base64.channel.k8s.io", UPGRADE_WEBSOCKET, false, 4, true },
	{ "channel.k8s.io", UPGRADE_WEBSOCKET, false, 1, false },
	{ "base64.channel.k8s.io", UPGRADE_WEBSOCKET, false, 1, true },
	{ "", UPGRADE_WEBSOCKET, false, 1, false },
	{ "SPDY/3.1+portforward.k8s.io", UPGRADE_TUNNEL, true, 0, false },
	{ "v4.channel.k8s.io", UPGRADE_WEBSOCKET, true, 4, false },
	{ "v4.base64.channel.k8s.io", UPGRADE_WEBSOCKET, true, 4, true },
	{ "", UPGRADE_WEBSOCKET, true, 4, false },
};

#define UPGRADE_NPROTOS (sizeof(upgrade_protos) / sizeof(upgrade_protos[0]))

static int
upgrade_refuse(struct http_refusal *no, int code, const char *text,
    const char *fields)
{
	no->code = code;
	no->text = text;
	no->fields = fields;
	return -1;
}

static bool
upgrade_is_named(const struct http1_field *f, const char *name)
{
	return f->name.len == strlen(name) &&
	       strncasecmp(f->name.p, name, f->name.len) == 0;
}

/* Cuts the next word of a comma-separated list from *list. */
static bool
upgrade_word(struct http1_slice *list, struct http1_slice *word)
{
	while (list->len > 0 && memchr(", \t", list->p[0], 3) != NULL) {
		list->p++;
		list->len--;
	}
	word->p = list->p;
	word->len = 0;
	while (word->len < list->len &&
	       memchr(", \t", list->p[word->len], 3) == NULL)
		word->len++;
	list->p += word->len;
	list->len -= word->len;
	return word->len > 0;
}

/* Is token among the words of all fields of that name? */
static bool
upgrade_has(const struct http1_request *r, const char *name, const char *token)
{
	struct http1_slice list, word;

	for (size_t i = 0; i < r->nfields; i++) {
		if (!upgrade_is_named(&r->fields[i], name))
			continue;
		list = r->fields[i].value;
		while (upgrade_word(&list, &word)) {
			if (word.len == strlen(token) &&
			    strncasecmp(word.p, token, word.len) == 0)
				return true;
		}
	}
	return false;
}

static const struct upgrade_proto *
upgrade_find(struct http1_slice name, bool forward, bool websocket)
{
	for (size_t i = 0; i < UPGRADE_NPROTOS; i++) {
		const struct upgrade_proto *p = &upgrade_protos[i];

		if (p->forward == forward &&
		    (p->transport != UPGRADE_SPDY) == websocket &&
		    http1_slice_is(name, p->name))
			return p;
	}
	return NULL;
}

/* The first that the client lists and criod speaks; NULL if none. */
static const struct upgrade_proto *
upgrade_select(const struct http1_request *r, const char *field, bool forward,
    bool websocket)
{
	const struct upgrade_proto *p;
	struct http1_slice list, word;

	for (size_t i = 0; i < r->nfields; i++) {
		if (!upgrade_is_named(&r->fields[i], field))
			continue;
		list = r->fields[i].value;
		while (upgrade_word(&list, &word)) {
			p = upgrade_find(word, forward, websocket);
			if (p != NULL)
				return p;
		}
	}
	return NULL;
}

static int
upgrade_spdy(const struct http1_request *r, bool forward, struct upgrade *u,
    struct http_refusal *no)
{
	if (http1_field_count(r, UPGRADE_SPDY_FIELD) == 0)
		return upgrade_refuse(no, 400,
		    "X-Stream-Protocol-Version is missing", NULL);
	u->proto = upgrade_select(r, UPGRADE_SPDY_FIELD, forward, false);
	if (u->proto == NULL)
		return upgrade_refuse(no, 403,
		    "none of these stream protocol versions is supported",
		    forward ? "X-Accepted-Stream-Protocol-Versions: "
			      "portforward.k8s.io\r\n"
			    : "X-Accepted-Stream-Protocol-Versions: "
			      "v4.channel.k8s.io, v3.channel.k8s.io, "
			      "v2.channel.k8s.io, channel.k8s.io\r\n");
	(void)snprintf(u->head, sizeof(u->head),
	    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
	    "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: %s\r\n\r\n",
	    u->proto->name);
	return 0;
}

/* RFC 6455, section 4.2.2. */
static int
upgrade_ws_accept(const struct http1_slice *key, char out[UPGRADE_WS_ACCEPT])
{
	char text[UPGRADE_WS_KEY_LEN + sizeof(UPGRADE_WS_GUID)];
	uint8_t raw[UPGRADE_WS_KEY_LEN], sum[EVP_MAX_MD_SIZE];
	unsigned int len;

	if (key == NULL || key->len != UPGRADE_WS_KEY_LEN ||
	    memcmp(key->p + UPGRADE_WS_KEY_LEN - 2, "==", 2) != 0 ||
	    EVP_DecodeBlock(raw, (const uint8_t *)key->p, (int)key->len) == -1)
		return -1;
	(void)snprintf(text, sizeof(text), "%.*s%s", (int)key->len, key->p,
	    UPGRADE_WS_GUID);
	if (EVP_Digest(text, strlen(text), sum, &len, EVP_sha1(), NULL) != 1)
		return -1;
	(void)EVP_EncodeBlock((uint8_t *)out, sum, (int)len);
	return 0;
}

static int
upgrade_websocket(const struct http1_request *r, bool forward,
    struct upgrade *u, struct http_refusal *no)
{
	bool named = http1_field_count(r, UPGRADE_WS_FIELD) > 0;
	char accept[UPGRADE_WS_ACCEPT];

	if (!http1_slice_is(r->method, "GET") ||
	    upgrade_ws_accept(http1_field_get(r, "sec-websocket-key"),
		accept) == -1)
		return upgrade_refuse(no, 400, "not a WebSocket handshake",
		    NULL);
	if (!upgrade_has(r, "sec-websocket-version", "13"))
		return upgrade_refuse(no, 426, "WebSocket version 13 only",
		    "Sec-WebSocket-Version: 13\r\n");
	u->proto =
	    named ? upgrade_select(r, UPGRADE_WS_FIELD, forward, true)
		  : upgrade_find((struct http1_slice){ "", 0 }, forward, true);
	if (u->proto == NULL)
		return upgrade_refuse(no, 403,
		    "none of these WebSocket protocols is supported", NULL);
	(void)snprintf(u->head, sizeof(u->head),
	    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
	    accept, named ? "Sec-WebSocket-Protocol: " : "", u->proto->name,
	    named ? "\r\n" : "");
	return 0;
}

int
upgrade_parse(const struct http1_request *r, bool forward, struct upgrade *u,
    struct http_refusal *no)
{
	bool known = http1_slice_is(r->method, "GET") ||
		     http1_slice_is(r->method, "POST");

	if (r->minor == 1 && known && upgrade_has(r, "connection", "upgrade")) {
		if (upgrade_has(r, "upgrade", UPGRADE_SPDY_NAME))
			return upgrade_spdy(r, forward, u, no);
		if (upgrade_has(r, "upgrade", "websocket"))
			return upgrade_websocket(r, forward, u, no);
	}
	return upgrade_refuse(no, 400,
	    "this is for streams: Upgrade to SPDY/3.1 or websocket is missing",
	    NULL);
}
