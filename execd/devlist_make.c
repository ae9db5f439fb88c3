#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/devlist.h"
#include "lib/fdio.h"

#define DEVLIST_DEPTH 16

/* nftw gives its callback no argument. */
static struct {
	FILE *out;
	size_t n;
} devlist;

static char
devlist_type(mode_t mode)
{
	return S_ISBLK(mode) ? 'b' : S_ISCHR(mode) ? 'c' : '\0';
}

static void
devlist_print(FILE *out, const char *path, const struct stat *st)
{
	(void)fprintf(out, "%c %u %u %o %u %u %s\n", devlist_type(st->st_mode),
	    major(st->st_rdev), minor(st->st_rdev), st->st_mode & 07777U,
	    st->st_uid, st->st_gid, path);
}

/* What every container has of its own. */
static bool
devlist_skipped(const char *name)
{
	static const char *const names[] = { "pts", "shm", "mqueue", "fd",
		"console", "ptmx", "lxd" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return name[0] == '.';
}

static int
devlist_visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (at->level > 0 && devlist_skipped(path + at->base))
		return type == FTW_D ? FTW_SKIP_SUBTREE : FTW_CONTINUE;
	if (type != FTW_F || devlist_type(st->st_mode) == '\0' ||
	    strchr(path, '\n') != NULL)
		return FTW_CONTINUE;
	if (++devlist.n > DEVLIST_ENTRIES)
		return FTW_STOP;
	devlist_print(devlist.out, path, st);
	return FTW_CONTINUE;
}

static int
devlist_fill(FILE *out, const char *path, struct cerr *err)
{
	struct stat st;

	int found = stat(path, &st);

	if (found == -1 && (errno == ENOENT || errno == ENOTDIR))
		return cerr_set(err, CERR_NOT_FOUND, "device %s: not there",
		    path);
	if (found == -1)
		return cerr_errno(err, "device %s", path);
	if (devlist_type(st.st_mode) != '\0') {
		devlist_print(out, path, &st);
		return 0;
	}
	if (!S_ISDIR(st.st_mode))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s is neither a device nor a directory", path);
	devlist.out = out;
	devlist.n = 0;
	if (nftw(path, devlist_visit, DEVLIST_DEPTH,
		FTW_PHYS | FTW_ACTIONRETVAL) != 0)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "%s: too many devices", path);
	return 0;
}

int
devlist_make(const char *path, struct cerr *err)
{
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int ret, fd;

	if (out == NULL)
		return cerr_errno(err, "list devices");
	ret = devlist_fill(out, path, err);
	if (fclose(out) != 0)
		return cerr_errno(err, "list devices");
	if (ret == -1)
		return -1;
	fd = fdio_memfd_sealed("devices", text, len);
	return fd != -1 ? fd : cerr_errno(err, "list devices");
}
