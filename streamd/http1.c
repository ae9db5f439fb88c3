#include <string.h>
#include <strings.h>

#include "streamd/http1.h"

static bool
http1_is_token(char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* field-vchar, space and tab; obs-text (0x80 and up) too. */
static bool
http1_is_value(char c)
{
	return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

static bool
http1_is_target(char c)
{
	return c > 0x20 && c < 0x7f && strchr("\"#<>\\^`{|}", c) == NULL;
}

/* Cuts from *s what comes before c, and c itself. */
static bool
http1_cut(struct http1_slice *s, char c, struct http1_slice *before)
{
	const char *at = s->len == 0 ? NULL : memchr(s->p, c, s->len);

	if (at == NULL)
		return false;
	before->p = s->p;
	before->len = (size_t)(at - s->p);
	s->len -= before->len + 1;
	s->p = at + 1;
	return true;
}

static bool
http1_all(struct http1_slice s, bool (*is)(char c))
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is(s.p[i]))
			return false;
	}
	return true;
}

bool
http1_slice_is(struct http1_slice s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static enum http1_result
http1_version(struct http1_slice s, int *minor)
{
	if (s.len != 8 || memcmp(s.p, "HTTP/", 5) != 0 || s.p[6] != '.' ||
	    s.p[5] < '0' || s.p[5] > '9' || s.p[7] < '0' || s.p[7] > '9')
		return HTTP1_BAD;
	if (s.p[5] != '1' || s.p[7] > '1')
		return HTTP1_VERSION;
	*minor = s.p[7] - '0';
	return HTTP1_OK;
}

static enum http1_result
http1_request_line(struct http1_slice line, struct http1_request *r)
{
	struct http1_slice target;

	if (!http1_cut(&line, ' ', &r->method) || r->method.len == 0 ||
	    !http1_all(r->method, http1_is_token))
		return HTTP1_BAD;
	if (!http1_cut(&line, ' ', &target) || target.len == 0 ||
	    target.p[0] != '/' || !http1_all(target, http1_is_target))
		return HTTP1_BAD;
	r->query = target;
	if (!http1_cut(&r->query, '?', &r->path)) {
		r->path = target;
		r->query.p += r->query.len;
		r->query.len = 0;
	}
	return http1_version(line, &r->minor);
}

static struct http1_slice
http1_trim(struct http1_slice s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static enum http1_result
http1_field_line(struct http1_slice line, struct http1_request *r)
{
	struct http1_field *f = &r->fields[r->nfields];

	if (r->nfields == HTTP1_FIELDS_MAX)
		return HTTP1_TOO_LARGE;
	if (!http1_cut(&line, ':', &f->name) || f->name.len == 0 ||
	    !http1_all(f->name, http1_is_token) ||
	    !http1_all(line, http1_is_value))
		return HTTP1_BAD;
	f->value = http1_trim(line);
	r->nfields++;
	return HTTP1_OK;
}

/* What the fields say together. */
static enum http1_result
http1_judge(const struct http1_request *r)
{
	const struct http1_slice *length;
	size_t hosts = http1_field_count(r, "host");

	if (hosts > 1 || (hosts == 0 && r->minor == 1))
		return HTTP1_BAD;
	if (http1_field_count(r, "transfer-encoding") > 0)
		return HTTP1_BODY;
	if (http1_field_count(r, "content-length") == 0)
		return HTTP1_OK;
	length = http1_field_get(r, "content-length");
	if (length == NULL || length->len == 0 || length->len > 18 ||
	    strspn(length->p, "0123456789") < length->len)
		return HTTP1_BAD;
	return http1_slice_is(*length, "0") ? HTTP1_OK : HTTP1_BODY;
}

static enum http1_result
http1_lines(struct http1_slice rest, struct http1_request *r)
{
	enum http1_result res = HTTP1_OK;
	struct http1_slice line;

	for (size_t n = 0; res == HTTP1_OK && rest.len > 0; n++) {
		if (!http1_cut(&rest, '\n', &line) || line.len == 0 ||
		    line.p[line.len - 1] != '\r')
			return HTTP1_BAD;
		line.len--;
		if (line.len == 0)
			return n > 0 && rest.len == 0 ? http1_judge(r)
						      : HTTP1_BAD;
		res = n == 0 ? http1_request_line(line, r)
			     : http1_field_line(line, r);
	}
	return res == HTTP1_OK ? HTTP1_BAD : res;
}

enum http1_result
http1_parse(const char *buf, size_t len, struct http1_request *r)
{
	const char *end = len == 0 ? NULL : memmem(buf, len, "\r\n\r\n", 4);

	memset(r, 0, sizeof(*r));
	if (end == NULL)
		return len < HTTP1_HEAD_MAX ? HTTP1_MORE : HTTP1_TOO_LARGE;
	r->len = (size_t)(end - buf) + 4;
	if (r->len > HTTP1_HEAD_MAX)
		return HTTP1_TOO_LARGE;
	return http1_lines((struct http1_slice){ buf, r->len }, r);
}

static bool
http1_named(const struct http1_field *f, const char *name)
{
	return f->name.len == strlen(name) &&
	       strncasecmp(f->name.p, name, f->name.len) == 0;
}

size_t
http1_field_count(const struct http1_request *r, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nfields; i++)
		n += http1_named(&r->fields[i], name);
	return n;
}

const struct http1_slice *
http1_field_get(const struct http1_request *r, const char *name)
{
	if (http1_field_count(r, name) != 1)
		return NULL;
	for (size_t i = 0; i < r->nfields; i++) {
		if (http1_named(&r->fields[i], name))
			return &r->fields[i].value;
	}
	return NULL;
}

bool
http1_keep_alive(const struct http1_request *r)
{
	const struct http1_slice *c = http1_field_get(r, "connection");

	if (r->minor == 0)
		return false;
	if (http1_field_count(r, "connection") == 0)
		return true;
	/* Anything but the plain word: better close. */
	return c != NULL && c->len == 10 &&
	       strncasecmp(c->p, "keep-alive", 10) == 0;
}
