#ifndef CRIOD_IMAGED_PROXY_H
#define CRIOD_IMAGED_PROXY_H

/* Which proxy a request goes by. */

#include <stddef.h>

struct url;

/* URLs of proxies, with a scheme; NULL or "": none. */
struct proxy_conf {
	const char *http, *https; /* for URLs of these schemes */
	/*
	 * Hosts that are asked without one, separated by commas or blanks:
	 * addresses, networks in CIDR form, names (with all below them),
	 * names with a leading dot (those below alone), each with an optional
	 * port; or "*".  This machine itself is always asked without one.
	 */
	const char *except;
};

/* Its URL, which may hold a password; NULL if there is none for u. */
const char *proxy_for(const struct proxy_conf *conf, const struct url *u);
/* HOST[:PORT] of a proxy's URL, for people. */
void proxy_name(const char *proxy, char *out, size_t size);

#endif
