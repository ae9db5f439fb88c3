#ifndef CRIOD_IMAGED_URL_H
#define CRIOD_IMAGED_URL_H

/* What a request's URL must be, and which redirects are followed. */

#include <stdbool.h>

#define URL_MAX 8192

struct url {
	bool tls;
	char host[256]; /* lower case, no port; IPv6 in [] */
	unsigned int port;
};

/*
 * Takes an absolute http or https URL without user information.  Returns
 * what is wrong with it (a constant string), or NULL.
 */
const char *url_parse(const char *text, struct url *url);

bool url_same_origin(const struct url *a, const struct url *b);

#endif
