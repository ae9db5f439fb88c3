#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#include "imaged/regconf.h"
#include "imaged/toml.h"

/* containers-registries.conf(5), version 2. */

struct regconf_reader {
	struct regconf *rc;
	const char *name;
	struct cerr *err;
};

/* An error of the values, said of the line they stand at. */
static int
regconf_at(struct regconf_reader *r, const struct toml *t,
    const struct cerr *why)
{
	return toml_wrong(r->name, t, r->err, "%s", why->text);
}

static void
regconf_unknown(struct regconf_reader *r, const struct toml *table,
    const char *const *known)
{
	for (const struct toml *m = table->first; m != NULL; m = m->next) {
		const char *const *k = known;

		while (*k != NULL && strcmp(*k, m->key) != 0)
			k++;
		if (*k == NULL)
			log_warn("%s:%u: %s is not known, and ignored", r->name,
			    m->line, m->key);
	}
}

/* Owned and without slashes at its end; NULL if there is none. */
static int
regconf_read_location(struct regconf_reader *r, const struct toml *table,
    const char *key, char **out)
{
	const char *text;
	size_t n;

	*out = NULL;
	if (toml_want_text(r->name, table, key, &text, r->err) == -1)
		return -1;
	if (text == NULL || *text == '\0')
		return 0;
	if (strstr(text, "://") != NULL)
		return toml_wrong(r->name, table, r->err,
		    "%s \"%s\" must not have a scheme", key, text);
	for (n = strlen(text); n > 0 && text[n - 1] == '/';)
		n--;
	*out = strndup(text, n);
	if (*out == NULL)
		fatal("strndup");
	return 0;
}

/* ---- mirrors ---- */

static int
regconf_read_when(struct regconf_reader *r, const struct toml *table,
    bool by_digest, enum regconf_when *when)
{
	static const char *const names[] = {
		[REGCONF_ALL] = "all",
		[REGCONF_DIGEST] = "digest-only",
		[REGCONF_TAG] = "tag-only",
	};
	const char *text;

	*when = by_digest ? REGCONF_DIGEST : REGCONF_ALL;
	if (toml_want_text(r->name, table, "pull-from-mirror", &text, r->err) ==
	    -1)
		return -1;
	if (text == NULL || *text == '\0')
		return 0;
	if (by_digest)
		return toml_wrong(r->name, table, r->err,
		    "pull-from-mirror cannot be where mirror-by-digest-only "
		    "is");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], text) == 0) {
			*when = (enum regconf_when)i;
			return 0;
		}
	}
	return toml_wrong(r->name, table, r->err,
	    "pull-from-mirror must be all, digest-only or tag-only");
}

static int
regconf_read_mirror(struct regconf_reader *r, const struct toml *t,
    struct regconf_registry *reg, bool by_digest)
{
	static const char *const known[] = { "location", "insecure",
		"pull-from-mirror", NULL };
	enum regconf_when when;
	struct cerr why;
	char *location;
	bool insecure;
	int rc = -1;

	if (t->type != TOML_TABLE)
		return toml_wrong(r->name, t, r->err, "mirror must be tables");
	regconf_unknown(r, t, known);
	if (toml_want_flag(r->name, t, "insecure", &insecure, r->err) == -1 ||
	    regconf_read_when(r, t, by_digest, &when) == -1 ||
	    regconf_read_location(r, t, "location", &location) == -1)
		return -1;
	if (location == NULL)
		(void)toml_wrong(r->name, t, r->err,
		    "a mirror needs a location");
	else if (regconf_mirror(reg, location, insecure, when, &why) == -1)
		(void)regconf_at(r, t, &why);
	else
		rc = 0;
	free(location);
	return rc;
}

static int
regconf_read_mirrors(struct regconf_reader *r, const struct toml *t,
    struct regconf_registry *reg)
{
	const struct toml *list;
	bool by_digest;

	if (toml_want_flag(r->name, t, "mirror-by-digest-only", &by_digest,
		r->err) == -1 ||
	    toml_want(r->name, t, "mirror", TOML_ARRAY, &list, r->err) == -1)
		return -1;
	for (const struct toml *m = list == NULL ? NULL : list->first;
	     m != NULL; m = m->next) {
		if (regconf_read_mirror(r, m, reg, by_digest) == -1)
			return -1;
	}
	return 0;
}

/* ---- registries ---- */

static int
regconf_read_settings(struct regconf_reader *r, const struct toml *t,
    const char *prefix, const char *location)
{
	struct regconf_registry *reg;
	struct cerr why;

	reg = regconf_registry(r->rc, prefix, r->name, &why);
	if (reg == NULL || regconf_location(reg, location, &why) == -1)
		return regconf_at(r, t, &why);
	if (toml_want_flag(r->name, t, "insecure", &reg->insecure, r->err) ==
		-1 ||
	    toml_want_flag(r->name, t, "blocked", &reg->blocked, r->err) == -1)
		return -1;
	return regconf_read_mirrors(r, t, reg);
}

static int
regconf_read_registry(struct regconf_reader *r, const struct toml *t)
{
	static const char *const known[] = { "prefix", "location", "insecure",
		"blocked", "mirror", "mirror-by-digest-only", NULL };
	char *prefix, *location;
	int rc;

	if (t->type != TOML_TABLE)
		return toml_wrong(r->name, t, r->err,
		    "registry must be tables, [[registry]]");
	regconf_unknown(r, t, known);
	if (toml_get(t, "pull-from-mirror") != NULL)
		return toml_wrong(r->name, t, r->err,
		    "pull-from-mirror is for mirrors only");
	if (regconf_read_location(r, t, "prefix", &prefix) == -1)
		return -1;
	if (regconf_read_location(r, t, "location", &location) == -1) {
		free(prefix);
		return -1;
	}
	if (location == NULL && (prefix == NULL || *prefix != '*'))
		rc = toml_wrong(r->name, t, r->err,
		    "a registry needs a location, or a prefix *.DOMAIN");
	else
		rc = regconf_read_settings(r, t,
		    prefix == NULL ? location : prefix, location);
	free(prefix);
	free(location);
	return rc;
}

/* A prefix may be given once in a file. */
static int
regconf_read_registries(struct regconf_reader *r, const struct toml *doc)
{
	const struct toml *list;

	if (toml_want(r->name, doc, "registry", TOML_ARRAY, &list, r->err) ==
	    -1)
		return -1;
	for (const struct toml *m = list == NULL ? NULL : list->first;
	     m != NULL; m = m->next) {
		if (regconf_read_registry(r, m) == -1)
			return -1;
	}
	return 0;
}

/* ---- short names ---- */

static int
regconf_read_search(struct regconf_reader *r, const struct toml *doc)
{
	const struct toml *list;
	struct cerr why;

	if (toml_want(r->name, doc, "unqualified-search-registries", TOML_ARRAY,
		&list, r->err) == -1)
		return -1;
	if (list == NULL)
		return 0;
	regconf_search_clear(r->rc, r->name);
	for (const struct toml *m = list->first; m != NULL; m = m->next) {
		if (m->type != TOML_STRING)
			return toml_wrong(r->name, m, r->err,
			    "unqualified-search-registries must be strings");
		if (regconf_search(r->rc, m->text, &why) == -1)
			return regconf_at(r, m, &why);
	}
	return 0;
}

static int
regconf_read_mode(struct regconf_reader *r, const struct toml *doc)
{
	static const char *const names[] = {
		[REGCONF_ENFORCING] = "enforcing",
		[REGCONF_PERMISSIVE] = "permissive",
		[REGCONF_DISABLED] = "disabled",
	};
	const char *text;

	if (toml_want_text(r->name, doc, "short-name-mode", &text, r->err) ==
	    -1)
		return -1;
	if (text == NULL || *text == '\0')
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], text) == 0) {
			r->rc->mode = (enum regconf_mode)i;
			return 0;
		}
	}
	return toml_wrong(r->name, toml_get(doc, "short-name-mode"), r->err,
	    "short-name-mode must be enforcing, permissive or disabled");
}

static int
regconf_read_aliases(struct regconf_reader *r, const struct toml *doc)
{
	const struct toml *table;
	struct cerr why;

	if (toml_want(r->name, doc, "aliases", TOML_TABLE, &table, r->err) ==
	    -1)
		return -1;
	for (const struct toml *m = table == NULL ? NULL : table->first;
	     m != NULL; m = m->next) {
		if (m->type != TOML_STRING)
			return toml_wrong(r->name, m, r->err,
			    "alias %s must be a string", m->key);
		if (regconf_alias(r->rc, m->key, m->text, &why) == -1)
			return regconf_at(r, m, &why);
	}
	return 0;
}

/* credential-helpers are programs, and are not run. */
static int
regconf_read_all(struct regconf_reader *r, const struct toml *doc)
{
	static const char *const known[] = { "registry",
		"unqualified-search-registries", "short-name-mode", "aliases",
		"credential-helpers", NULL };
	const struct toml *helpers = toml_get(doc, "credential-helpers");

	if (toml_get(doc, "registries") != NULL)
		return toml_wrong(r->name, toml_get(doc, "registries"), r->err,
		    "version 1 of this format is not understood; say "
		    "unqualified-search-registries and [[registry]]");
	regconf_unknown(r, doc, known);
	if (helpers != NULL)
		log_warn("%s:%u: credential-helpers are not run", r->name,
		    helpers->line);
	if (regconf_read_registries(r, doc) == -1 ||
	    regconf_read_search(r, doc) == -1 ||
	    regconf_read_mode(r, doc) == -1)
		return -1;
	return regconf_read_aliases(r, doc);
}

int
regconf_read(struct regconf *rc, const char *name, const char *buf, size_t len,
    struct cerr *err)
{
	struct regconf_reader r = { .rc = rc, .name = name, .err = err };
	struct toml *doc = toml_parse(name, buf, len, err);
	int result;

	if (doc == NULL)
		return -1;
	result = regconf_read_all(&r, doc);
	toml_free(doc);
	return result;
}
