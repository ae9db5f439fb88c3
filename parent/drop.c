#include <sys/prctl.h>

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "parent/drop.h"

/*
 * The bounding set stays as it is: a helper's capabilities come from it when
 * it is executed as root, and execlaunch, a child of this process, needs all
 * of it for containers that are allowed all.  For the same reason there is
 * neither no_new_privs, nor Landlock, nor a system call filter here: each
 * would be inherited by the launchers, and by every container.  What keeps
 * the parent safe is that it reads nothing but its own configuration and
 * fixed-size messages, and links no library that parses more.
 */
static const struct {
	unsigned int cap;
	const char *why;
} drop_keep[] = {
	{ CAP_CHOWN, "layer directories, listening sockets" },
	{ CAP_DAC_OVERRIDE, "the store's directories are _crioimage's" },
	{ CAP_FOWNER, "modes of those, once they are given away" },
	{ CAP_KILL, "helpers run as other users" },
};

#define DROP_NKEEP (sizeof(drop_keep) / sizeof(drop_keep[0]))

static bool
drop_kept(unsigned int cap)
{
	for (size_t i = 0; i < DROP_NKEEP; i++) {
		if (drop_keep[i].cap == cap)
			return true;
	}
	return false;
}

int
drop_capabilities(struct cerr *err)
{
	if (capng_get_caps_process() != 0)
		return cerr_set(err, CERR_INTERNAL,
		    "cannot read capabilities");
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (!drop_kept(cap))
			(void)capng_update(CAPNG_DROP,
			    CAPNG_EFFECTIVE | CAPNG_PERMITTED, cap);
		(void)capng_update(CAPNG_DROP, CAPNG_INHERITABLE, cap);
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L) ==
		-1 ||
	    capng_apply(CAPNG_SELECT_CAPS) != 0)
		return cerr_errno(err, "drop capabilities");
	if (capng_get_caps_process() != 0)
		return cerr_set(err, CERR_INTERNAL,
		    "cannot read capabilities");
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (capng_have_capability(CAPNG_PERMITTED, cap) &&
		    !drop_kept(cap))
			return cerr_set(err, CERR_INTERNAL,
			    "capability %u is still there", cap);
	}
	if (prctl(PR_SET_DUMPABLE, 0L) == -1)
		return cerr_errno(err, "PR_SET_DUMPABLE");
	return 0;
}
