#include <stdbool.h>
#include <string.h>

#include "lib/ttrpc_pb.h"

#define PB_VARINT 0
#define PB_FIXED8 1
#define PB_BYTES  2
#define PB_FIXED4 5

#define PB_VARINT_MAX 10 /* bytes of one */

struct pb_in {
	const uint8_t *p, *end;
};

struct pb_field {
	uint64_t number;
	unsigned int wire;
	uint64_t value;		/* of a varint */
	struct ttrpc_text text; /* of bytes */
};

/* No bytes may be no pointer either. */
static struct pb_in
pb_open(const uint8_t *buf, size_t len)
{
	static const uint8_t none[1];

	if (len == 0)
		buf = none;
	return (struct pb_in){ buf, buf + len };
}

static int
pb_get_varint(struct pb_in *in, uint64_t *value)
{
	*value = 0;
	for (unsigned int i = 0; i < PB_VARINT_MAX && in->p < in->end; i++) {
		uint8_t b = *in->p++;

		*value |= (uint64_t)(b & 0x7f) << (7 * i);
		if ((b & 0x80) == 0)
			return 0;
	}
	return -1;
}

static int
pb_get_text(struct pb_in *in, uint64_t len, struct ttrpc_text *text)
{
	if (len > (uint64_t)(in->end - in->p))
		return -1;
	text->data = in->p;
	text->len = (size_t)len;
	in->p += len;
	return 0;
}

/* 1 with a field, 0 at the end, -1 if malformed. */
static int
pb_get_field(struct pb_in *in, struct pb_field *f)
{
	uint64_t tag;

	if (in->p == in->end)
		return 0;
	memset(f, 0, sizeof(*f));
	if (pb_get_varint(in, &tag) == -1)
		return -1;
	f->number = tag >> 3;
	f->wire = tag & 7;
	if (f->number == 0)
		return -1;
	switch (f->wire) {
	case PB_VARINT:
		return pb_get_varint(in, &f->value) == -1 ? -1 : 1;
	case PB_FIXED8:
		return pb_get_text(in, 8, &f->text) == -1 ? -1 : 1;
	case PB_FIXED4:
		return pb_get_text(in, 4, &f->text) == -1 ? -1 : 1;
	case PB_BYTES:
		if (pb_get_varint(in, &f->value) == -1)
			return -1;
		return pb_get_text(in, f->value, &f->text) == -1 ? -1 : 1;
	default:
		return -1;
	}
}

static bool
pb_is(const struct pb_field *f, uint64_t number, unsigned int wire)
{
	return f->number == number && f->wire == wire;
}

int
ttrpc_pb_get_request(const uint8_t *buf, size_t len, struct ttrpc_pb_request *r)
{
	struct pb_in in = pb_open(buf, len);
	struct pb_field f;
	int rv;

	memset(r, 0, sizeof(*r));
	while ((rv = pb_get_field(&in, &f)) == 1) {
		if (pb_is(&f, 1, PB_BYTES))
			r->service = f.text;
		else if (pb_is(&f, 2, PB_BYTES))
			r->method = f.text;
		else if (pb_is(&f, 3, PB_BYTES))
			r->payload = f.text;
		else if (pb_is(&f, 4, PB_VARINT))
			r->timeout_ns = (int64_t)f.value;
	}
	return rv;
}

static int
pb_get_status(const struct ttrpc_text *text, struct ttrpc_pb_response *r)
{
	struct pb_in in = pb_open(text->data, text->len);
	struct pb_field f;
	int rv;

	while ((rv = pb_get_field(&in, &f)) == 1) {
		if (pb_is(&f, 1, PB_VARINT))
			r->code = f.value > UINT32_MAX ? UINT32_MAX
						       : (uint32_t)f.value;
		else if (pb_is(&f, 2, PB_BYTES))
			r->message = f.text;
	}
	return rv;
}

int
ttrpc_pb_get_response(const uint8_t *buf, size_t len,
    struct ttrpc_pb_response *r)
{
	struct pb_in in = pb_open(buf, len);
	struct pb_field f;
	int rv;

	memset(r, 0, sizeof(*r));
	while ((rv = pb_get_field(&in, &f)) == 1) {
		if (pb_is(&f, 1, PB_BYTES)) {
			if (pb_get_status(&f.text, r) == -1)
				return -1;
		} else if (pb_is(&f, 2, PB_BYTES))
			r->payload = f.text;
	}
	return rv;
}

/* ---- writing ---- */

static size_t
pb_varint_size(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

static uint8_t *
pb_put_varint(uint8_t *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*out++ = (uint8_t)(v | 0x80);
	*out++ = (uint8_t)v;
	return out;
}

/* Field numbers here are below 16: a tag is one byte.  Nothing if empty. */
static size_t
pb_text_size(const struct ttrpc_text *t)
{
	return t->len == 0 ? 0 : 1 + pb_varint_size(t->len) + t->len;
}

static uint8_t *
pb_put_text(uint8_t *out, unsigned int number, const struct ttrpc_text *t)
{
	if (t->len == 0)
		return out;
	*out++ = (uint8_t)(number << 3 | PB_BYTES);
	out = pb_put_varint(out, t->len);
	memcpy(out, t->data, t->len);
	return out + t->len;
}

static size_t
pb_number_size(uint64_t v)
{
	return v == 0 ? 0 : 1 + pb_varint_size(v);
}

static uint8_t *
pb_put_number(uint8_t *out, unsigned int number, uint64_t v)
{
	if (v == 0)
		return out;
	*out++ = (uint8_t)(number << 3 | PB_VARINT);
	return pb_put_varint(out, v);
}

size_t
ttrpc_pb_request_size(const struct ttrpc_pb_request *r)
{
	return pb_text_size(&r->service) + pb_text_size(&r->method) +
	       pb_text_size(&r->payload) +
	       pb_number_size((uint64_t)r->timeout_ns);
}

void
ttrpc_pb_put_request(const struct ttrpc_pb_request *r, uint8_t *out)
{
	out = pb_put_text(out, 1, &r->service);
	out = pb_put_text(out, 2, &r->method);
	out = pb_put_text(out, 3, &r->payload);
	(void)pb_put_number(out, 4, (uint64_t)r->timeout_ns);
}

static size_t
pb_status_size(const struct ttrpc_pb_response *r)
{
	return pb_number_size(r->code) + pb_text_size(&r->message);
}

size_t
ttrpc_pb_response_size(const struct ttrpc_pb_response *r)
{
	size_t status = pb_status_size(r);

	return 1 + pb_varint_size(status) + status + pb_text_size(&r->payload);
}

/* The status is always there: some clients look at it unasked. */
void
ttrpc_pb_put_response(const struct ttrpc_pb_response *r, uint8_t *out)
{
	*out++ = 1 << 3 | PB_BYTES;
	out = pb_put_varint(out, pb_status_size(r));
	out = pb_put_number(out, 1, r->code);
	out = pb_put_text(out, 2, &r->message);
	(void)pb_put_text(out, 2, &r->payload);
}
