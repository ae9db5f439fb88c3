#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/rekor.h"
#include "lib/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What a log is said to have signed is JSON, and the same as what was sent. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t key[] = "key";
	struct rekor_entry e = { key, key, 3, 3, key, 3 };
	struct rekor_bundle b;
	json_t *sent, *canonical;

	if (rekor_parse(data, len, &b, NULL) == -1)
		return 0;
	sent = json_read_bounded("sent", data, len, len, NULL);
	canonical = json_read_bounded("canonical", b.canonical,
	    strlen(b.canonical), strlen(b.canonical), NULL);
	if (canonical == NULL ||
	    !json_equal(canonical, json_object_get(sent, "Payload")))
		abort();
	if (rekor_match(&b, &e, NULL) == 0)
		abort();
	json_decref(sent);
	json_decref(canonical);
	rekor_clear(&b);
	return 0;
}
