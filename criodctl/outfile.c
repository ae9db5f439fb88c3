#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"

#include "criodctl/outfile.h"

struct outfile {
	char path[PATH_MAX], part[PATH_MAX + 8]; /* final name, until then */
	int fd;	  /* of the directory, or of the archive */
	int file; /* being written, in a directory */
	struct archive *tar;
	bool to_stdout;
	char **names;
	size_t nnames;
};

static int
outfile_fail(struct outfile *a, struct cerr *err)
{
	return cerr_set(err, CERR_INTERNAL, "write %s: %s", a->path,
	    archive_error_string(a->tar));
}

static void
outfile_free(struct outfile *a)
{
	(void)archive_write_free(a->tar);
	fdio_close(&a->file);
	fdio_close(&a->fd);
	for (size_t i = 0; i < a->nnames; i++)
		free(a->names[i]);
	free(a->names);
	free(a);
}

static int
outfile_open_directory(struct outfile *a, struct cerr *err)
{
	if (mkdir(a->part, 0755) == -1)
		return cerr_errno(err, "%s", a->path);
	a->fd = open(a->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->fd == -1 || mkdirat(a->fd, "blobs", 0755) == -1 ||
	    mkdirat(a->fd, "blobs/sha256", 0755) == -1)
		return cerr_errno(err, "%s", a->path);
	return 0;
}

static int
outfile_open_tar(struct outfile *a, struct cerr *err)
{
	if (a->to_stdout)
		a->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		a->fd = open(a->part,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (a->fd == -1)
		return cerr_errno(err, "%s", a->part);
	a->tar = archive_write_new();
	if (a->tar == NULL)
		return cerr_errno(err, "archive");
	(void)archive_write_set_format_pax_restricted(a->tar);
	return archive_write_open_fd(a->tar, a->fd) == ARCHIVE_OK
		   ? 0
		   : outfile_fail(a, err);
}

struct outfile *
outfile_new(const char *path, bool directory, struct cerr *err)
{
	struct outfile *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL || strlen(path) >= sizeof(a->path)) {
		free(a);
		(void)cerr_set(err, CERR_INVALID_ARGUMENT, "path too long");
		return NULL;
	}
	a->fd = -1;
	a->file = -1;
	(void)snprintf(a->path, sizeof(a->path), "%s", path);
	(void)snprintf(a->part, sizeof(a->part), "%s%s", path,
	    directory ? "" : ".part");
	a->to_stdout = !directory && strcmp(path, "-") == 0;
	rc = directory ? outfile_open_directory(a, err)
		       : outfile_open_tar(a, err);
	if (rc == 0)
		return a;
	outfile_free(a);
	return NULL;
}

static int
outfile_note(struct outfile *a, const char *name, struct cerr *err)
{
	a->names = reallocarray(a->names, a->nnames + 1, sizeof(*a->names));
	if (a->names == NULL || (a->names[a->nnames] = strdup(name)) == NULL)
		return cerr_errno(err, "archive");
	a->nnames++;
	return 0;
}

bool
outfile_has(const struct outfile *a, const char *name)
{
	for (size_t i = 0; i < a->nnames; i++) {
		if (strcmp(a->names[i], name) == 0)
			return true;
	}
	return false;
}

static int
outfile_header(struct outfile *a, const char *name, uint64_t size,
    struct cerr *err)
{
	struct archive_entry *e = archive_entry_new();
	int rc;

	if (e == NULL)
		return cerr_errno(err, "archive");
	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)size);
	archive_entry_set_mtime(e, 0, 0);
	rc = archive_write_header(a->tar, e);
	archive_entry_free(e);
	return rc == ARCHIVE_OK ? 0 : outfile_fail(a, err);
}

int
outfile_begin(struct outfile *a, const char *name, uint64_t size,
    struct cerr *err)
{
	if (outfile_note(a, name, err) == -1)
		return -1;
	if (a->tar != NULL)
		return outfile_header(a, name, size, err);
	fdio_close(&a->file);
	a->file = openat(a->fd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return a->file == -1 ? cerr_errno(err, "%s/%s", a->path, name) : 0;
}

int
outfile_write(struct outfile *a, const void *buf, size_t len, struct cerr *err)
{
	if (a->tar == NULL)
		return fdio_write_all(a->file, buf, len) == -1
			   ? cerr_errno(err, "write %s", a->path)
			   : 0;
	return archive_write_data(a->tar, buf, len) == (la_ssize_t)len
		   ? 0
		   : outfile_fail(a, err);
}

int
outfile_file(struct outfile *a, const char *name, const void *buf, size_t len,
    struct cerr *err)
{
	if (outfile_begin(a, name, len, err) == -1)
		return -1;
	return outfile_write(a, buf, len, err);
}

int
outfile_end(struct outfile *a, struct cerr *err)
{
	int rc = 0;

	if (a->tar != NULL && archive_write_close(a->tar) != ARCHIVE_OK)
		rc = outfile_fail(a, err);
	if (rc == 0 && !a->to_stdout && a->tar != NULL &&
	    rename(a->part, a->path) == -1)
		rc = cerr_errno(err, "%s", a->path);
	if (rc == -1)
		outfile_undo(a);
	else
		outfile_free(a);
	return rc;
}

static void
outfile_undo_directory(struct outfile *a)
{
	for (size_t i = 0; i < a->nnames; i++)
		(void)unlinkat(a->fd, a->names[i], 0);
	(void)unlinkat(a->fd, "blobs/sha256", AT_REMOVEDIR);
	(void)unlinkat(a->fd, "blobs", AT_REMOVEDIR);
	(void)rmdir(a->part);
}

void
outfile_undo(struct outfile *a)
{
	if (a->tar == NULL)
		outfile_undo_directory(a);
	else if (!a->to_stdout)
		(void)unlink(a->part);
	if (a->tar != NULL) /* no padding behind what is not whole */
		(void)archive_write_fail(a->tar);
	outfile_free(a);
}
