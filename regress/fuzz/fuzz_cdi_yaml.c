#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "execd/cdi_yaml.h"
#include "lib/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What is taken can be said in JSON, and is the same then. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cerr err;
	json_t *doc = cdi_yaml_read((const char *)data, len, &err), *again;
	char *text;

	if (doc == NULL)
		return 0;
	text = json_dumps(doc, JSON_COMPACT);
	if (text == NULL)
		abort();
	again =
	    json_read_bounded("again", text, strlen(text), 16 * len + 64, &err);
	if (again == NULL || !json_equal(doc, again))
		abort();
	json_decref(again);
	json_decref(doc);
	free(text);
	return 0;
}
