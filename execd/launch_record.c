#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "execd/launch.h"
#include "lib/fdio.h"
#include "lib/record.h"

#define RECORD_BODY_MAX 2048

int
launch_record_write(const struct launch *l, const char *name,
    const struct fixed_launch_rec *r, struct cerr *err)
{
	uint8_t buf[RECORD_BODY_MAX];

	fixed_encode(&fixed_desc_launch_rec, r, buf);
	return record_write(l->dirs[LAUNCH_DIR_LAUNCH], name, buf,
	    fixed_size(&fixed_desc_launch_rec), false, err);
}

int
launch_record_read(const struct launch *l, const char *name,
    struct fixed_launch_rec *r, struct cerr *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	size_t len = 0;

	if (record_read(l->dirs[LAUNCH_DIR_LAUNCH], name, &buf, &len, err) ==
	    -1)
		return -1;
	if (fixed_decode(&fixed_desc_launch_rec, buf, len, r) == -1)
		return cerr_set(err, CERR_DATA_LOSS, "record %s: damaged",
		    name);
	return 0;
}

void
launch_record_remove(const struct launch *l, const char *name)
{
	char aside[NAME_MAX + 1];

	/* What record_write leaves if it is killed. */
	(void)snprintf(aside, sizeof(aside), ".%s.new", name);
	(void)unlinkat(l->dirs[LAUNCH_DIR_LAUNCH], aside, 0);
	(void)unlinkat(l->dirs[LAUNCH_DIR_LAUNCH], name, 0);
}
