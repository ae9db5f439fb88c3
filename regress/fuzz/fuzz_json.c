#include <stdint.h>

#include "lib/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cerr err;

	json_decref(json_read_bounded("fuzz", data, len, 65536, &err));
	return 0;
}
