#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/yamljson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *const integers[] = { "major", "gid", NULL };

/* What is taken can be said in JSON, and is the same then. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cerr err;
	json_t *doc = yamljson_read((const char *)data, len, 1024 * 1024,
		   integers, &err),
	       *again;
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
