#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "execd/launch.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/record.h"

#define RECORD_BODY_MAX 2048
#define RECORD_SPARE	".spare"

/*
 * Without its record nothing says which processes are a container's: so there
 * are two of each, the second for when the first cannot be read.
 */
static void
record_spare_name(const char *name, char spare[NAME_MAX + 1])
{
	(void)snprintf(spare, NAME_MAX + 1, "%s%s", name, RECORD_SPARE);
}

int
launch_record_write(const struct launch *l, const char *name,
    const struct fixed_launch_rec *r, struct cerr *err)
{
	int dir = l->dirs[LAUNCH_DIR_LAUNCH];
	size_t len = fixed_size(&fixed_desc_launch_rec);
	uint8_t buf[RECORD_BODY_MAX];
	char spare[NAME_MAX + 1];

	fixed_encode(&fixed_desc_launch_rec, r, buf);
	record_spare_name(name, spare);
	if (record_write(dir, name, name, buf, len, false, err) == -1)
		return -1;
	return record_write(dir, spare, name, buf, len, false, err);
}

static int
record_take(const struct launch *l, const char *file, const char *name,
    struct fixed_launch_rec *r, struct cerr *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	size_t len = 0;

	if (record_read(l->dirs[LAUNCH_DIR_LAUNCH], file, name, &buf, &len,
		err) == -1)
		return -1;
	if (fixed_decode_part(&fixed_desc_launch_rec, buf, len, r) == -1)
		return cerr_set(err, CERR_DATA_LOSS, "record %s: damaged",
		    file);
	return 0;
}

int
launch_record_read(const struct launch *l, const char *name,
    struct fixed_launch_rec *r, struct cerr *err)
{
	char spare[NAME_MAX + 1];
	struct cerr why;

	if (record_take(l, name, name, r, &why) == 0)
		return 0;
	record_spare_name(name, spare);
	if (record_take(l, spare, name, r, NULL) == -1)
		return cerr_set(err, why.code, "%s", why.text);
	log_warn("%s: using the spare", why.text);
	return 0;
}

/* With what record_write leaves if it is killed. */
static void
record_unlink(const struct launch *l, const char *file)
{
	record_aside_drop(l->dirs[LAUNCH_DIR_LAUNCH], file);
	(void)unlinkat(l->dirs[LAUNCH_DIR_LAUNCH], file, 0);
}

void
launch_record_remove(const struct launch *l, const char *name)
{
	char spare[NAME_MAX + 1];

	record_spare_name(name, spare);
	record_unlink(l, spare);
	record_unlink(l, name);
}
