/* Names of a layer's entries: what passes is relative, clean and bounded. */
#include <stdlib.h>
#include <string.h>

#include "imaged/unpack_path.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void
fuzz_check(const struct unpack_path *p)
{
	const char *c = p->full;

	if (*c == '/' || p->parent_len > strlen(c) || strchr(p->base, '/'))
		abort();
	for (; *c != '\0'; c += strcspn(c, "/"), c += *c == '/') {
		size_t len = strcspn(c, "/");

		if (len == 0 || len > UNPACK_COMPONENT_MAX ||
		    (len == 1 && c[0] == '.') ||
		    (len == 2 && c[0] == '.' && c[1] == '.'))
			abort();
	}
	if (p->kind == UNPACK_NAME_WHITEOUT &&
	    (*p->target == '\0' || strcmp(p->target, "..") == 0))
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct unpack_path p;
	struct cerr err;
	char *name = strndup((const char *)data, size);

	if (unpack_path_parse(name, &p, &err) == 0)
		fuzz_check(&p);
	else if (err.code != CERR_INVALID_ARGUMENT)
		abort();
	free(name);
	return 0;
}
