#include <stdint.h>
#include <stdlib.h>

#include "execd/seccomp_load.h"
#include "lib/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A profile that is taken is taken again as it came out, to the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct seccomp_host host = { 1, { 6, 1 } };
	json_t *in =
	    json_read_bounded("fuzz", data, len, SECCOMP_LOAD_MAX, NULL);
	json_t *one = in != NULL ? seccomp_load(in, &host, NULL) : NULL;
	json_t *two = one != NULL ? seccomp_load(one, &host, NULL) : NULL;

	if (one != NULL && (two == NULL || !json_equal(one, two)))
		abort();
	json_decref(in);
	json_decref(one);
	json_decref(two);
	return 0;
}
