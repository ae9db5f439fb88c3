#include <stdint.h>
#include <stdlib.h>

#include "imaged/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is taken: every member is found by its key, and is the first such. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cerr err;
	struct toml *t = toml_parse("fuzz", (const char *)data, len, &err);

	for (const struct toml *m = t == NULL ? NULL : t->first; m != NULL;
	     m = m->next) {
		if (toml_get(t, m->key) != m)
			abort();
	}
	toml_free(t);
	return 0;
}
