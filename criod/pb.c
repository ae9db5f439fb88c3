#include <stdlib.h>
#include <string.h>

#include "criod/pb.h"
#include "lib/log.h"

void *
pb_calloc(size_t n, size_t size)
{
	void *p = calloc(n == 0 ? 1 : n, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

char *
pb_strdup(const char *s)
{
	char *copy = strdup(s);

	if (copy == NULL)
		fatal("strdup");
	return copy;
}

void *
pb_copy(const void *message)
{
	const ProtobufCMessage *m = message;
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *buf = pb_calloc(1, len);
	void *copy;

	(void)protobuf_c_message_pack(m, buf);
	copy = protobuf_c_message_unpack(m->descriptor, NULL, len, buf);
	free(buf);
	if (copy == NULL)
		fatalx("copy of a message");
	return copy;
}

void
pb_free(void *message)
{
	if (message != NULL)
		protobuf_c_message_free_unpacked(message, NULL);
}

void
pb_share(void *to, const void *from, const char *name)
{
	const ProtobufCMessage *a = to, *b = from;
	const ProtobufCFieldDescriptor *have, *want;

	want = protobuf_c_message_descriptor_get_field_by_name(a->descriptor,
	    name);
	have = protobuf_c_message_descriptor_get_field_by_name(b->descriptor,
	    name);
	if (want == NULL || have == NULL || want->label != have->label ||
	    want->type != PROTOBUF_C_TYPE_MESSAGE || have->type != want->type)
		fatalx("%s: not in both messages", name);
	memcpy((uint8_t *)to + want->offset,
	    (const uint8_t *)from + have->offset, sizeof(void *));
	if (want->label == PROTOBUF_C_LABEL_REPEATED)
		memcpy((uint8_t *)to + want->quantifier_offset,
		    (const uint8_t *)from + have->quantifier_offset,
		    sizeof(size_t));
}

/* Field 1 is the key, field 2 the value, in every map entry. */
static const char *
pb_entry_field(const void *entry, unsigned int field)
{
	const ProtobufCMessage *m = entry;
	const char *s;

	memcpy(&s, (const char *)entry + m->descriptor->fields[field].offset,
	    sizeof(s));
	return s == NULL ? "" : s;
}

const char *
pb_key(const void *entry)
{
	return pb_entry_field(entry, 0);
}

const char *
pb_value(const void *entry)
{
	return pb_entry_field(entry, 1);
}

/* Of a key given twice the last one counts, as in any protobuf map. */
const char *
pb_map_get(void *const *entries, size_t n, const char *key)
{
	for (size_t i = n; i > 0; i--) {
		if (strcmp(pb_key(entries[i - 1]), key) == 0)
			return pb_value(entries[i - 1]);
	}
	return NULL;
}

bool
pb_map_covers(void *const *have, size_t n, void *const *want, size_t nwant)
{
	for (size_t i = 0; i < nwant; i++) {
		const char *value = pb_map_get(have, n, pb_key(want[i]));

		if (value == NULL || strcmp(value, pb_value(want[i])) != 0)
			return false;
	}
	return true;
}
