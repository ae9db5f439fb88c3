#include <endian.h>
#include <string.h>

#include "execd/launch_cgimg.h"

#define CGIMG_COMMON 0x54564319U /* of all images */
#define CGIMG_OWN    0x59383330U
#define CGIMG_HEAD   12
#define CGIMG_SETS   32 /* whatever number the tasks have */
#define CGIMG_PATH   1024
#define CGIMG_BODY   (CGIMG_PATH + 64)

/* Keys of protobuf: field << 3 | type; 0 a number, 2 bytes. */
enum {
	CGIMG_ENTRY_SETS = 1 << 3 | 2,
	CGIMG_ENTRY_CONTROLLERS = 2 << 3 | 2,
	CGIMG_SET_ID = 1 << 3,
	CGIMG_SET_CTLS = 2 << 3 | 2,
	CGIMG_MEMBER_NAME = 1 << 3 | 2,
	CGIMG_MEMBER_PATH = 2 << 3 | 2,
	CGIMG_MEMBER_PREFIX = 3 << 3,
	CGIMG_CONTROLLER_CNAMES = 1 << 3 | 2,
};

struct cgimg {
	uint8_t *buf;
	size_t len;
};

static void
cgimg_number(struct cgimg *m, uint8_t key, size_t v)
{
	m->buf[m->len++] = key;
	for (; v >= 0x80; v >>= 7)
		m->buf[m->len++] = (uint8_t)(v | 0x80);
	m->buf[m->len++] = (uint8_t)v;
}

static void
cgimg_bytes(struct cgimg *m, uint8_t key, const void *data, size_t len)
{
	cgimg_number(m, key, len);
	memcpy(m->buf + m->len, data, len);
	m->len += len;
}

/* The hierarchy of version 2 is the one without a name. */
static void
cgimg_set(struct cgimg *out, size_t id, const char *path)
{
	uint8_t member[CGIMG_BODY], set[CGIMG_BODY];
	struct cgimg m = { member, 0 }, s = { set, 0 };

	cgimg_bytes(&m, CGIMG_MEMBER_NAME, "", 0);
	cgimg_bytes(&m, CGIMG_MEMBER_PATH, path, strlen(path));
	cgimg_number(&m, CGIMG_MEMBER_PREFIX, strlen(path));
	cgimg_number(&s, CGIMG_SET_ID, id);
	cgimg_bytes(&s, CGIMG_SET_CTLS, m.buf, m.len);
	cgimg_bytes(out, CGIMG_ENTRY_SETS, s.buf, s.len);
}

size_t
cgimg_make(const char *path, uint8_t buf[CGIMG_MAX])
{
	struct cgimg out = { buf + CGIMG_HEAD, 0 };
	uint8_t body[8];
	struct cgimg c = { body, 0 };
	uint32_t head[3];

	if (strlen(path) > CGIMG_PATH)
		return 0;
	for (size_t id = 1; id <= CGIMG_SETS; id++)
		cgimg_set(&out, id, path);
	cgimg_bytes(&c, CGIMG_CONTROLLER_CNAMES, "", 0);
	cgimg_bytes(&out, CGIMG_ENTRY_CONTROLLERS, c.buf, c.len);
	head[0] = htole32(CGIMG_COMMON);
	head[1] = htole32(CGIMG_OWN);
	head[2] = htole32((uint32_t)out.len);
	memcpy(buf, head, sizeof(head));
	return CGIMG_HEAD + out.len;
}
