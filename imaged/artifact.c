#include <stdio.h>
#include <string.h>

#include "imaged/artifact.h"

#define ARTIFACT_BLOCK	   512
#define ARTIFACT_AT_MODE   100
#define ARTIFACT_AT_UID	   108
#define ARTIFACT_AT_GID	   116
#define ARTIFACT_AT_SIZE   124
#define ARTIFACT_AT_MTIME  136
#define ARTIFACT_AT_CHKSUM 148
#define ARTIFACT_AT_TYPE   156
#define ARTIFACT_AT_MAGIC  257
#define ARTIFACT_SHORT	   100 /* bytes of a name in a header */
#define ARTIFACT_OCTAL_MAX (UINT64_C(1) << 33)

static bool
artifact_part_valid(const char *part, size_t len)
{
	if (len == 0 || strncmp(part, ".wh.", 4) == 0)
		return false;
	if (part[0] == '.' && (len == 1 || (len == 2 && part[1] == '.')))
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)part[i] < ' ' || part[i] == 0x7f)
			return false;
	}
	return true;
}

bool
artifact_name_valid(const char *name)
{
	size_t len;

	if (strlen(name) >= ARTIFACT_NAME_SIZE)
		return false;
	for (;; name += len + 1) {
		len = strcspn(name, "/");
		if (!artifact_part_valid(name, len))
			return false;
		if (name[len] == '\0')
			return true;
	}
}

/* A size that 11 octal digits do not hold is binary. */
static void
artifact_size(uint8_t *field, uint64_t size)
{
	if (size < ARTIFACT_OCTAL_MAX) {
		(void)snprintf((char *)field, 12, "%011llo",
		    (unsigned long long)size);
		return;
	}
	field[0] = 0x80;
	for (int i = 11; i > 3; i--, size >>= 8)
		field[i] = (uint8_t)size;
}

static void
artifact_header(uint8_t b[ARTIFACT_BLOCK], const char *name, uint64_t size,
    char type)
{
	unsigned int sum = 0;

	memset(b, 0, ARTIFACT_BLOCK);
	memcpy(b, name, strnlen(name, ARTIFACT_SHORT));
	memcpy(b + ARTIFACT_AT_MODE, "0000644", 7);
	memcpy(b + ARTIFACT_AT_UID, "0000000", 7);
	memcpy(b + ARTIFACT_AT_GID, "0000000", 7);
	artifact_size(b + ARTIFACT_AT_SIZE, size);
	memcpy(b + ARTIFACT_AT_MTIME, "00000000000", 11);
	memset(b + ARTIFACT_AT_CHKSUM, ' ', 8);
	b[ARTIFACT_AT_TYPE] = (uint8_t)type;
	memcpy(b + ARTIFACT_AT_MAGIC, "ustar  ", 7); /* GNU's */
	for (size_t i = 0; i < ARTIFACT_BLOCK; i++)
		sum += b[i];
	(void)snprintf((char *)b + ARTIFACT_AT_CHKSUM, 8, "%06o", sum);
}

size_t
artifact_head(const char *name, uint64_t size, uint8_t buf[ARTIFACT_HEAD_MAX])
{
	size_t len = strlen(name), n = 0;

	if (len > ARTIFACT_SHORT) {
		artifact_header(buf, "././@LongLink", len + 1, 'L');
		memset(buf + ARTIFACT_BLOCK, 0, ARTIFACT_BLOCK);
		memcpy(buf + ARTIFACT_BLOCK, name, len);
		n = 2 * (size_t)ARTIFACT_BLOCK;
	}
	artifact_header(buf + n, name, size, '0');
	return n + ARTIFACT_BLOCK;
}

size_t
artifact_tail(uint64_t size)
{
	size_t over = size % ARTIFACT_BLOCK;

	return (over == 0 ? 0 : ARTIFACT_BLOCK - over) +
	       2 * (size_t)ARTIFACT_BLOCK;
}
