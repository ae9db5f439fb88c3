#include <arpa/inet.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/address.h"
#include "imaged/proxy.h"
#include "imaged/url.h"

#define PROXY_BLANKS ", \t"
#define PROXY_WORD   256

/* An address, or a name if len is 0. */
struct proxy_host {
	char text[PROXY_WORD]; /* no [] */
	uint8_t address[16];
	size_t len;
};

static void
proxy_host_set(struct proxy_host *h, const char *text, size_t len)
{
	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(h->text))
		len = 0;
	memcpy(h->text, text, len);
	h->text[len] = '\0';
	h->len = 0;
	if (inet_pton(AF_INET, h->text, h->address) == 1)
		h->len = 4;
	else if (inet_pton(AF_INET6, h->text, h->address) == 1)
		h->len = 16;
}

static bool
proxy_in_network(const struct proxy_host *net, unsigned long bits,
    const struct proxy_host *host)
{
	if (net->len == 0 || net->len != host->len || bits > net->len * 8)
		return false;
	for (size_t i = 0; i < bits; i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		if ((net->address[i / 8] & bit) != (host->address[i / 8] & bit))
			return false;
	}
	return true;
}

/* "example.com" is itself and all below it; ".example.com" only those. */
static bool
proxy_in_domain(const char *domain, const char *host)
{
	size_t n = strlen(domain), k = strlen(host);

	if (domain[0] == '.')
		return k > n && strcasecmp(host + k - n, domain) == 0;
	if (k <= n)
		return k == n && strcasecmp(host, domain) == 0;
	return host[k - n - 1] == '.' && strcasecmp(host + k - n, domain) == 0;
}

/* Cuts ":PORT" off the end of word; 0 if there is none. */
static unsigned int
proxy_cut_port(const char *word, size_t *len)
{
	const char *colon = memrchr(word, ':', *len);
	size_t digits;

	if (colon == NULL || colon == word ||
	    (colon[-1] != ']' &&
		memchr(word, ':', (size_t)(colon - word)) != NULL))
		return 0; /* none, or an IPv6 address */
	digits = strspn(colon + 1, "0123456789");
	if (digits == 0 || colon + 1 + digits != word + *len)
		return 0;
	*len = (size_t)(colon - word);
	return (unsigned int)strtoul(colon + 1, NULL, 10);
}

static bool
proxy_word_fits(const char *word, size_t len, const struct proxy_host *host,
    unsigned int port)
{
	const char *slash = memchr(word, '/', len);
	struct proxy_host h;
	unsigned int only;

	if (len == 1 && word[0] == '*')
		return true;
	if (slash != NULL) {
		proxy_host_set(&h, word, (size_t)(slash - word));
		return proxy_in_network(&h, strtoul(slash + 1, NULL, 10), host);
	}
	only = proxy_cut_port(word, &len);
	if (only != 0 && only != port)
		return false;
	if (len > 2 && word[0] == '*' && word[1] == '.') {
		word++;
		len--;
	}
	proxy_host_set(&h, word, len);
	if (h.len != 0)
		return proxy_in_network(&h, h.len * 8, host);
	return h.text[0] != '\0' && host->len == 0 &&
	       proxy_in_domain(h.text, host->text);
}

static bool
proxy_excepted(const char *except, const struct url *u)
{
	struct proxy_host host;

	if (strcmp(u->host, "localhost") == 0 ||
	    address_of_host(u->host) == ADDRESS_SELF)
		return true;
	proxy_host_set(&host, u->host, strlen(u->host));
	for (const char *p = except; p != NULL && *p != '\0';) {
		size_t len = strcspn(p, PROXY_BLANKS);

		if (len > 0 && proxy_word_fits(p, len, &host, u->port))
			return true;
		p += len;
		p += strspn(p, PROXY_BLANKS);
	}
	return false;
}

const char *
proxy_for(const struct proxy_conf *conf, const struct url *u)
{
	const char *proxy = u->tls ? conf->https : conf->http;

	if (proxy == NULL || proxy[0] == '\0' ||
	    proxy_excepted(conf->except, u))
		return NULL;
	return proxy;
}

void
proxy_name(const char *proxy, char *out, size_t size)
{
	const char *host = strstr(proxy, "://"), *end, *at;

	host = host == NULL ? proxy : host + 3;
	end = host + strcspn(host, "/?#");
	at = memrchr(host, '@', (size_t)(end - host));
	if (at != NULL)
		host = at + 1;
	(void)snprintf(out, size, "%.*s", (int)(end - host), host);
}
