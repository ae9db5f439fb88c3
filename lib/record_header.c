#include <string.h>

#include "lib/record.h"

/* CRC-32 of ISO 3309, bit by bit: records are small. */
uint32_t
record_crc(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static void
record_put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

uint16_t
record_owner(const char *owner)
{
	uint32_t crc = record_crc((const uint8_t *)owner, strlen(owner));
	uint16_t mark = (uint16_t)(crc ^ crc >> 16);

	return mark != 0 ? mark : 1;
}

void
record_header(uint8_t header[RECORD_HEADER], const char *owner, const void *buf,
    size_t len)
{
	uint16_t mark = record_owner(owner);

	memset(header, 0, RECORD_HEADER);
	memcpy(header, RECORD_MAGIC, sizeof(RECORD_MAGIC) - 1);
	header[5] = RECORD_VERSION;
	header[6] = (uint8_t)mark;
	header[7] = (uint8_t)(mark >> 8);
	record_put32(header + 8, (uint32_t)len);
	record_put32(header + 12, record_crc(buf, len));
}
