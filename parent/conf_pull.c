#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "parent/conf.h"
#include "parent/conf_valid.h"

#define CONF_DAY 86400

static const struct {
	const char *name; /* as in the file */
	unsigned int min, max, initial;
} conf_pulls[CONF_NPULLS] = {
	[CONF_PULL_CONNECT] = { "timeout connect", 1, 3600, 15 },
	[CONF_PULL_TLS] = { "timeout tls", 1, 3600, 15 },
	[CONF_PULL_HEADER] = { "timeout header", 1, 3600, 60 },
	[CONF_PULL_IDLE] = { "timeout idle", 1, 3600, 60 },
	[CONF_PULL_DOCUMENT] = { "timeout document", 1, 3600, 120 },
	[CONF_PULL_PROGRESS] = { "timeout progress", 0, CONF_DAY, 300 },
	[CONF_PULL_TOTAL] = { "timeout total", 0, 30 * CONF_DAY, 0 },
	[CONF_PULL_RATE] = { "rate", 0, 1U << 30, 1024 },
};

static const char *const conf_proxies[CONF_NPROXIES] = {
	[CONF_PROXY_HTTP] = "http",
	[CONF_PROXY_HTTPS] = "https",
	[CONF_PROXY_EXCEPT] = "except",
};

void
conf_init_pull(struct conf *c)
{
	for (size_t i = 0; i < CONF_NPULLS; i++)
		c->pull[i] = conf_pulls[i].initial;
}

int
conf_set_pull(struct conf *c, const char *prefix, const char *name,
    const char *value, struct cerr *err)
{
	char full[64];
	size_t i = 0;

	(void)snprintf(full, sizeof(full), "%s%s", prefix, name);
	while (i < CONF_NPULLS && strcmp(conf_pulls[i].name, full) != 0)
		i++;
	if (i == CONF_NPULLS)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "pull has no such setting near \"%s\"", name);
	if (conf_valid_number(value, 10, conf_pulls[i].min, conf_pulls[i].max,
		&c->pull[i]) == -1)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "pull %s is not a number from %u to %u near \"%s\"", full,
		    conf_pulls[i].min, conf_pulls[i].max, value);
	return 0;
}

int
conf_set_proxy(struct conf *c, const char *name, const char *value,
    struct cerr *err)
{
	const char *wrong;
	size_t i = 0;
	char *copy;

	while (i < CONF_NPROXIES && strcmp(conf_proxies[i], name) != 0)
		i++;
	if (i == CONF_NPROXIES)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "proxy is neither http, https nor except near \"%s\"",
		    name);
	wrong = i == CONF_PROXY_EXCEPT ? conf_valid_except(value)
				       : conf_valid_proxy(value);
	if (wrong != NULL) /* its text may hold a password */
		return cerr_set(err, CERR_INVALID_ARGUMENT, "proxy %s %s", name,
		    wrong);
	copy = strdup(value);
	if (copy == NULL)
		fatal("strdup");
	free(c->proxy[i]);
	c->proxy[i] = copy;
	return 0;
}

bool
conf_has_proxy(const struct conf *c)
{
	for (size_t i = 0; i < CONF_NPROXIES; i++) {
		if (c->proxy[i] != NULL)
			return true;
	}
	return false;
}

const char *
conf_pull_name(enum conf_pull which)
{
	return conf_pulls[which].name;
}

const char *
conf_proxy_name(enum conf_proxy which)
{
	return conf_proxies[which];
}
