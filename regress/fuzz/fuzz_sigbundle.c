#include <stdint.h>
#include <stdlib.h>

#include "imaged/digest.h"
#include "imaged/sigatomic.h"
#include "imaged/sigbundle.h"
#include "imaged/sigreferrer.h"
#include "imaged/sigset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char digest[] = DIGEST_PREFIX
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* All that a registry says of cosign 3's signatures, and of its own. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sigreferrer_list l;
	struct sigset set = { 0 };
	struct sigreferrer_desc d;

	if (sigreferrer_parse(data, len, &l, NULL) == 0) {
		for (size_t i = 0; i < l.n; i++) {
			if (!digest_valid(l.list[i].digest))
				abort();
		}
	}
	if (sigreferrer_blob(data, len, digest, &d, NULL) == 0 && d.size > 0 &&
	    (!digest_valid(d.digest) || d.size > SIGSET_PART_MAX))
		abort();
	if (sigbundle_add(&set, digest, data, len, NULL) == 0 &&
	    (set.n != 1 || set.sigs[0].part[SIG_BODY].data == NULL ||
		set.sigs[0].part[SIG_SIGNATURE].data == NULL))
		abort();
	(void)sigatomic_parse(data, len, digest, &set, NULL);
	sigset_clear(&set);
	return 0;
}
