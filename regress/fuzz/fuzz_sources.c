#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The parent gets them as lines, with tabs between. */
static void
section(void *arg, const struct sources_section *s)
{
	(void)arg;
	if (strpbrk(s->scope, "\t\r\n") != NULL ||
	    strpbrk(s->lookaside, "\t\r\n") != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	(void)sources_read((const char *)data, len, section, NULL, NULL);
	return 0;
}
