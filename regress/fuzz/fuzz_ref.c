#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is taken must have a full form that is its own full form. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = strndup((const char *)data, len);
	char full[REF_TEXT_SIZE], again[REF_TEXT_SIZE];
	struct ref ref;
	struct cerr err;

	if (text != NULL && ref_parse(text, &ref, &err) == 0) {
		ref_text(&ref, full);
		if (ref_parse(full, &ref, &err) == -1)
			abort();
		ref_text(&ref, again);
		if (strcmp(full, again) != 0 || strstr(full, "/../") != NULL)
			abort();
	}
	free(text);
	return 0;
}
