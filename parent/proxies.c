#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "proto/msg.pb-c.h"
#include "parent/conf.h"
#include "parent/conf_valid.h"
#include "parent/proxies.h"

/* The first that is there and not empty counts, as in other programs. */
static const char *const proxies_names[CONF_NPROXIES][5] = {
	[CONF_PROXY_HTTP] = { "HTTP_PROXY", "http_proxy", "ALL_PROXY",
	    "all_proxy", NULL },
	[CONF_PROXY_HTTPS] = { "HTTPS_PROXY", "https_proxy", "ALL_PROXY",
	    "all_proxy", NULL },
	[CONF_PROXY_EXCEPT] = { "NO_PROXY", "no_proxy", NULL },
};

static struct {
	const char *name; /* NULL: not there */
	char *value;
} proxies_env[CONF_NPROXIES];

static char *
proxies_copy(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		fatal("strdup");
	return p;
}

static void
proxies_find(enum conf_proxy which)
{
	for (size_t i = 0; proxies_names[which][i] != NULL; i++) {
		const char *name = proxies_names[which][i];
		const char *value = getenv(name);

		if (value == NULL || value[0] == '\0')
			continue;
		proxies_env[which].name = name;
		proxies_env[which].value = proxies_copy(value);
		return;
	}
}

void
proxies_init(void)
{
	for (enum conf_proxy i = 0; i < CONF_NPROXIES; i++)
		proxies_find(i);
}

static const char *
proxies_of_environment(enum conf_proxy which)
{
	const char *value = proxies_env[which].value, *wrong;

	if (value == NULL)
		return "";
	wrong = which == CONF_PROXY_EXCEPT ? conf_valid_except(value)
					   : conf_valid_proxy(value);
	if (wrong == NULL)
		return value;
	/* Not the value: it may hold a password. */
	log_warn("%s of the environment %s: it is not used",
	    proxies_env[which].name, wrong);
	return "";
}

static char *
proxies_get(const struct conf *c, enum conf_proxy which)
{
	const char *value = c->proxy[which];

	if (value == NULL)
		value = conf_has_proxy(c) ? "" : proxies_of_environment(which);
	return proxies_copy(value);
}

void
proxies_boot(Criod__BootImaged *boot, const struct conf *c)
{
	boot->proxy_http = proxies_get(c, CONF_PROXY_HTTP);
	boot->proxy_https = proxies_get(c, CONF_PROXY_HTTPS);
	boot->proxy_except = proxies_get(c, CONF_PROXY_EXCEPT);
}
