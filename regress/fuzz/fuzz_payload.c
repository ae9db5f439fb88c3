#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/identity.h"
#include "imaged/payload.h"
#include "imaged/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char digest[] = DIGEST_PREFIX
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static char a[] = "docker.io", b[] = "r.example/x";

/* What names nothing that could be asked for matches nothing. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct policy_identity id = { POLICY_MATCH_REMAP, a, b };
	struct payload p;
	struct ref wanted, ref;

	if (payload_statement(data, len, digest, &p, NULL) == 0 &&
	    !digest_valid(p.digest))
		abort();
	if (payload_parse(data, len, PAYLOAD_SIMPLE, &p, NULL) == -1)
		return 0;
	if (!digest_valid(p.digest) ||
	    ref_parse("busybox:1", &wanted, NULL) == -1)
		abort();
	if (identity_match(&id, &wanted, p.reference) &&
	    (ref_parse(p.reference, &ref, NULL) == -1 ||
		strcmp(ref.domain, "r.example") != 0))
		abort();
	return 0;
}
