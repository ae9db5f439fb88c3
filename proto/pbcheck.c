#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/pbcheck.h"

enum {
	PBCHECK_VARINT = 0,
	PBCHECK_FIXED64 = 1,
	PBCHECK_BYTES = 2,
	PBCHECK_FIXED32 = 5,
};

/* One message being read, inside the one before it. */
struct pbcheck_level {
	const ProtobufCMessageDescriptor *desc;
	const char *name; /* of the field it is in; NULL at the top */
	const uint8_t *end;
};

struct pbcheck_state {
	const uint8_t *p;
	struct pbcheck_level level[PBCHECK_DEPTH];
	size_t depth; /* of the innermost level */
	struct cerr *err;
};

static int
pbcheck_fail(struct pbcheck_state *s, const char *name, const char *what)
{
	char path[512];
	size_t n = 0;

	path[0] = '\0';
	for (size_t i = 1; i <= s->depth && n < sizeof(path); i++)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "%s%s",
		    i > 1 ? "." : "", s->level[i].name);
	if (name != NULL && n < sizeof(path))
		(void)snprintf(path + n, sizeof(path) - n, "%s%s",
		    n > 0 ? "." : "", name);
	if (path[0] == '\0')
		return cerr_set(s->err, CERR_INVALID_ARGUMENT, "%s", what);
	return cerr_set(s->err, CERR_INVALID_ARGUMENT, "%s: %s", path, what);
}

static bool
pbcheck_varint(struct pbcheck_state *s, uint64_t *value)
{
	const uint8_t *end = s->level[s->depth].end;

	*value = 0;
	for (unsigned int shift = 0; shift < 70 && s->p < end; shift += 7) {
		uint8_t c = *s->p++;

		if (shift == 63 && c > 1)
			return false;
		*value |= (uint64_t)(c & 0x7f) << shift;
		if ((c & 0x80) == 0)
			return true;
	}
	return false;
}

static bool
pbcheck_skip(struct pbcheck_state *s, uint64_t n)
{
	if (n > (uint64_t)(s->level[s->depth].end - s->p))
		return false;
	s->p += n;
	return true;
}

/* Bytes of the UTF-8 sequence at p; 0 if it is none (RFC 3629). */
static size_t
pbcheck_utf8_one(const uint8_t *p, size_t len)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	/* no overlong forms, no surrogates, nothing over U+10FFFF */
	if (p[0] == 0xe0)
		low = 0xa0;
	if (p[0] == 0xf0)
		low = 0x90;
	if (p[0] == 0xed)
		high = 0x9f;
	if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

static const char *
pbcheck_text(const uint8_t *p, size_t len)
{
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = pbcheck_utf8_one(p, len);
		if (n == 0)
			return "not valid UTF-8";
		if (*p == 0)
			return "contains a NUL byte";
	}
	return NULL;
}

static int
pbcheck_push(struct pbcheck_state *s, const ProtobufCFieldDescriptor *f,
    size_t len)
{
	struct pbcheck_level *l;

	if (s->depth + 1 == PBCHECK_DEPTH)
		return pbcheck_fail(s, f->name, "nested too deeply");
	l = &s->level[++s->depth];
	l->desc = f->descriptor;
	l->name = f->name;
	l->end = s->p + len;
	return 0;
}

/* A length-delimited field; f is NULL if unknown. */
static int
pbcheck_bytes(struct pbcheck_state *s, const ProtobufCFieldDescriptor *f,
    const char *name)
{
	const char *wrong;
	uint64_t len;

	if (!pbcheck_varint(s, &len) ||
	    len > (uint64_t)(s->level[s->depth].end - s->p))
		return pbcheck_fail(s, name, "malformed protobuf");
	if (f != NULL && f->type == PROTOBUF_C_TYPE_MESSAGE)
		return pbcheck_push(s, f, (size_t)len);
	if (f != NULL && f->type == PROTOBUF_C_TYPE_STRING) {
		wrong = pbcheck_text(s->p, (size_t)len);
		if (wrong != NULL)
			return pbcheck_fail(s, name, wrong);
	}
	s->p += len;
	return 0;
}

static int
pbcheck_field(struct pbcheck_state *s)
{
	const ProtobufCFieldDescriptor *f;
	const char *name;
	uint64_t tag, value;
	bool ok = false;

	if (!pbcheck_varint(s, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
		return pbcheck_fail(s, NULL, "malformed protobuf");
	f = protobuf_c_message_descriptor_get_field(s->level[s->depth].desc,
	    (unsigned int)(tag >> 3));
	name = f != NULL ? f->name : NULL;
	if ((tag & 7) == PBCHECK_BYTES)
		return pbcheck_bytes(s, f, name);
	if ((tag & 7) == PBCHECK_VARINT)
		ok = pbcheck_varint(s, &value);
	else if ((tag & 7) == PBCHECK_FIXED64)
		ok = pbcheck_skip(s, 8);
	else if ((tag & 7) == PBCHECK_FIXED32)
		ok = pbcheck_skip(s, 4);
	return ok ? 0 : pbcheck_fail(s, name, "malformed protobuf");
}

int
pbcheck(const ProtobufCMessageDescriptor *desc, const uint8_t *buf, size_t len,
    struct cerr *err)
{
	struct pbcheck_state s = { .err = err };

	if (len == 0)
		return 0;
	s.p = buf;
	s.level[0].desc = desc;
	s.level[0].end = buf + len;
	for (;;) {
		while (s.p == s.level[s.depth].end) {
			if (s.depth == 0)
				return 0;
			s.depth--;
		}
		if (pbcheck_field(&s) == -1)
			return -1;
	}
}
