#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/pod_file.h"
#include "lib/log.h"

static void
pod_file_append(char **text, const char *word, const char *list)
{
	char *more;

	if (asprintf(&more, "%s%s%s", *text, word, list) == -1)
		fatal("asprintf");
	free(*text);
	*text = more;
}

char *
pod_file_resolv_conf(const Runtime__V1__DNSConfig *d)
{
	char *text = strdup("");

	if (text == NULL)
		fatal("strdup");
	if (d == NULL)
		return text;
	for (size_t i = 0; i < d->n_searches; i++)
		pod_file_append(&text, i == 0 ? "search " : " ",
		    d->searches[i]);
	if (d->n_searches > 0)
		pod_file_append(&text, "\n", "");
	for (size_t i = 0; i < d->n_servers; i++) {
		pod_file_append(&text, "nameserver ", d->servers[i]);
		pod_file_append(&text, "\n", "");
	}
	for (size_t i = 0; i < d->n_options; i++)
		pod_file_append(&text, i == 0 ? "options " : " ",
		    d->options[i]);
	if (d->n_options > 0)
		pod_file_append(&text, "\n", "");
	return text;
}
