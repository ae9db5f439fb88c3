#include <stdlib.h>

#include "imsg/codec.h"
#include "imsg/fixed.h"

int
codec_pack(const struct codec_pb *pb, enum msg_type type, const void *body,
    uint8_t **data, size_t *len)
{
	const struct msg_info *info = msg_info(type);

	if (info->fixed == NULL)
		return pb == NULL ? -1 : pb->pack(type, body, data, len);
	*len = fixed_size(info->fixed);
	*data = malloc(*len);
	if (*data == NULL)
		return -1;
	fixed_encode(info->fixed, body, *data);
	return 0;
}

void *
codec_unpack(const struct codec_pb *pb, enum msg_type type, const uint8_t *data,
    size_t len)
{
	const struct msg_info *info = msg_info(type);
	void *body;

	if (info->fixed == NULL)
		return pb == NULL ? NULL : pb->unpack(type, data, len);
	body = malloc(fixed_memory(info->fixed));
	if (body != NULL && fixed_decode(info->fixed, data, len, body) == -1) {
		free(body);
		body = NULL;
	}
	return body;
}

void
codec_free(const struct codec_pb *pb, enum msg_type type, void *body)
{
	if (body == NULL)
		return;
	if (msg_info(type)->fixed == NULL)
		pb->free(type, body);
	else
		free(body);
}
