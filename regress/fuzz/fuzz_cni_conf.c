#include <stdint.h>
#include <stdlib.h>

#include "netd/conf.h"
#include "netd/plugin.h"
#include "netd/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cerr err;
	struct conf *c = conf_parse("fuzz", data, len, &err);
	size_t n;

	for (size_t i = 0; c != NULL && i < conf_count(c); i++) {
		if (!plugin_name_valid(conf_type(c, i)) ||
		    (conf_ipam(c, i) != NULL &&
			!plugin_name_valid(conf_ipam(c, i))))
			abort();
		free(request_make(c, i, NULL, NULL, NULL, &n));
	}
	conf_unref(c);
	return 0;
}
