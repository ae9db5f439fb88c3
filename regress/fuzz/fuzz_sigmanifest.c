#include <stdint.h>
#include <stdlib.h>

#include "imaged/sigmanifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char digest[] = DIGEST_PREFIX
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sigmanifest m;
	struct sigset set = { 0 };

	if (sigmanifest_parse(data, len, digest, &set, &m, NULL) == 0) {
		if (m.n != set.n)
			abort();
		for (size_t i = 0; i < m.n; i++) {
			if (!digest_valid(m.blobs[i].digest) ||
			    m.blobs[i].sig >= set.n)
				abort();
		}
	}
	sigset_clear(&set);
	return 0;
}
