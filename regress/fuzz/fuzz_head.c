#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/http_call.h"
#include "imaged/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Of http.c and http_time.c. */
void
http_fault(struct http_call *c, enum http_fault fault, const char *text)
{
	(void)text;
	c->reply.fault = fault;
}

void
http_set_phase(struct http_call *c, enum http_phase phase)
{
	c->phase = phase;
}

/* Lines as libcurl hands them out, with whatever ends them. */
static void
head(const char *p, size_t len)
{
	struct http_call *c = calloc(1, sizeof(*c));
	bool good = true;

	if (c == NULL)
		abort();
	http_reply_reset(c);
	while (len > 0 && good) {
		const char *nl = memchr(p, '\n', len);
		size_t n = nl == NULL ? len : (size_t)(nl - p) + 1;
		char *line = malloc(n); /* not a byte more may be read */

		if (line == NULL)
			abort();
		memcpy(line, p, n);
		good = http_take_line(c, line, n);
		free(line);
		p += n;
		len -= n;
	}
	if (c->reply.retry_after < -1 || c->range_start < -1 ||
	    c->reply.nchallenges > sizeof(c->challenges))
		abort();
	free(c);
}

/* The list of exceptions, then a URL. */
static void
proxy(const char *p, size_t len)
{
	char *text = strndup(p, len), *url, name[64];
	struct proxy_conf conf = { .http = "http://p", .https = "http://p" };
	struct url u;

	if (text == NULL)
		abort();
	url = strchr(text, '\n');
	if (url != NULL)
		*url++ = '\0';
	conf.except = text;
	if (url != NULL && url_parse(url, &u) == NULL)
		(void)proxy_for(&conf, &u);
	proxy_name(text, name, sizeof(name));
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	head((const char *)data, len);
	proxy((const char *)data, len);
	return 0;
}
