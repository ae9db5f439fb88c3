#ifndef CRIOD_STREAMD_HTTP1_H
#define CRIOD_STREAMD_HTTP1_H

/*
 * Heads of HTTP/1 requests (RFC 9112), read strictly: lines end in CRLF, no
 * folding, no space before a colon, no control bytes, origin-form targets
 * only.  What could be read in two ways is refused.  Pure: buffer in, slices
 * of it out.
 */

#include <stdbool.h>
#include <stddef.h>

#define HTTP1_HEAD_MAX	 8192 /* bytes, the final empty line included */
#define HTTP1_FIELDS_MAX 64

enum http1_result {
	HTTP1_OK,
	HTTP1_MORE,	 /* the head does not end in buf yet */
	HTTP1_BAD,	 /* 400 */
	HTTP1_TOO_LARGE, /* 431 */
	HTTP1_VERSION,	 /* 505 */
	HTTP1_BODY,	 /* 413: a body, which nothing here takes */
};

struct http1_slice {
	const char *p;
	size_t len;
};

struct http1_field {
	struct http1_slice name;
	struct http1_slice value; /* without space around it */
};

struct http1_request {
	struct http1_slice method;
	struct http1_slice path;  /* the target up to '?' */
	struct http1_slice query; /* behind it; may be empty */
	int minor;		  /* HTTP/1.minor, 0 or 1 */
	size_t len;		  /* of the whole head */
	size_t nfields;
	struct http1_field fields[HTTP1_FIELDS_MAX];
};

/* r points into buf. */
enum http1_result http1_parse(const char *buf, size_t len,
    struct http1_request *r);

bool http1_slice_is(struct http1_slice s, const char *text);
/* The field's value, by name in lower case; NULL if absent or repeated. */
const struct http1_slice *http1_field_get(const struct http1_request *r,
    const char *name);
size_t http1_field_count(const struct http1_request *r, const char *name);
/* True if the connection may serve another request after this one. */
bool http1_keep_alive(const struct http1_request *r);

#endif
