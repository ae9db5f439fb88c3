/* A file of credentials; what it has for a repository. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/authfile.h"
#include "lib/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "docker.io/library/busybox",
		"localhost:5000/a/b/c", "", "x" };
	struct authfile *f;
	struct cerr err;

	f = authfile_parse("fuzz", data, size, &err);
	if (f == NULL) {
		assert(strncmp(err.text, "fuzz", 4) == 0);
		return 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)authfile_find(f, names[i]);
	assert(authfile_key(f) != NULL);
	(void)authfile_helpers(f);
	authfile_free(f);
	return 0;
}
