#include <arpa/inet.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netd/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cerr err;
	struct result_ips ips;
	struct in6_addr raw;
	json_t *r = result_parse("p", "1.0.0", data, len, &err);

	if (r != NULL && result_ips_get(r, "eth0", &ips, &err) == -1)
		abort();
	for (size_t i = 0; r != NULL && i < ips.n; i++) {
		if (inet_pton(strchr(ips.ip[i], ':') ? AF_INET6 : AF_INET,
			ips.ip[i], &raw) != 1)
			abort();
	}
	json_decref(r);
	result_error("p", "ADD", 1, data, len, "", &err);
	return 0;
}
