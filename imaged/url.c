#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "imaged/url.h"

/* Copies one part, wiped from curl's memory; false if absent or too long. */
static bool
url_part(CURLU *u, CURLUPart part, unsigned int flags, char *out, size_t size)
{
	char *text = NULL;
	bool ok;

	if (curl_url_get(u, part, &text, flags) != CURLUE_OK || text == NULL)
		return false;
	ok = strlen(text) < size;
	if (ok)
		(void)snprintf(out, size, "%s", text);
	curl_free(text);
	return ok;
}

static bool
url_has(CURLU *u, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return has;
}

static const char *
url_take(CURLU *u, const char *text, struct url *url)
{
	char scheme[16], port[8];

	if (curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) !=
	    CURLUE_OK)
		return "not a valid URL";
	if (url_has(u, CURLUPART_USER) || url_has(u, CURLUPART_PASSWORD))
		return "a URL with user information";
	if (!url_part(u, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)))
		return "a URL without a scheme";
	url->tls = strcmp(scheme, "https") == 0;
	if (!url->tls && strcmp(scheme, "http") != 0)
		return "a URL that is neither http nor https";
	if (!url_part(u, CURLUPART_HOST, 0, url->host, sizeof(url->host)) ||
	    url->host[0] == '\0')
		return "a URL without a valid host";
	if (!url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, port,
		sizeof(port)))
		return "a URL without a valid port";
	url->port = (unsigned int)strtoul(port, NULL, 10);
	for (char *p = url->host; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return NULL;
}

const char *
url_parse(const char *text, struct url *url)
{
	const char *why;
	CURLU *u;

	memset(url, 0, sizeof(*url));
	if (strlen(text) > URL_MAX)
		return "a URL over 8 KiB";
	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f)
			return "a URL with other than printable ASCII";
	}
	u = curl_url();
	if (u == NULL)
		return "no memory for a URL";
	why = url_take(u, text, url);
	curl_url_cleanup(u);
	return why;
}

bool
url_same_origin(const struct url *a, const struct url *b)
{
	return a->tls == b->tls && a->port == b->port &&
	       strcmp(a->host, b->host) == 0;
}
