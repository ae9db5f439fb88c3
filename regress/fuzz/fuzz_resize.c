/* Terminal sizes, in pieces. */
#include <assert.h>
#include <stdint.h>

#include "lib/json.h"
#include "streamd/resize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resize r = { .len = 0 };
	struct resize_size s;
	size_t step;

	if (size < 1)
		return 0;
	step = data[0] % 64 + 1U;
	for (size_t at = 1; at < size; at += step) {
		(void)!resize_take(&r, (const char *)data + at,
		    size - at < step ? size - at : step, &s);
		assert(r.len <= sizeof(r.text));
	}
	return 0;
}
