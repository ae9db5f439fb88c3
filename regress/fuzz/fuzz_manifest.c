#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include "imaged/foreign.h"
#include "imaged/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Where foreign layers are fetched from: nowhere but where they may be. */
static void
foreign(const struct manifest *m, const uint8_t *data, size_t len)
{
	static const char *const rules[] = { "r.example/b=https://b.example/",
		"*=https://a.example/x/" };
	const struct foreign_rules f = { rules, 2 };
	static char *urls[MANIFEST_LAYERS_MAX];
	struct cerr err;
	struct ref ref;

	if (ref_parse("r.example/a:1", &ref, &err) == -1)
		abort();
	if (foreign_choose(&f, &ref, m, data, len, urls, &err) == 0) {
		for (size_t i = 0; i < m->nlayers; i++) {
			if (m->layers[i].foreign &&
			    strncasecmp(urls[i], "https:", 6) != 0)
				abort();
		}
	}
	foreign_free(urls);
}

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
		foreign(&m, data, len);
	}
	(void)!manifest_config_parse(data, len, 1, &c, &err);
	return 0;
}
