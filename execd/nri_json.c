#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "execd/nri_json.h"

#define NRI_KEY_MAX 64

static const struct {
	const char *field, *key;
} nri_json_names[] = {
	{ "kernel_tcp", "kernelTCP" },
	{ "disable_oom_killer", "disableOOMKiller" },
	{ "default_errno", "defaultErrnoRet" },
};

/* "hugepage_limits" is "hugepageLimits". */
static void
nri_json_key(char key[NRI_KEY_MAX], const char *field)
{
	size_t n = 0;
	bool upper = false;

	for (size_t i = 0;
	     i < sizeof(nri_json_names) / sizeof(nri_json_names[0]); i++) {
		if (strcmp(field, nri_json_names[i].field) == 0) {
			(void)snprintf(key, NRI_KEY_MAX, "%s",
			    nri_json_names[i].key);
			return;
		}
	}
	for (; *field != '\0' && n < NRI_KEY_MAX - 1; field++) {
		if (*field == '_') {
			upper = true;
			continue;
		}
		key[n++] =
		    (char)(upper ? toupper((unsigned char)*field) : *field);
		upper = false;
	}
	key[n] = '\0';
}

static bool
nri_json_is_map(const ProtobufCMessageDescriptor *d)
{
	return d->n_fields == 2 && strcmp(d->fields[0].name, "key") == 0 &&
	       d->fields[0].type == PROTOBUF_C_TYPE_STRING &&
	       d->fields[1].type == PROTOBUF_C_TYPE_STRING &&
	       strcmp(d->fields[1].name, "value") == 0;
}

/* A message with nothing but a value. */
static bool
nri_json_is_optional(const ProtobufCMessageDescriptor *d)
{
	return d->n_fields == 1 && strcmp(d->fields[0].name, "value") == 0 &&
	       d->fields[0].label != PROTOBUF_C_LABEL_REPEATED;
}

static const void *
nri_json_at(const void *message, size_t offset)
{
	return (const char *)message + offset;
}

static size_t
nri_json_count(const void *message, const ProtobufCFieldDescriptor *f)
{
	return *(const size_t *)nri_json_at(message, f->quantifier_offset);
}

/* ---- to JSON ---- */

/* Of a field that is no message, or of an element of a repeated one. */
static json_t *
nri_json_scalar(ProtobufCType type, const void *at)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_ENUM:
		return json_integer(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
		return json_integer(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
		return json_integer(*(const int64_t *)at);
	case PROTOBUF_C_TYPE_UINT64:
		return json_integer((json_int_t) * (const uint64_t *)at);
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_STRING:
		return json_string(*(char *const *)at);
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
	default:
		return NULL; /* the interface has none */
	}
}

static json_t *
nri_json_map(const void *message, const ProtobufCFieldDescriptor *f)
{
	void *const *items =
	    *(void *const *const *)nri_json_at(message, f->offset);
	const ProtobufCMessageDescriptor *d = f->descriptor;
	json_t *o = json_object();

	for (size_t i = 0; o != NULL && i < nri_json_count(message, f); i++) {
		const char *key =
		    *(char *const *)nri_json_at(items[i], d->fields[0].offset);
		const char *value =
		    *(char *const *)nri_json_at(items[i], d->fields[1].offset);

		if (json_object_set_new(o, key, json_string(value)) == -1) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

static json_t *
nri_json_array(const void *message, const ProtobufCFieldDescriptor *f)
{
	const char *items = *(char *const *)nri_json_at(message, f->offset);
	bool nested = f->type == PROTOBUF_C_TYPE_MESSAGE;
	size_t size = f->type == PROTOBUF_C_TYPE_STRING || nested
			  ? sizeof(void *)
			  : sizeof(uint32_t);
	json_t *a = json_array();

	for (size_t i = 0; a != NULL && i < nri_json_count(message, f); i++) {
		const void *at = items + i * size;
		json_t *v = nested ? nri_json_from(*(void *const *)at)
				   : nri_json_scalar(f->type, at);

		if (json_array_append_new(a, v) == -1) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *
nri_json_field(const void *message, const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	const void *at = nri_json_at(message, f->offset);

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return f->type == PROTOBUF_C_TYPE_MESSAGE && nri_json_is_map(d)
			   ? nri_json_map(message, f)
			   : nri_json_array(message, f);
	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return nri_json_scalar(f->type, at);
	at = *(const void *const *)at;
	return nri_json_is_optional(d)
		   ? nri_json_scalar(d->fields[0].type,
			 nri_json_at(at, d->fields[0].offset))
		   : nri_json_from(at);
}

static bool
nri_json_absent(const void *message, const ProtobufCFieldDescriptor *f)
{
	const void *at = nri_json_at(message, f->offset);

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return nri_json_count(message, f) == 0;
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(const void *const *)at == NULL;
	return f->type == PROTOBUF_C_TYPE_STRING && **(char *const *)at == '\0';
}

json_t *
nri_json_from(const void *message)
{
	const ProtobufCMessageDescriptor *d =
	    ((const ProtobufCMessage *)message)->descriptor;
	json_t *o = json_object();
	char key[NRI_KEY_MAX];

	for (unsigned int i = 0; o != NULL && i < d->n_fields; i++) {
		if (nri_json_absent(message, &d->fields[i]))
			continue;
		nri_json_key(key, d->fields[i].name);
		if (json_object_set_new(o, key,
			nri_json_field(message, &d->fields[i])) == -1) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

/* ---- from JSON ---- */

void *
nri_json_alloc(struct pballoc *mem, size_t n, size_t size)
{
	void *p = NULL;

	if (n == 0)
		n = 1;
	if (n <= mem->budget / size)
		p = mem->alloc.alloc(mem->alloc.allocator_data, n * size);
	if (p != NULL)
		memset(p, 0, n * size);
	return p;
}

static void *
nri_json_into_at(void *message, size_t offset)
{
	return (char *)message + offset;
}

static void
nri_json_put(ProtobufCType type, void *at, const json_t *v)
{
	if (type == PROTOBUF_C_TYPE_STRING && json_is_string(v))
		*(char **)at = (char *)(uintptr_t)json_string_value(v);
	else if (type == PROTOBUF_C_TYPE_BOOL)
		*(protobuf_c_boolean *)at = json_is_true(v);
	else if (type == PROTOBUF_C_TYPE_INT64 ||
		 type == PROTOBUF_C_TYPE_UINT64)
		*(int64_t *)at = json_integer_value(v);
	else if (type == PROTOBUF_C_TYPE_INT32 ||
		 type == PROTOBUF_C_TYPE_UINT32)
		*(uint32_t *)at = (uint32_t)json_integer_value(v);
}

static void *
nri_json_message(struct pballoc *mem, const ProtobufCMessageDescriptor *d)
{
	void *m = nri_json_alloc(mem, 1, d->sizeof_message);

	if (m != NULL)
		protobuf_c_message_init(d, m);
	return m;
}

static int
nri_json_put_map(struct pballoc *mem, const ProtobufCMessageDescriptor *d,
    void **items, const json_t *object)
{
	const char *key;
	json_t *v;
	void *iter;
	size_t n = 0;

	/* The iteration does not write to the object. */
	for (iter = json_object_iter((json_t *)(uintptr_t)object); iter != NULL;
	     iter = json_object_iter_next((json_t *)(uintptr_t)object, iter)) {
		key = json_object_iter_key(iter);
		v = json_object_iter_value(iter);
		items[n] = nri_json_message(mem, d);
		if (items[n] == NULL)
			return -1;
		*(char **)nri_json_into_at(items[n], d->fields[0].offset) =
		    (char *)(uintptr_t)key;
		nri_json_put(PROTOBUF_C_TYPE_STRING,
		    nri_json_into_at(items[n], d->fields[1].offset), v);
		n++;
	}
	return 0;
}

static int
nri_json_put_array(struct pballoc *mem, const ProtobufCFieldDescriptor *f,
    char *items, const json_t *array)
{
	bool nested = f->type == PROTOBUF_C_TYPE_MESSAGE;
	size_t size = f->type == PROTOBUF_C_TYPE_STRING || nested
			  ? sizeof(void *)
			  : sizeof(uint32_t);
	size_t i;
	json_t *v;

	json_array_foreach(array, i, v) {
		void *at = items + i * size;

		if (!nested) {
			nri_json_put(f->type, at, v);
			if (f->type == PROTOBUF_C_TYPE_STRING &&
			    *(char **)at == NULL)
				return -1;
			continue;
		}
		*(void **)at = nri_json_into(mem, f->descriptor, v);
		if (*(void **)at == NULL)
			return -1;
	}
	return 0;
}

static int
nri_json_put_repeated(struct pballoc *mem, const ProtobufCFieldDescriptor *f,
    void *message, const json_t *v)
{
	bool map = f->type == PROTOBUF_C_TYPE_MESSAGE &&
		   nri_json_is_map(f->descriptor);
	size_t n = map ? json_object_size(v) : json_array_size(v);
	void *items = nri_json_alloc(mem, n, sizeof(void *));

	if (items == NULL)
		return -1;
	*(size_t *)nri_json_into_at(message, f->quantifier_offset) = n;
	*(void **)nri_json_into_at(message, f->offset) = items;
	return map ? nri_json_put_map(mem, f->descriptor, items, v)
		   : nri_json_put_array(mem, f, items, v);
}

static int
nri_json_put_field(struct pballoc *mem, const ProtobufCFieldDescriptor *f,
    void *message, const json_t *v)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	void *at = nri_json_into_at(message, f->offset), *sub;

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return nri_json_put_repeated(mem, f, message, v);
	if (f->type != PROTOBUF_C_TYPE_MESSAGE) {
		nri_json_put(f->type, at, v);
		return 0;
	}
	if (!nri_json_is_optional(d)) {
		*(void **)at = nri_json_into(mem, d, v);
		return *(void **)at == NULL ? -1 : 0;
	}
	sub = nri_json_message(mem, d);
	if (sub == NULL)
		return -1;
	nri_json_put(d->fields[0].type,
	    nri_json_into_at(sub, d->fields[0].offset), v);
	*(void **)at = sub;
	return 0;
}

void *
nri_json_into(struct pballoc *mem, const ProtobufCMessageDescriptor *desc,
    const json_t *object)
{
	void *m = nri_json_message(mem, desc);
	char key[NRI_KEY_MAX];
	const json_t *v;

	for (unsigned int i = 0; m != NULL && i < desc->n_fields; i++) {
		nri_json_key(key, desc->fields[i].name);
		v = json_object_get(object, key);
		if (v != NULL && !json_is_null(v) &&
		    nri_json_put_field(mem, &desc->fields[i], m, v) == -1)
			return NULL;
	}
	return m;
}
