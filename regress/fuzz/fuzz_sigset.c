#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/sigset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What can be read is written as it was. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sigset set = { 0 };
	uint8_t *again;
	size_t n;

	if (sigset_unpack(&set, data, len, NULL) == 0) {
		sigset_pack(&set, &again, &n);
		if (n != len || memcmp(again, data, n) != 0)
			abort();
		free(again);
	}
	sigset_clear(&set);
	return 0;
}
