#include <string.h>

#include "lib/log.h"
#include "netd/conf.h"
#include "netd/request.h"

#define REQUEST_PREFIX "cni.dev/"

/* Keys that only the runtime may set. */
static bool
request_reserved(const char *key)
{
	static const char *const keys[] = { "cniVersion", "cniVersions", "name",
		"capabilities", "runtimeConfig", "prevResult" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	return strncmp(key, REQUEST_PREFIX, strlen(REQUEST_PREFIX)) == 0;
}

static void
request_set(json_t *obj, const char *key, json_t *value)
{
	if (json_object_set_new(obj, key, value) == -1)
		fatalx("json_object_set_new");
}

/* What the plugin declares and the pod asks for. */
static json_t *
request_runtime_config(const json_t *plugin, const json_t *capabilities)
{
	json_t *out = json_object();
	json_t *declared, *value;
	const char *key;

	json_object_foreach(json_object_get(plugin, "capabilities"), key,
	    declared) {
		value = json_object_get(capabilities, key);
		if (json_is_true(declared) && value != NULL)
			request_set(out, key, json_incref(value));
	}
	return out;
}

char *
request_make(const struct conf *c, size_t i, const json_t *capabilities,
    json_t *prev, json_t *valid, size_t *len)
{
	json_t *plugin = json_array_get(c->plugins, i);
	json_t *out = json_object();
	json_t *rc, *value;
	const char *key;
	char *text;

	request_set(out, "cniVersion", json_string(c->version));
	request_set(out, "name", json_string(c->name));
	json_object_foreach(plugin, key, value) {
		if (!request_reserved(key))
			request_set(out, key, json_incref(value));
	}
	rc = request_runtime_config(plugin, capabilities);
	if (json_object_size(rc) > 0)
		request_set(out, "runtimeConfig", json_incref(rc));
	json_decref(rc);
	if (prev != NULL)
		request_set(out, "prevResult", json_incref(prev));
	if (valid != NULL)
		request_set(out, REQUEST_PREFIX "valid-attachments",
		    json_incref(valid));
	text = json_dumps(out, JSON_COMPACT);
	json_decref(out);
	if (text == NULL)
		fatalx("json_dumps");
	*len = strlen(text);
	return text;
}
