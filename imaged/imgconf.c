#include <stdlib.h>
#include <string.h>

#include "imaged/imgconf.h"
#include "imaged/store.h"
#include "lib/json.h"

static int
imgconf_nomem(struct cerr *err)
{
	return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
	    "no memory for an image config");
}

static int
imgconf_string(const json_t *config, const char *key, char **out,
    struct cerr *err)
{
	const char *s;

	if (json_want_str(config, key, false, &s, err) == -1)
		return -1;
	*out = strdup(s);
	return *out != NULL ? 0 : imgconf_nomem(err);
}

static int
imgconf_append(struct imgconf_list *l, const char *s, struct cerr *err)
{
	l->items[l->n] = strdup(s);
	if (l->items[l->n] == NULL)
		return imgconf_nomem(err);
	l->n++;
	return 0;
}

static int
imgconf_room(struct imgconf_list *l, const char *key, size_t n,
    struct cerr *err)
{
	if (n > IMGCONF_STRINGS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "image config: %s: more than %d strings", key,
		    IMGCONF_STRINGS_MAX);
	l->items = calloc(n + 1, sizeof(*l->items));
	return l->items != NULL ? 0 : imgconf_nomem(err);
}

static int
imgconf_list(const json_t *config, const char *key, struct imgconf_list *l,
    struct cerr *err)
{
	json_t *array;

	if (json_want(config, key, JSON_ARRAY, false, &array, err) == -1 ||
	    imgconf_room(l, key, json_array_size(array), err) == -1)
		return -1;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *s = json_string_value(json_array_get(array, i));

		if (s == NULL)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "image config: %s: not all are strings", key);
		if (imgconf_append(l, s, err) == -1)
			return -1;
	}
	return 0;
}

/* An object whose keys are the paths. */
static int
imgconf_volumes(const json_t *config, struct imgconf_list *l, struct cerr *err)
{
	json_t *object;
	void *it;

	if (json_want(config, "Volumes", JSON_OBJECT, false, &object, err) ==
		-1 ||
	    imgconf_room(l, "Volumes", json_object_size(object), err) == -1)
		return -1;
	for (it = json_object_iter(object); it != NULL;
	     it = json_object_iter_next(object, it)) {
		if (imgconf_append(l, json_object_iter_key(it), err) == -1)
			return -1;
	}
	return 0;
}

static int
imgconf_fill(struct imgconf *c, const json_t *doc, struct cerr *err)
{
	json_t *config, *empty = NULL;
	int rc;

	if (json_want(doc, "config", JSON_OBJECT, false, &config, err) == -1)
		return -1;
	if (config == NULL) {
		empty = json_object();
		config = empty;
	}
	rc = imgconf_string(config, "User", &c->user, err) == -1 ||
	     imgconf_string(config, "WorkingDir", &c->working_dir, err) == -1 ||
	     imgconf_string(config, "StopSignal", &c->stop_signal, err) == -1 ||
	     imgconf_list(config, "Env", &c->env, err) == -1 ||
	     imgconf_list(config, "Entrypoint", &c->entrypoint, err) == -1 ||
	     imgconf_list(config, "Cmd", &c->cmd, err) == -1 ||
	     imgconf_volumes(config, &c->volumes, err) == -1;
	json_decref(empty);
	return rc ? -1 : 0;
}

struct imgconf *
imgconf_parse(const uint8_t *buf, size_t len, struct cerr *err)
{
	struct imgconf *c = calloc(1, sizeof(*c));
	json_t *doc;
	int rc;

	if (c == NULL) {
		(void)imgconf_nomem(err);
		return NULL;
	}
	doc =
	    json_read_bounded("image config", buf, len, STORE_CONFIG_MAX, err);
	rc = doc != NULL ? imgconf_fill(c, doc, err) : -1;
	json_decref(doc);
	if (rc == 0)
		return c;
	imgconf_free(c);
	return NULL;
}

static void
imgconf_list_free(struct imgconf_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
}

void
imgconf_free(struct imgconf *c)
{
	if (c == NULL)
		return;
	free(c->user);
	free(c->working_dir);
	free(c->stop_signal);
	imgconf_list_free(&c->env);
	imgconf_list_free(&c->entrypoint);
	imgconf_list_free(&c->cmd);
	imgconf_list_free(&c->volumes);
	free(c);
}

static enum imgconf_user
imgconf_user_number(const char *s, size_t len, uint32_t *uid)
{
	uint64_t v = 0;

	if (len > 10 || (len > 1 && s[0] == '0'))
		return IMGCONF_USER_BAD;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return IMGCONF_USER_BAD;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (v >= UINT32_MAX)
		return IMGCONF_USER_BAD;
	*uid = (uint32_t)v;
	return IMGCONF_USER_UID;
}

enum imgconf_user
imgconf_user_parse(const char *user, uint32_t *uid, char *name, size_t size)
{
	size_t len = strcspn(user, ":");

	if (user[len] == ':' && strchr(user + len + 1, ':') != NULL)
		return IMGCONF_USER_BAD;
	if (len == 0)
		return user[0] == '\0' ? IMGCONF_USER_NONE : IMGCONF_USER_BAD;
	if (user[0] >= '0' && user[0] <= '9')
		return imgconf_user_number(user, len, uid);
	if (strchr("+- \t", user[0]) != NULL || len >= size)
		return IMGCONF_USER_BAD;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)user[i] <= ' ' || user[i] == '\x7f')
			return IMGCONF_USER_BAD;
	}
	memcpy(name, user, len);
	name[len] = '\0';
	return IMGCONF_USER_NAME;
}
