#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "netd/conf.h"
#include "netd/plugin.h"

#define CONF_NAME_MAX 200

/* Lowest first. */
static const char *const conf_versions[] = { "0.3.0", "0.3.1", "0.4.0", "1.0.0",
	"1.1.0" };

#define CONF_NVERSIONS (sizeof(conf_versions) / sizeof(conf_versions[0]))

static int
conf_version_rank(const char *version)
{
	for (size_t i = 0; i < CONF_NVERSIONS; i++) {
		if (strcmp(conf_versions[i], version) == 0)
			return (int)i;
	}
	return -1;
}

static bool
conf_name_valid(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return n >= 1 && n <= CONF_NAME_MAX && s[n] == '\0' &&
	       strchr("._-", s[0]) == NULL;
}

/* The best of cniVersion and cniVersions that this program speaks. */
static int
conf_choose_version(const json_t *doc, int *rank, struct cerr *err)
{
	const char *version;
	json_t *list, *v;
	size_t i;

	if (json_want_str(doc, "cniVersion", false, &version, err) == -1 ||
	    json_want(doc, "cniVersions", JSON_ARRAY, false, &list, err) == -1)
		return -1;
	*rank = conf_version_rank(version);
	json_array_foreach(list, i, v) {
		int r = json_is_string(v)
			    ? conf_version_rank(json_string_value(v))
			    : -1;

		if (r > *rank)
			*rank = r;
	}
	if (*rank == -1)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "cniVersion \"%.32s\" is not supported (0.3.0 to 1.1.0)",
		    version);
	return 0;
}

/* true, false, or (older lists) one of these as a string. */
static int
conf_flag(const json_t *doc, const char *key, bool *flag, struct cerr *err)
{
	json_t *v = json_object_get(doc, key);
	const char *s = json_string_value(v);

	*flag = json_is_true(v) || (s != NULL && strcmp(s, "true") == 0);
	if (v == NULL || json_is_null(v) || json_is_boolean(v) ||
	    (s != NULL && (*flag || strcmp(s, "false") == 0)))
		return 0;
	return cerr_set(err, CERR_INVALID_ARGUMENT, "\"%s\" is not a boolean",
	    key);
}

static int
conf_check_capabilities(const json_t *plugin, struct cerr *err)
{
	json_t *caps, *v;
	const char *key;

	if (json_want(plugin, "capabilities", JSON_OBJECT, false, &caps, err) ==
	    -1)
		return -1;
	json_object_foreach(caps, key, v) {
		if (!json_is_boolean(v))
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "capability \"%.64s\" is not a boolean", key);
	}
	return 0;
}

/* A type becomes a file name, here or in the plugin that delegates to it. */
static int
conf_check_type(const json_t *obj, bool needed, struct cerr *err)
{
	const char *type;

	if (json_want_str(obj, "type", needed, &type, err) == -1)
		return -1;
	if ((needed || *type != '\0') && !plugin_name_valid(type))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "plugin type \"%.64s\" is not a plugin's file name", type);
	return 0;
}

static int
conf_check_plugin(const json_t *plugin, struct cerr *err)
{
	json_t *ipam;

	if (conf_check_type(plugin, true, err) == -1 ||
	    conf_check_capabilities(plugin, err) == -1 ||
	    json_want(plugin, "ipam", JSON_OBJECT, false, &ipam, err) == -1)
		return -1;
	return ipam == NULL ? 0 : conf_check_type(ipam, false, err);
}

static int
conf_check_plugins(const json_t *plugins, struct cerr *err)
{
	size_t i, n = json_array_size(plugins);
	json_t *plugin;

	if (n < 1 || n > CONF_PLUGINS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "a network needs 1 to %d plugins, not %zu",
		    CONF_PLUGINS_MAX, n);
	json_array_foreach(plugins, i, plugin) {
		if (conf_check_plugin(plugin, err) == -1)
			return -1;
	}
	return 0;
}

/* A single plugin's configuration is a list of one.  Takes doc. */
static json_t *
conf_wrap(json_t *doc)
{
	if (!json_is_object(doc) || json_object_get(doc, "plugins") != NULL ||
	    json_object_get(doc, "type") == NULL)
		return doc;
	return json_pack("{s:O?,s:O?,s:O?,s:[o]}", "cniVersion",
	    json_object_get(doc, "cniVersion"), "cniVersions",
	    json_object_get(doc, "cniVersions"), "name",
	    json_object_get(doc, "name"), "plugins", doc);
}

static int
conf_fill(struct conf *c, struct cerr *err)
{
	int rank;

	if (json_want_str(c->doc, "name", true, &c->name, err) == -1)
		return -1;
	if (!conf_name_valid(c->name))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "network name \"%.64s\" is not allowed", c->name);
	if (conf_choose_version(c->doc, &rank, err) == -1 ||
	    conf_flag(c->doc, "disableCheck", &c->disable_check, err) == -1 ||
	    conf_flag(c->doc, "disableGC", &c->disable_gc, err) == -1 ||
	    json_want(c->doc, "plugins", JSON_ARRAY, true, &c->plugins, err) ==
		-1)
		return -1;
	c->version = conf_versions[rank];
	return conf_check_plugins(c->plugins, err);
}

struct conf *
conf_from_json(const char *what, json_t *doc, struct cerr *err)
{
	struct conf *c = calloc(1, sizeof(*c));
	struct cerr why;

	if (c == NULL)
		fatal("calloc");
	c->refs = 1;
	c->doc = conf_wrap(doc);
	if (c->doc == NULL)
		fatalx("json_pack");
	if (conf_fill(c, &why) == 0)
		return c;
	(void)cerr_set(err, why.code, "%s: %s", what, why.text);
	conf_unref(c);
	return NULL;
}

struct conf *
conf_parse(const char *what, const void *buf, size_t len, struct cerr *err)
{
	json_t *doc = json_read_bounded(what, buf, len, CONF_SIZE_MAX, err);

	return doc == NULL ? NULL : conf_from_json(what, doc, err);
}

struct conf *
conf_ref(struct conf *c)
{
	c->refs++;
	return c;
}

void
conf_unref(struct conf *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	json_decref(c->doc);
	free(c);
}

size_t
conf_count(const struct conf *c)
{
	return json_array_size(c->plugins);
}

const char *
conf_type(const struct conf *c, size_t i)
{
	return json_string_value(
	    json_object_get(json_array_get(c->plugins, i), "type"));
}

const char *
conf_ipam(const struct conf *c, size_t i)
{
	const json_t *ipam =
	    json_object_get(json_array_get(c->plugins, i), "ipam");
	const char *type = json_string_value(json_object_get(ipam, "type"));

	return type == NULL || *type == '\0' ? NULL : type;
}

bool
conf_speaks(const struct conf *c, int major, int minor)
{
	char wanted[32];

	(void)snprintf(wanted, sizeof(wanted), "%d.%d.0", major, minor);
	return conf_version_rank(c->version) >= conf_version_rank(wanted);
}
