#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"

#include "criodctl/layout.h"

#define LAYOUT_ENTRIES_MAX 100000
#define LAYOUT_FILE_MAX	   ((int64_t)256 << 30)

/* Where blobs are, by the digest that names them; the first must be there. */
static const struct layout_blobs {
	const char *dir, *prefix;
	size_t hex;
} layout_blobs[] = {
	{ "blobs/sha256/", "sha256:", 64 },
	{ "blobs/sha512/", "sha512:", 128 },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The kind of blob that a file is by its name, or NULL. */
static const struct layout_blobs *
layout_blob_kind(const char *name)
{
	for (size_t i = 0; i < COUNT(layout_blobs); i++) {
		const struct layout_blobs *k = &layout_blobs[i];
		size_t dir = strlen(k->dir);

		if (strncmp(name, k->dir, dir) == 0 &&
		    strspn(name + dir, "0123456789abcdef") == k->hex &&
		    name[dir + k->hex] == '\0')
			return k;
	}
	return NULL;
}

/* ---- a directory: an OCI layout ---- */

static int
layout_open_file(struct layout *l, int dirfd, const char *name, bool needed,
    struct cerr *err)
{
	int fd =
	    openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd == -1)
		return needed ? cerr_errno(err, "open %s", name) : 0;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		fdio_close(&fd);
		return cerr_set(err, CERR_INVALID_ARGUMENT, "%s is not a file",
		    name);
	}
	return layout_add(l, name, NULL, fd, err);
}

static int
layout_open_blobs(struct layout *l, int dirfd, const struct layout_blobs *kind,
    struct cerr *err)
{
	int blobs = openat(dirfd, kind->dir,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = blobs == -1 ? NULL : fdopendir(blobs);
	char name[NAME_MAX + 16];
	struct dirent *de;
	int rc = 0;

	if (dir == NULL) {
		fdio_close(&blobs);
		if (errno == ENOENT && kind != layout_blobs)
			return 0;
		return cerr_errno(err, "not an OCI layout: %s", kind->dir);
	}
	while (rc == 0 && (de = readdir(dir)) != NULL) {
		(void)snprintf(name, sizeof(name), "%s%s", kind->dir,
		    de->d_name);
		if (layout_blob_kind(name) == kind)
			rc = layout_open_file(l, dirfd, name, true, err);
	}
	(void)closedir(dir);
	return rc;
}

static int
layout_read_dir(struct layout *l, int dirfd, struct cerr *err)
{
	if (layout_open_file(l, dirfd, "index.json", true, err) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(layout_blobs); i++) {
		if (layout_open_blobs(l, dirfd, &layout_blobs[i], err) == -1)
			return -1;
	}
	return 0;
}

/* ---- an archive ---- */

static int
layout_archive_fail(struct archive *a, struct cerr *err)
{
	const char *why = archive_error_string(a);

	return cerr_set(err, CERR_INVALID_ARGUMENT, "archive: %s",
	    why != NULL ? why : "damaged");
}

/* Files of archives become unnamed temporary ones. */
static int
layout_spool(struct layout *l, struct archive *a, const char *name,
    struct archive_entry *entry, struct cerr *err)
{
	int fd;

	if (archive_entry_size(entry) > LAYOUT_FILE_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "archive: %s is too large", name);
	fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1)
		return cerr_errno(err, "temporary file in /var/tmp");
	if (archive_read_data_into_fd(a, fd) != ARCHIVE_OK) {
		fdio_close(&fd);
		return layout_archive_fail(a, err);
	}
	return layout_add(l, name, NULL, fd, err);
}

/* NAME's directory and what LINK says, as "docker save" means it. */
static int
layout_link(struct layout *l, const char *name, const char *to,
    struct cerr *err)
{
	char path[PATH_MAX];
	const char *slash = strrchr(name, '/');
	size_t dir = slash != NULL ? (size_t)(slash - name) : 0;

	if (strncmp(to, "../", 3) == 0 && memchr(name, '/', dir) == NULL) {
		to += 3;
		dir = 0;
	}
	if (dir + strlen(to) + 2 > sizeof(path))
		return 0;
	(void)snprintf(path, sizeof(path), "%.*s%s%s", (int)dir, name,
	    dir > 0 ? "/" : "", to);
	return layout_add(l, name, path, -1, err);
}

static bool
layout_wants(const char *name)
{
	size_t len = strlen(name);

	if (layout_blob_kind(name) != NULL)
		return true;
	return (len > 5 && strcmp(name + len - 5, ".json") == 0) ||
	       (len > 4 && strcmp(name + len - 4, ".tar") == 0);
}

static int
layout_take_entry(struct layout *l, struct archive *a,
    struct archive_entry *entry, struct cerr *err)
{
	const char *name = archive_entry_pathname(entry);
	const char *to = archive_entry_symlink(entry);

	if (name == NULL)
		return 0;
	if (strncmp(name, "./", 2) == 0)
		name += 2;
	if (strlen(name) >= PATH_MAX || !layout_wants(name))
		return 0;
	if (to != NULL)
		return layout_link(l, name, to, err);
	if (archive_entry_hardlink(entry) != NULL)
		return layout_add(l, name, archive_entry_hardlink(entry), -1,
		    err);
	if (archive_entry_filetype(entry) != AE_IFREG)
		return 0;
	return layout_spool(l, a, name, entry, err);
}

static int
layout_read_entries(struct layout *l, struct archive *a, struct cerr *err)
{
	struct archive_entry *entry;

	for (int n = 0; n < LAYOUT_ENTRIES_MAX; n++) {
		int got = archive_read_next_header(a, &entry);

		if (got == ARCHIVE_EOF)
			return 0;
		if (got != ARCHIVE_OK)
			return layout_archive_fail(a, err);
		if (layout_take_entry(l, a, entry, err) == -1)
			return -1;
	}
	return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
	    "archive: more than %d entries", LAYOUT_ENTRIES_MAX);
}

static int
layout_read_archive(struct layout *l, int fd, struct cerr *err)
{
	struct archive *a = archive_read_new();
	int rc;

	if (a == NULL)
		return cerr_errno(err, "archive");
	(void)archive_read_support_filter_gzip(a);
	(void)archive_read_support_filter_zstd(a);
	(void)archive_read_support_format_tar(a);
	rc = archive_read_open_fd(a, fd, 64 * 1024) == ARCHIVE_OK
		 ? layout_read_entries(l, a, err)
		 : layout_archive_fail(a, err);
	(void)archive_read_free(a);
	return rc;
}

/* Blobs are named by what they should be. */
static void
layout_name_blobs(struct layout *l)
{
	for (size_t i = 0; i < l->nfiles; i++) {
		struct layout_file *f = &l->files[i];
		const struct layout_blobs *k = layout_blob_kind(f->name);

		if (k != NULL)
			(void)snprintf(f->digest, sizeof(f->digest), "%s%s",
			    k->prefix, f->name + strlen(k->dir));
	}
}

int
layout_read(struct layout *l, int fd, struct cerr *err)
{
	struct stat st;
	int rc = fstat(fd, &st);

	if (rc == -1)
		rc = cerr_errno(err, "stat");
	else if (S_ISDIR(st.st_mode))
		rc = layout_read_dir(l, fd, err);
	else
		rc = layout_read_archive(l, fd, err);
	fdio_close(&fd);
	layout_name_blobs(l);
	return rc;
}
