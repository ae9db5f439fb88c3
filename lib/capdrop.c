#include <sys/prctl.h>

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>

#include "lib/capdrop.h"

static bool
capdrop_kept(uint64_t caps, unsigned int cap)
{
	return (caps & (UINT64_C(1) << cap)) != 0;
}

static int
capdrop_prove(uint64_t caps, struct cerr *err)
{
	if (capng_get_caps_process() != 0)
		return cerr_set(err, CERR_INTERNAL, "cannot read capabilities");
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (capng_have_capability(CAPNG_PERMITTED, cap) &&
		    !capdrop_kept(caps, cap))
			return cerr_set(err, CERR_INTERNAL,
			    "capability %u is still there", cap);
	}
	return 0;
}

int
capdrop_keep(uint64_t caps, struct cerr *err)
{
	if (capng_get_caps_process() != 0)
		return cerr_set(err, CERR_INTERNAL, "cannot read capabilities");
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (!capdrop_kept(caps, cap))
			(void)capng_update(CAPNG_DROP,
			    CAPNG_EFFECTIVE | CAPNG_PERMITTED, cap);
		(void)capng_update(CAPNG_DROP, CAPNG_INHERITABLE, cap);
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L) == -1 ||
	    capng_apply(CAPNG_SELECT_CAPS) != 0)
		return cerr_errno(err, "drop capabilities");
	return capdrop_prove(caps, err);
}
