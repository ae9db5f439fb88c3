#include <stdint.h>
#include <stdlib.h>

#include "imaged/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
count(void *arg, struct policy_key *key)
{
	size_t *n = arg;

	if (key->path[0] != '/' || key->data != NULL)
		abort();
	(*n)++;
}

/* Whatever is taken has something to require of any image. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct policy *p = policy_parse("fuzz", data, len, NULL);
	const struct policy_scope *s;
	struct ref ref;
	size_t n = 0;

	if (p == NULL)
		return 0;
	policy_each_file(p, count, &n);
	if (ref_parse("a.b.c:5000/d/e:f", &ref, NULL) == -1)
		abort();
	s = policy_find(p, &ref);
	if (s == NULL || s->nreqs == 0 || policy_find(p, NULL) == NULL)
		abort();
	(void)policy_accepts_all(s);
	policy_free(p);
	return 0;
}
