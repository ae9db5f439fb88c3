#include <protobuf-c/protobuf-c.h>

#include <stdlib.h>
#include <string.h>

#include "imsg/codec.h"
#include "imsg/link.h"
#include "proto/msg.pb-c.h"

#define F(name)		 NULL
#define P(package, name) &package##__##name##__descriptor

static const ProtobufCMessageDescriptor *const codec_descs[] = {
#define MSG(n, from, to, st, codec, max, fmin, fmax, reply) [MSG_##n] = codec,
#include "imsg/msg_table.h"
#undef MSG
};

static int
codec_pb_pack(enum msg_type type, const void *body, uint8_t **data, size_t *len)
{
	(void)type;
	*len = protobuf_c_message_get_packed_size(body);
	*data = malloc(*len + 1);
	if (*data == NULL)
		return -1;
	(void)protobuf_c_message_pack(body, *data);
	return 0;
}

static void *
codec_pb_unpack(enum msg_type type, const uint8_t *data, size_t len)
{
	return protobuf_c_message_unpack(codec_descs[type], NULL, len, data);
}

static void
codec_pb_free(enum msg_type type, void *body)
{
	(void)type;
	protobuf_c_message_free_unpacked(body, NULL);
}

static void
codec_pb_error_get(const void *body, struct cerr *err)
{
	const Criod__Error *e = body;

	(void)cerr_set(err, cerr_code_from(e->code), "%s", e->text);
}

static void
codec_pb_error_send(struct link_call *call, const struct cerr *err)
{
	Criod__Error e;
	char text[CERR_TEXT_MAX];

	criod__error__init(&e);
	memcpy(text, err->text, sizeof(text));
	e.code = err->code;
	e.text = text;
	link_reply(call, MSG_ERROR, &e, NULL, 0);
}

const struct codec_pb codec_pb = {
	codec_pb_pack,
	codec_pb_unpack,
	codec_pb_free,
	codec_pb_error_get,
	codec_pb_error_send,
};
