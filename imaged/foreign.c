#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/json.h"
#include "lib/log.h"

#include "imaged/foreign.h"
#include "imaged/url.h"

/* Whether an image's name is at or below the place that a rule is for. */
static bool
foreign_is_for(const char *rule, size_t len, const char *name)
{
	if (len == 1 && *rule == '*')
		return true;
	return strncmp(rule, name, len) == 0 &&
	       (name[len] == '/' || name[len] == '\0');
}

/* What servers or libraries might take for the directory above. */
static bool
foreign_climbs(const char *url)
{
	if (strstr(url, "/..") != NULL || strchr(url, '\\') != NULL)
		return true;
	for (; *url != '\0'; url++) {
		if (strncasecmp(url, "%2e", 3) == 0 ||
		    strncasecmp(url, "%2f", 3) == 0 ||
		    strncasecmp(url, "%5c", 3) == 0)
			return true;
	}
	return false;
}

/* Both begin with the same origin, and what follows it is the rule's. */
static bool
foreign_is_below(const char *rule, const char *url)
{
	struct url allowed, asked;
	const char *path;

	if (url_parse(rule, &allowed) != NULL ||
	    url_parse(url, &asked) != NULL ||
	    !url_same_origin(&allowed, &asked))
		return false;
	path = strchr(strstr(rule, "://") + 3, '/');
	url = strchr(strstr(url, "://") + 3, '/');
	return path != NULL && url != NULL &&
	       strncmp(path, url, strlen(path)) == 0;
}

static bool
foreign_allowed(const struct foreign_rules *f, const char *name,
    const char *url)
{
	if (strlen(url) >= FOREIGN_URL_MAX || strstr(url, "://") == NULL ||
	    foreign_climbs(url))
		return false;
	for (size_t i = 0; i < f->n; i++) {
		size_t len = strcspn(f->rules[i], "=");

		if (f->rules[i][len] == '=' &&
		    foreign_is_for(f->rules[i], len, name) &&
		    foreign_is_below(f->rules[i] + len + 1, url))
			return true;
	}
	return false;
}

static const char *
foreign_find(const struct foreign_rules *f, const char *name,
    const json_t *layer)
{
	const json_t *list = json_object_get(layer, "urls");
	json_t *url;
	size_t i;

	json_array_foreach(list, i, url) {
		if (i < FOREIGN_URLS_MAX && json_is_string(url) &&
		    foreign_allowed(f, name, json_string_value(url)))
			return json_string_value(url);
	}
	return NULL;
}

static int
foreign_choose_all(const struct foreign_rules *f, const char *name,
    const struct manifest *m, const json_t *layers,
    char *urls[MANIFEST_LAYERS_MAX], struct cerr *err)
{
	for (size_t i = 0; i < m->nlayers; i++) {
		const char *url;

		if (!m->layers[i].foreign)
			continue;
		url = foreign_find(f, name, json_array_get(layers, i));
		if (url == NULL)
			return cerr_set(err, CERR_FAILED_PRECONDITION,
			    "foreign layers (%s) are not supported, unless "
			    "criod.conf says from where",
			    m->layers[i].type);
		urls[i] = strdup(url);
		if (urls[i] == NULL)
			fatal("foreign: strdup");
	}
	return 0;
}

static bool
foreign_any(const struct manifest *m)
{
	for (size_t i = 0; i < m->nlayers; i++) {
		if (m->layers[i].foreign)
			return true;
	}
	return false;
}

void
foreign_free(char *urls[MANIFEST_LAYERS_MAX])
{
	for (size_t i = 0; i < MANIFEST_LAYERS_MAX; i++) {
		free(urls[i]);
		urls[i] = NULL;
	}
}

int
foreign_choose(const struct foreign_rules *f, const struct ref *ref,
    const struct manifest *m, const void *buf, size_t len,
    char *urls[MANIFEST_LAYERS_MAX], struct cerr *err)
{
	char name[REF_TEXT_SIZE];
	json_t *doc;
	int rc;

	foreign_free(urls);
	if (!foreign_any(m))
		return 0;
	doc = json_read_bounded("manifest", buf, len, MANIFEST_MAX, err);
	if (doc == NULL)
		return -1;
	ref_name(ref, name);
	rc = foreign_choose_all(f, name, m, json_object_get(doc, "layers"),
	    urls, err);
	if (rc == -1)
		foreign_free(urls);
	json_decref(doc);
	return rc;
}
