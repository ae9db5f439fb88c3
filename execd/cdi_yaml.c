#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "execd/cdi_list.h"
#include "execd/cdi_yaml.h"
#include "lib/json.h"

/* A mapping or sequence that is not complete yet. */
struct cdi_yaml_level {
	json_t *node; /* belongs to the one around it */
	char *key;    /* of the next value; a sequence has the one of its own */
};

struct cdi_yaml {
	struct cdi_yaml_level level[JSON_DEPTH_MAX];
	size_t depth, values;
	json_t *root;
	const char *why; /* a constant */
};

/* Members of a CDI file that are integers, or lists of such. */
static const char *const cdi_yaml_integers[] = { "major", "minor", "fileMode",
	"uid", "gid", "timeout", "additionalGids" };

static const char *const cdi_yaml_nulls[] = { "", "~", "null", "Null", "NULL" };

#define CDI_YAML_N(a) (sizeof(a) / sizeof((a)[0]))

static int
cdi_yaml_fail(struct cdi_yaml *y, const char *why)
{
	y->why = why;
	return -1;
}

static struct cdi_yaml_level *
cdi_yaml_top(struct cdi_yaml *y)
{
	return y->depth == 0 ? NULL : &y->level[y->depth - 1];
}

/* Takes v, the next value; NULL if there was no memory. */
static int
cdi_yaml_put(struct cdi_yaml *y, json_t *v)
{
	struct cdi_yaml_level *in = cdi_yaml_top(y);
	int ret = -1;

	if (v == NULL)
		return cdi_yaml_fail(y, "not UTF-8, or no memory");
	if (++y->values > JSON_VALUES_MAX) {
		json_decref(v);
		return cdi_yaml_fail(y, "too many values");
	}
	if (in == NULL) {
		y->root = v;
		return 0;
	}
	if (json_is_array(in->node))
		ret = json_array_append_new(in->node, v);
	else
		ret = json_object_set_new(in->node, in->key, v);
	return ret == 0 ? 0 : cdi_yaml_fail(y, "not UTF-8, or no memory");
}

/* What was put has its key: the next scalar of a mapping is one. */
static char *
cdi_yaml_key_taken(struct cdi_yaml *y)
{
	struct cdi_yaml_level *in = cdi_yaml_top(y);
	char *key;

	if (in == NULL || json_is_array(in->node))
		return NULL;
	key = in->key;
	in->key = NULL;
	return key;
}

static int
cdi_yaml_begin(struct cdi_yaml *y, json_t *node, bool named)
{
	struct cdi_yaml_level *in = cdi_yaml_top(y);
	const char *why = NULL;
	char *key;

	if (y->depth == JSON_DEPTH_MAX)
		why = "nested too deep";
	else if (in != NULL && in->key == NULL && json_is_object(in->node))
		why = "a key is not a string";
	if (why != NULL) {
		json_decref(node);
		return cdi_yaml_fail(y, why);
	}
	if (cdi_yaml_put(y, node) == -1)
		return -1;
	key = cdi_yaml_key_taken(y);
	y->level[y->depth].node = node;
	y->level[y->depth++].key = named ? key : NULL;
	if (!named)
		free(key);
	return 0;
}

static void
cdi_yaml_end(struct cdi_yaml *y)
{
	free(y->level[--y->depth].key);
	y->level[y->depth] = (struct cdi_yaml_level){ 0 };
}

/* Aliases make much of little, and tags objects of strings. */
static int
cdi_yaml_plain(struct cdi_yaml *y, const void *anchor, const void *tag)
{
	if (anchor == NULL && tag == NULL)
		return 0;
	return cdi_yaml_fail(y, "anchors, aliases and tags are not supported");
}

/* ---- scalars ---- */

static bool
cdi_yaml_is_one_of(const char *s, const char *const *of, size_t n)
{
	for (size_t i = 0; s != NULL && i < n; i++) {
		if (strcmp(s, of[i]) == 0)
			return true;
	}
	return false;
}

/* Octal begins with 0 or 0o, as YAML 1.1 and 1.2 have it. */
static bool
cdi_yaml_integer(const char *s, json_int_t *out)
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
cdi_yaml_value(const char *key, const char *s, size_t len, bool plain)
{
	json_int_t n;

	if (plain &&
	    cdi_yaml_is_one_of(s, cdi_yaml_nulls, CDI_YAML_N(cdi_yaml_nulls)))
		return json_null();
	if (plain &&
	    cdi_yaml_is_one_of(key, cdi_yaml_integers,
		CDI_YAML_N(cdi_yaml_integers)) &&
	    cdi_yaml_integer(s, &n))
		return json_integer(n);
	return json_stringn(s, len);
}

static int
cdi_yaml_key(struct cdi_yaml *y, struct cdi_yaml_level *in, const char *s)
{
	if (json_object_get(in->node, s) != NULL)
		return cdi_yaml_fail(y, "duplicate key");
	in->key = strdup(s);
	return in->key == NULL ? cdi_yaml_fail(y, "no memory") : 0;
}

static int
cdi_yaml_scalar(struct cdi_yaml *y, const yaml_event_t *e)
{
	struct cdi_yaml_level *in = cdi_yaml_top(y);
	const char *s = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;

	if (memchr(s, '\0', len) != NULL)
		return cdi_yaml_fail(y, "U+0000 in a string");
	if (in == NULL)
		return cdi_yaml_fail(y, "not a mapping");
	if (json_is_object(in->node) && in->key == NULL)
		return cdi_yaml_key(y, in, s);
	if (cdi_yaml_put(y,
		cdi_yaml_value(in->key, s, len,
		    e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)) == -1)
		return -1;
	free(cdi_yaml_key_taken(y));
	return 0;
}

/* ---- events ---- */

static int
cdi_yaml_on_document(struct cdi_yaml *y, const yaml_event_t *e)
{
	(void)e;
	return y->root == NULL ? 0 : cdi_yaml_fail(y, "more than one document");
}

static int
cdi_yaml_on_scalar(struct cdi_yaml *y, const yaml_event_t *e)
{
	if (cdi_yaml_plain(y, e->data.scalar.anchor, e->data.scalar.tag) == -1)
		return -1;
	return cdi_yaml_scalar(y, e);
}

static int
cdi_yaml_on_sequence(struct cdi_yaml *y, const yaml_event_t *e)
{
	if (cdi_yaml_plain(y, e->data.sequence_start.anchor,
		e->data.sequence_start.tag) == -1)
		return -1;
	return cdi_yaml_begin(y, json_array(), true);
}

static int
cdi_yaml_on_mapping(struct cdi_yaml *y, const yaml_event_t *e)
{
	if (cdi_yaml_plain(y, e->data.mapping_start.anchor,
		e->data.mapping_start.tag) == -1)
		return -1;
	return cdi_yaml_begin(y, json_object(), false);
}

static int
cdi_yaml_on_end(struct cdi_yaml *y, const yaml_event_t *e)
{
	(void)e;
	cdi_yaml_end(y);
	return 0;
}

static int
cdi_yaml_on_alias(struct cdi_yaml *y, const yaml_event_t *e)
{
	return cdi_yaml_plain(y, e->data.alias.anchor, NULL);
}

typedef int (*cdi_yaml_on)(struct cdi_yaml *y, const yaml_event_t *e);

static const cdi_yaml_on cdi_yaml_events[] = {
	[YAML_DOCUMENT_START_EVENT] = cdi_yaml_on_document,
	[YAML_ALIAS_EVENT] = cdi_yaml_on_alias,
	[YAML_SCALAR_EVENT] = cdi_yaml_on_scalar,
	[YAML_SEQUENCE_START_EVENT] = cdi_yaml_on_sequence,
	[YAML_SEQUENCE_END_EVENT] = cdi_yaml_on_end,
	[YAML_MAPPING_START_EVENT] = cdi_yaml_on_mapping,
	[YAML_MAPPING_END_EVENT] = cdi_yaml_on_end,
};

static int
cdi_yaml_take(struct cdi_yaml *y, const yaml_event_t *e)
{
	cdi_yaml_on on = cdi_yaml_events[e->type];

	return on == NULL ? 0 : on(y, e);
}

static int
cdi_yaml_parse(struct cdi_yaml *y, yaml_parser_t *p, size_t *line)
{
	bool end = false;
	yaml_event_t e;
	int ret = 0;

	while (ret == 0 && !end) {
		if (yaml_parser_parse(p, &e) == 0) {
			*line = p->problem_mark.line + 1;
			return cdi_yaml_fail(y, "syntax");
		}
		*line = e.start_mark.line + 1;
		end = e.type == YAML_STREAM_END_EVENT;
		ret = cdi_yaml_take(y, &e);
		yaml_event_delete(&e);
	}
	if (ret == 0 && y->root == NULL)
		return cdi_yaml_fail(y, "empty");
	return ret;
}

json_t *
cdi_yaml_read(const char *text, size_t len, struct cerr *err)
{
	struct cdi_yaml y = { 0 };
	yaml_parser_t p;
	size_t line = 0;
	int ret = -1;

	json_init();
	if (len > CDI_FILE_MAX)
		y.why = "too long";
	else if (yaml_parser_initialize(&p) == 0)
		y.why = "no memory";
	else {
		/* Otherwise it may be UTF-16, if it looks so. */
		yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(&p, (const unsigned char *)text,
		    len);
		ret = cdi_yaml_parse(&y, &p, &line);
		yaml_parser_delete(&p);
	}
	while (y.depth > 0)
		cdi_yaml_end(&y);
	if (ret == 0)
		return y.root;
	json_decref(y.root);
	(void)cerr_set(err, CERR_INVALID_ARGUMENT, "YAML: %s (line %zu)", y.why,
	    line);
	return NULL;
}
