#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "imaged/http_call.h"

void
http_reply_reset(struct http_call *c)
{
	struct http_reply *r = &c->reply;

	r->answered = false;
	r->type[0] = r->digest[0] = '\0';
	r->retry_after = -1;
	r->signatures = false;
	r->challenges = c->challenges;
	r->nchallenges = 0;
	c->range_start = c->date = c->retry_date = -1;
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

/* Decimal digits up to n bytes; -1 if there are none.  Huge ones are capped. */
static int64_t
http_number(const char *p, size_t n)
{
	int64_t v = 0;
	size_t i = 0;

	for (; i < n && isdigit((unsigned char)p[i]); i++) {
		if (v < INT64_MAX / 10 - 1)
			v = v * 10 + (p[i] - '0');
	}
	return i > 0 ? v : -1;
}

/* -1 if it is none. */
static int64_t
http_date(const char *p, size_t n)
{
	char text[64];

	http_field_copy(text, sizeof(text), p, n);
	return isalpha((unsigned char)text[0])
		   ? (int64_t)curl_getdate(text, NULL)
		   : -1;
}

/*
 * A date is meant by the server's clock, which is in the reply, too, before or
 * after: ours may be far from it.
 */
static void
http_set_retry(struct http_call *c)
{
	int64_t now = c->date != -1 ? c->date : (int64_t)time(NULL);

	if (c->retry_date != -1)
		c->reply.retry_after =
		    c->retry_date > now ? c->retry_date - now : 0;
}

/* Seconds, or a date. */
static void
http_take_retry(struct http_call *c, const char *p, size_t n)
{
	char text[64];

	http_field_copy(text, sizeof(text), p, n);
	c->reply.retry_after = c->retry_date = -1;
	if (text[0] != '\0' && text[strspn(text, "0123456789")] == '\0')
		c->reply.retry_after = http_number(text, n);
	else
		c->retry_date = http_date(p, n);
	http_set_retry(c);
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
	} else if ((v = http_field(line, len, "x-registry-supports-signatures",
			&n)) != NULL) {
		r->signatures = n == 1 && *v == '1';
	} else if ((v = http_field(line, len, "retry-after", &n)) != NULL) {
		http_take_retry(c, v, n);
	} else if ((v = http_field(line, len, "date", &n)) != NULL) {
		c->date = http_date(v, n);
		http_set_retry(c);
	} else if ((v = http_field(line, len, "content-range", &n)) != NULL &&
		   n > 6 && strncasecmp(v, "bytes ", 6) == 0) {
		c->range_start = http_number(v + 6, n - 6);
	}
}

bool
http_take_line(struct http_call *c, const char *line, size_t len)
{
	c->header_bytes += len;
	if (c->header_bytes > HTTP_HEADERS_MAX)
		http_fault(c, HTTP_FAULT_POLICY,
		    "headers over 64 KiB in the reply");
	else if (len <= 2)
		http_set_phase(c, HTTP_READING); /* the line that ends them */
	else
		http_take_field(c, line, len);
	return c->reply.fault == HTTP_FINE;
}
