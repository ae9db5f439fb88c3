#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "lib/json.h"
#include "lib/yamljson.h"

/* A mapping or sequence that is not complete yet. */
struct yamljson_level {
	json_t *node; /* belongs to the one around it */
	char *key;    /* of the next value; a sequence has the one of its own */
};

struct yamljson {
	struct yamljson_level level[JSON_DEPTH_MAX];
	size_t depth, values;
	json_t *root;
	const char *const *integers;
	const char *why; /* a constant */
};

static const char *const yamljson_nulls[] = { "", "~", "null", "Null", "NULL",
	NULL };

static int
yamljson_fail(struct yamljson *y, const char *why)
{
	y->why = why;
	return -1;
}

static struct yamljson_level *
yamljson_top(struct yamljson *y)
{
	return y->depth == 0 ? NULL : &y->level[y->depth - 1];
}

/* Takes v, the next value; NULL if there was no memory. */
static int
yamljson_put(struct yamljson *y, json_t *v)
{
	struct yamljson_level *in = yamljson_top(y);
	int ret = -1;

	if (v == NULL)
		return yamljson_fail(y, "not UTF-8, or no memory");
	if (++y->values > JSON_VALUES_MAX) {
		json_decref(v);
		return yamljson_fail(y, "too many values");
	}
	if (in == NULL) {
		y->root = v;
		return 0;
	}
	if (json_is_array(in->node))
		ret = json_array_append_new(in->node, v);
	else
		ret = json_object_set_new(in->node, in->key, v);
	return ret == 0 ? 0 : yamljson_fail(y, "not UTF-8, or no memory");
}

/* What was put has its key: the next scalar of a mapping is one. */
static char *
yamljson_key_taken(struct yamljson *y)
{
	struct yamljson_level *in = yamljson_top(y);
	char *key;

	if (in == NULL || json_is_array(in->node))
		return NULL;
	key = in->key;
	in->key = NULL;
	return key;
}

static int
yamljson_begin(struct yamljson *y, json_t *node, bool named)
{
	struct yamljson_level *in = yamljson_top(y);
	const char *why = NULL;
	char *key;

	if (y->depth == JSON_DEPTH_MAX)
		why = "nested too deep";
	else if (in != NULL && in->key == NULL && json_is_object(in->node))
		why = "a key is not a string";
	if (why != NULL) {
		json_decref(node);
		return yamljson_fail(y, why);
	}
	if (yamljson_put(y, node) == -1)
		return -1;
	key = yamljson_key_taken(y);
	y->level[y->depth].node = node;
	y->level[y->depth++].key = named ? key : NULL;
	if (!named)
		free(key);
	return 0;
}

static void
yamljson_end(struct yamljson *y)
{
	free(y->level[--y->depth].key);
	y->level[y->depth] = (struct yamljson_level){ 0 };
}

/* Aliases make much of little, and tags objects of strings. */
static int
yamljson_plain(struct yamljson *y, const void *anchor, const void *tag)
{
	if (anchor == NULL && tag == NULL)
		return 0;
	return yamljson_fail(y, "anchors, aliases and tags are not supported");
}

/* ---- scalars ---- */

static bool
yamljson_is_one_of(const char *s, const char *const *of)
{
	for (; s != NULL && *of != NULL; of++) {
		if (strcmp(s, *of) == 0)
			return true;
	}
	return false;
}

/* Octal begins with 0 or 0o, as YAML 1.1 and 1.2 have it. */
static bool
yamljson_integer(const char *s, json_int_t *out)
{
	bool octal = s[0] == '0' && s[1] == 'o';
	char *end;

	if (s[0] < '0' || s[0] > '9')
		return false;
	errno = 0;
	*out = strtoll(octal ? s + 2 : s, &end, octal ? 8 : 0);
	return errno == 0 && *end == '\0' && end != s + (octal ? 2 : 0);
}

static json_t *
yamljson_value(const struct yamljson *y, const char *key, const char *s,
    size_t len, bool plain)
{
	json_int_t n;

	if (plain && yamljson_is_one_of(s, yamljson_nulls))
		return json_null();
	if (plain && yamljson_is_one_of(key, y->integers) &&
	    yamljson_integer(s, &n))
		return json_integer(n);
	return json_stringn(s, len);
}

static int
yamljson_key(struct yamljson *y, struct yamljson_level *in, const char *s)
{
	if (json_object_get(in->node, s) != NULL)
		return yamljson_fail(y, "duplicate key");
	in->key = strdup(s);
	return in->key == NULL ? yamljson_fail(y, "no memory") : 0;
}

static int
yamljson_scalar(struct yamljson *y, const yaml_event_t *e)
{
	struct yamljson_level *in = yamljson_top(y);
	const char *s = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;

	if (memchr(s, '\0', len) != NULL)
		return yamljson_fail(y, "U+0000 in a string");
	if (in == NULL)
		return yamljson_fail(y, "not a mapping");
	if (json_is_object(in->node) && in->key == NULL)
		return yamljson_key(y, in, s);
	if (yamljson_put(y,
		yamljson_value(y, in->key, s, len,
		    e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)) == -1)
		return -1;
	free(yamljson_key_taken(y));
	return 0;
}

/* ---- events ---- */

static int
yamljson_on_document(struct yamljson *y, const yaml_event_t *e)
{
	(void)e;
	return y->root == NULL ? 0 : yamljson_fail(y, "more than one document");
}

static int
yamljson_on_scalar(struct yamljson *y, const yaml_event_t *e)
{
	if (yamljson_plain(y, e->data.scalar.anchor, e->data.scalar.tag) == -1)
		return -1;
	return yamljson_scalar(y, e);
}

static int
yamljson_on_sequence(struct yamljson *y, const yaml_event_t *e)
{
	if (yamljson_plain(y, e->data.sequence_start.anchor,
		e->data.sequence_start.tag) == -1)
		return -1;
	return yamljson_begin(y, json_array(), true);
}

static int
yamljson_on_mapping(struct yamljson *y, const yaml_event_t *e)
{
	if (yamljson_plain(y, e->data.mapping_start.anchor,
		e->data.mapping_start.tag) == -1)
		return -1;
	return yamljson_begin(y, json_object(), false);
}

static int
yamljson_on_end(struct yamljson *y, const yaml_event_t *e)
{
	(void)e;
	yamljson_end(y);
	return 0;
}

static int
yamljson_on_alias(struct yamljson *y, const yaml_event_t *e)
{
	return yamljson_plain(y, e->data.alias.anchor, NULL);
}

typedef int (*yamljson_on)(struct yamljson *y, const yaml_event_t *e);

static const yamljson_on yamljson_events[] = {
	[YAML_DOCUMENT_START_EVENT] = yamljson_on_document,
	[YAML_ALIAS_EVENT] = yamljson_on_alias,
	[YAML_SCALAR_EVENT] = yamljson_on_scalar,
	[YAML_SEQUENCE_START_EVENT] = yamljson_on_sequence,
	[YAML_SEQUENCE_END_EVENT] = yamljson_on_end,
	[YAML_MAPPING_START_EVENT] = yamljson_on_mapping,
	[YAML_MAPPING_END_EVENT] = yamljson_on_end,
};

static int
yamljson_take(struct yamljson *y, const yaml_event_t *e)
{
	yamljson_on on = yamljson_events[e->type];

	return on == NULL ? 0 : on(y, e);
}

static int
yamljson_parse(struct yamljson *y, yaml_parser_t *p, size_t *line)
{
	bool end = false;
	yaml_event_t e;
	int ret = 0;

	while (ret == 0 && !end) {
		if (yaml_parser_parse(p, &e) == 0) {
			*line = p->problem_mark.line + 1;
			return yamljson_fail(y, "syntax");
		}
		*line = e.start_mark.line + 1;
		end = e.type == YAML_STREAM_END_EVENT;
		ret = yamljson_take(y, &e);
		yaml_event_delete(&e);
	}
	if (ret == 0 && y->root == NULL)
		return yamljson_fail(y, "empty");
	return ret;
}

json_t *
yamljson_read(const char *text, size_t len, size_t max,
    const char *const *integers, struct cerr *err)
{
	struct yamljson y = { .integers = integers };
	yaml_parser_t p;
	size_t line = 0;
	int ret = -1;

	json_init();
	if (len > max)
		y.why = "too long";
	else if (yaml_parser_initialize(&p) == 0)
		y.why = "no memory";
	else {
		/* Otherwise it may be UTF-16, if it looks so. */
		yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(&p, (const unsigned char *)text,
		    len);
		ret = yamljson_parse(&y, &p, &line);
		yaml_parser_delete(&p);
	}
	while (y.depth > 0)
		yamljson_end(&y);
	if (ret == 0)
		return y.root;
	json_decref(y.root);
	(void)cerr_set(err, CERR_INVALID_ARGUMENT, "YAML: %s (line %zu)", y.why,
	    line);
	return NULL;
}
