#include <stdint.h>
#include <stdlib.h>

#include "imaged/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct manifest m;
	static struct manifest_config c;
	struct cerr err;

	if (manifest_parse(data, len, NULL, NULL,
		manifest_platform_of("x86_64"), &m, &err) == 0) {
		if (m.kind == MANIFEST_INDEX && !digest_valid(m.chosen.digest))
			abort();
		for (size_t i = 0; i < m.nlayers; i++) {
			if (!digest_valid(m.layers[i].digest))
				abort();
		}
	}
	(void)!manifest_config_parse(data, len, 1, &c, &err);
	return 0;
}
