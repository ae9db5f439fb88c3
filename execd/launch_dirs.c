/* Whose writable layers there are: after a power cut nobody else knows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ctr_dirs.h"
#include "execd/launch.h"
#include "lib/fdio.h"
#include "lib/record.h"

struct dirs_list {
	size_t len;
	char text[CTR_DIRS_BYTES];
};

static void
dirs_one(void *arg, const char *name)
{
	struct dirs_list *d = arg;

	if (!id_valid(name) || d->len == CTR_DIRS_BYTES)
		return;
	memcpy(d->text + d->len, name, ID_LEN);
	d->text[d->len + ID_LEN] = '\n';
	d->len += ID_SIZE;
}

int
launch_ctr_dirs(const struct launch *l, struct launch_op *op, struct cerr *err)
{
	CLEANUP_FREE struct dirs_list *d = malloc(sizeof(*d));

	if (d == NULL)
		return cerr_errno(err, "%s", l->container);
	d->len = 0;
	if (record_each(l->dirs[LAUNCH_DIR_CONTAINER], dirs_one, d, err) == -1)
		return -1;
	op->out[0] = fdio_memfd_sealed("containers", d->text, d->len);
	if (op->out[0] == -1)
		return cerr_errno(err, "%s", l->container);
	op->nout = 1;
	return 0;
}
