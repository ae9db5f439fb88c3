#include <sys/random.h>

#include "lib/json.h"

static const char *const json_type_names[] = {
	[JSON_OBJECT] = "an object",
	[JSON_ARRAY] = "an array",
	[JSON_STRING] = "a string",
	[JSON_INTEGER] = "an integer",
	[JSON_REAL] = "a number",
	[JSON_TRUE] = "true",
	[JSON_FALSE] = "false",
	[JSON_NULL] = "null",
};

void
json_init(void)
{
	size_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(seed))
		seed ^= (size_t)&seed;
	json_object_seed(seed | 1); /* does nothing the second time */
}

/* The offset of the quote that ends the string begun before i, or len. */
static size_t
json_skip_string(const char *p, size_t i, size_t len)
{
	while (i < len && p[i] != '"')
		i += p[i] == '\\' ? 2 : 1;
	return i < len ? i : len;
}

const char *
json_check_bounds(const void *buf, size_t len, size_t max)
{
	const char *p = buf;
	size_t depth = 0, values = 1;

	if (len > max)
		return "too long";
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '"')
			i = json_skip_string(p, i + 1, len);
		else if (p[i] == '[' || p[i] == '{')
			depth++, values++;
		else if ((p[i] == ']' || p[i] == '}') && depth > 0)
			depth--;
		else if (p[i] == ',')
			values++;
		if (depth > JSON_DEPTH_MAX)
			return "nested too deep";
		if (values > JSON_VALUES_MAX)
			return "too many values";
	}
	return NULL;
}

json_t *
json_read_bounded(const char *what, const void *buf, size_t len, size_t max,
    struct cerr *err)
{
	const char *why = json_check_bounds(buf, len, max);
	json_error_t je;
	json_t *doc;

	if (why != NULL) {
		(void)cerr_set(err, CERR_INVALID_ARGUMENT, "%s: JSON %s", what,
		    why);
		return NULL;
	}
	json_init();
	doc = json_loadb(buf, len, JSON_REJECT_DUPLICATES, &je);
	/* je.text quotes the document: where is enough, what may be secret. */
	if (doc == NULL)
		(void)cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s: not valid JSON (%s, byte %d)", what,
		    json_error_code(&je) == json_error_duplicate_key
			? "duplicate key"
			: "syntax",
		    je.position);
	return doc;
}

static int
json_want_fail(const char *key, const char *why, json_type type,
    struct cerr *err)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "\"%s\" %s %s", key, why,
	    json_type_names[type]);
}

int
json_want(const json_t *obj, const char *key, json_type type, bool needed,
    json_t **value, struct cerr *err)
{
	json_t *v;

	*value = NULL;
	if (!json_is_object(obj))
		return json_want_fail(key, "is looked for in what is not",
		    JSON_OBJECT, err);
	v = json_object_get(obj, key);
	if (v == NULL || json_is_null(v)) {
		if (!needed)
			return 0;
		return json_want_fail(key, "is missing, should be", type, err);
	}
	if (json_typeof(v) != type)
		return json_want_fail(key, "is not", type, err);
	*value = v;
	return 0;
}

int
json_want_str(const json_t *obj, const char *key, bool needed,
    const char **value, struct cerr *err)
{
	json_t *v;

	*value = "";
	if (json_want(obj, key, JSON_STRING, needed, &v, err) == -1)
		return -1;
	if (v != NULL)
		*value = json_string_value(v);
	return 0;
}

int
json_want_size(const json_t *obj, const char *key, bool needed, uint64_t *value,
    struct cerr *err)
{
	json_t *v;

	*value = 0;
	if (json_want(obj, key, JSON_INTEGER, needed, &v, err) == -1)
		return -1;
	if (v == NULL)
		return 0;
	if (json_integer_value(v) < 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "\"%s\" is negative", key);
	*value = (uint64_t)json_integer_value(v);
	return 0;
}
