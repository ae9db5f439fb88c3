#include <sys/prctl.h>

#include <linux/capability.h>

#include <stddef.h>

#include "lib/capdrop.h"
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

int
drop_capabilities(struct cerr *err)
{
	uint64_t caps = 0;

	for (size_t i = 0; i < sizeof(drop_keep) / sizeof(drop_keep[0]); i++)
		caps |= UINT64_C(1) << drop_keep[i].cap;
	if (capdrop_keep(caps, err) == -1)
		return -1;
	/* exec makes it what it was. */
	if (prctl(PR_SET_DUMPABLE, 0L) == -1)
		return cerr_errno(err, "PR_SET_DUMPABLE");
	return 0;
}
