#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "execd/stat_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define ITEMS 4

static void
put_u32(uint8_t *p, size_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* The launcher's records as they are, and all but a byte as one of files. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct stat_sample s[ITEMS];
	uint64_t used, limit;
	uint8_t *record;
	bool limited;

	memset(s, 0, sizeof(s));
	if (stat_parse(data, len, s, ITEMS) == 0) {
		(void)stat_working_set(&s[0]);
		(void)stat_swap(&s[0], &used, &limited, &limit);
	}
	if (len > 0 && (record = malloc(STAT_HEADER + len)) != NULL) {
		put_u32(record, 0);
		put_u32(record + 4, data[0] % STAT_NFILES);
		put_u32(record + 8, len - 1);
		memcpy(record + STAT_HEADER, data + 1, len - 1);
		if (stat_parse(record, STAT_HEADER + len - 1, s, 1) != 0)
			abort();
		free(record);
	}
	for (int i = 0; i < ITEMS; i++)
		stat_clear(&s[i]);
	return 0;
}
