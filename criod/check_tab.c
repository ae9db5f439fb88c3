#include <stdio.h>
#include <string.h>

#include <protobuf-c/protobuf-c.h>

#include "criod/check_tab.h"
#include "criod/pb.h"

#define CHECK_DEPTH 12 /* the CRI's messages nest no deeper */

int
check_fail(struct cerr *err, const char *path, const char *name,
    const char *why)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s%s%s: %s", path,
	    path[0] != '\0' && name[0] != '\0' ? "." : "", name, why);
}

void
check_path_item(char out[CHECK_PATH_SIZE], const char *path, const char *name,
    size_t i)
{
	(void)snprintf(out, CHECK_PATH_SIZE, "%s%s%s[%zu]", path,
	    path[0] != '\0' ? "." : "", name, i);
}

static const void *
check_at(const void *m, size_t offset)
{
	return (const char *)m + offset;
}

static const char *
check_string_at(const void *p)
{
	const char *s;

	memcpy(&s, p, sizeof(s));
	return s == NULL ? "" : s;
}

int
check_strings(const void *m, const char *path, const struct check_string *rows,
    size_t n, struct cerr *err)
{
	for (size_t i = 0; i < n; i++) {
		const char *why =
		    rows[i].fn(check_string_at(check_at(m, rows[i].offset)));

		if (why != NULL)
			return check_fail(err, path, rows[i].name, why);
	}
	return 0;
}

static int
check_list_one(const void *m, const char *path, const struct check_list *row,
    struct cerr *err)
{
	char item[CHECK_PATH_SIZE];
	char *const *list;
	size_t n;

	memcpy(&n, check_at(m, row->n_offset), sizeof(n));
	memcpy(&list, check_at(m, row->offset), sizeof(list));
	if (n > row->max)
		return check_fail(err, path, row->name, "too many");
	for (size_t i = 0; i < n; i++) {
		const char *why = row->fn(list[i]);

		if (why != NULL) {
			check_path_item(item, path, row->name, i);
			return check_fail(err, item, "", why);
		}
	}
	return 0;
}

int
check_lists(const void *m, const char *path, const struct check_list *rows,
    size_t n, struct cerr *err)
{
	for (size_t i = 0; i < n; i++) {
		if (check_list_one(m, path, &rows[i], err) == -1)
			return -1;
	}
	return 0;
}

int
check_numbers(const void *m, const char *path, const struct check_number *rows,
    size_t n, struct cerr *err)
{
	for (size_t i = 0; i < n; i++) {
		int64_t v;

		memcpy(&v, check_at(m, rows[i].offset), sizeof(v));
		if (v < rows[i].min || v > rows[i].max ||
		    (v > 0 && v < rows[i].least))
			return check_fail(err, path, rows[i].name,
			    "out of range");
	}
	return 0;
}

int
check_map(void *const *entries, size_t n, const char *path, check_value_fn key,
    check_value_fn value, struct cerr *err)
{
	char item[CHECK_PATH_SIZE];

	if (n > CHECK_MAP_MAX)
		return check_fail(err, path, "", "too many entries");
	for (size_t i = 0; i < n; i++) {
		const char *why = key(pb_key(entries[i]));

		if (why == NULL)
			why = value(pb_value(entries[i]));
		if (why == NULL)
			continue;
		(void)snprintf(item, sizeof(item), "%s[%.128s]", path,
		    pb_key(entries[i]));
		return check_fail(err, item, "", why);
	}
	return 0;
}

int
check_maps(void *const *labels, size_t nlabels, void *const *annotations,
    size_t nannotations, struct cerr *err)
{
	if (check_map(labels, nlabels, "config.labels", check_value_label_key,
		check_value_any, err) == -1)
		return -1;
	return check_map(annotations, nannotations, "config.annotations",
	    check_value_label_key, check_value_any, err);
}

/* ---- enums, by the message's descriptor ---- */

struct check_level {
	const ProtobufCMessage *m;
	unsigned int field; /* next to look at */
	size_t item;	    /* next, of a repeated one */
};

struct check_walk {
	struct check_level level[CHECK_DEPTH];
	size_t depth;
};

static size_t
check_field_count(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	size_t n;

	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return 1;
	memcpy(&n, check_at(m, f->quantifier_offset), sizeof(n));
	return n;
}

/* The i-th item of a field: its address. */
static const void *
check_field_item(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
    size_t i, size_t size)
{
	const char *array;

	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return check_at(m, f->offset);
	memcpy(&array, check_at(m, f->offset), sizeof(array));
	return array + i * size;
}

static void
check_walk_path(const struct check_walk *w, const char *path,
    char out[CHECK_PATH_SIZE])
{
	size_t n = (size_t)snprintf(out, CHECK_PATH_SIZE, "%s", path);

	for (size_t i = 0; i < w->depth && n < CHECK_PATH_SIZE; i++) {
		const struct check_level *l = &w->level[i];

		n += (size_t)snprintf(out + n, CHECK_PATH_SIZE - n, "%s%s",
		    n > 0 ? "." : "", l->m->descriptor->fields[l->field].name);
	}
}

static bool
check_enum_known(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
    size_t i)
{
	int value;

	memcpy(&value, check_field_item(m, f, i, sizeof(value)), sizeof(value));
	return protobuf_c_enum_descriptor_get_value(f->descriptor, value) !=
	       NULL;
}

/* Goes down into a message field; false if it is not set. */
static bool
check_walk_enter(struct check_walk *w, const ProtobufCFieldDescriptor *f,
    size_t i)
{
	const ProtobufCMessage *sub;

	memcpy(&sub,
	    check_field_item(w->level[w->depth - 1].m, f, i, sizeof(sub)),
	    sizeof(sub));
	if (sub == NULL || w->depth == CHECK_DEPTH)
		return false;
	w->level[w->depth++] = (struct check_level){ sub, 0, 0 };
	return true;
}

/* One item of the innermost message; false if it is an unknown value. */
static bool
check_walk_item(struct check_walk *w)
{
	struct check_level *l = &w->level[w->depth - 1];
	const ProtobufCFieldDescriptor *f = &l->m->descriptor->fields[l->field];
	bool wanted = f->type == PROTOBUF_C_TYPE_ENUM ||
		      f->type == PROTOBUF_C_TYPE_MESSAGE;

	if (!wanted || l->item >= check_field_count(l->m, f)) {
		l->field++;
		l->item = 0;
		return true;
	}
	if (f->type == PROTOBUF_C_TYPE_ENUM)
		return check_enum_known(l->m, f, l->item++);
	(void)check_walk_enter(w, f, l->item++);
	return true;
}

int
check_enums(const void *m, const char *path, struct cerr *err)
{
	struct check_walk w = { .depth = 1 };
	char at[CHECK_PATH_SIZE];

	w.level[0].m = m;
	while (w.depth > 0) {
		struct check_level *l = &w.level[w.depth - 1];

		if (l->field == l->m->descriptor->n_fields) {
			w.depth--;
			continue;
		}
		if (!check_walk_item(&w)) {
			check_walk_path(&w, path, at);
			return check_fail(err, at, "", "not a known value");
		}
	}
	return 0;
}
