#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/json.h"

#include "criodctl/layout.h"

#define LAYOUT_BLOB_DIR "blobs/sha256/"
#define LAYOUT_REF_NAME "org.opencontainers.image.ref.name"

static int
layout_add(struct layout *l, const char *hex, int fd, struct cerr *err)
{
	struct layout_blob *b = &l->blobs[l->nblobs];

	if (l->nblobs == LAYOUT_BLOBS_MAX) {
		(void)close(fd);
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "the image has more than %d blobs", LAYOUT_BLOBS_MAX);
	}
	(void)snprintf(b->digest, sizeof(b->digest), "sha256:%s", hex);
	b->fd = fd;
	l->nblobs++;
	return 0;
}

static int
layout_read_index(struct layout *l, int dirfd, struct cerr *err)
{
	CLEANUP_FD int fd = openat(dirfd, "index.json", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return cerr_errno(err, "not an OCI layout: index.json");
	l->index = malloc(LAYOUT_INDEX_MAX);
	if (l->index == NULL)
		return cerr_errno(err, "index.json");
	n = fdio_read_upto(fd, l->index, LAYOUT_INDEX_MAX - 1);
	if (n == -1)
		return cerr_errno(err, "read index.json");
	l->index[n] = '\0';
	l->index_len = (size_t)n;
	return 0;
}

static int
layout_read_dir(struct layout *l, int dirfd, struct cerr *err)
{
	int blobs =
	    openat(dirfd, LAYOUT_BLOB_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = blobs == -1 ? NULL : fdopendir(blobs);
	struct dirent *de;
	int rc = 0;

	if (dir == NULL)
		return cerr_errno(err, "not an OCI layout: " LAYOUT_BLOB_DIR);
	while (rc == 0 && (de = readdir(dir)) != NULL) {
		int fd;

		if (!id_valid(de->d_name))
			continue;
		fd = openat(blobs, de->d_name,
		    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		rc = fd == -1 ? cerr_errno(err, "open blob %s", de->d_name)
			      : layout_add(l, de->d_name, fd, err);
	}
	(void)closedir(dir);
	return rc == -1 ? -1 : layout_read_index(l, dirfd, err);
}

/* A blob of an archive becomes an unnamed temporary file. */
static int
layout_take_blob(struct layout *l, struct archive *a, const char *hex,
    struct cerr *err)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd == -1)
		return cerr_errno(err, "temporary file in /var/tmp");
	if (archive_read_data_into_fd(a, fd) != ARCHIVE_OK) {
		(void)close(fd);
		return cerr_set(err, CERR_INVALID_ARGUMENT, "archive: %s",
		    archive_error_string(a));
	}
	return layout_add(l, hex, fd, err);
}

static int
layout_take_index(struct layout *l, struct archive *a, struct cerr *err)
{
	ssize_t n;

	free(l->index);
	l->index = malloc(LAYOUT_INDEX_MAX);
	if (l->index == NULL)
		return cerr_errno(err, "index.json");
	n = archive_read_data(a, l->index, LAYOUT_INDEX_MAX - 1);
	if (n < 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "archive: %s",
		    archive_error_string(a));
	l->index[n] = '\0';
	l->index_len = (size_t)n;
	return 0;
}

static int
layout_take_entry(struct layout *l, struct archive *a,
    struct archive_entry *entry, struct cerr *err)
{
	const char *name = archive_entry_pathname(entry);
	size_t dir = strlen(LAYOUT_BLOB_DIR);

	if (name == NULL || archive_entry_filetype(entry) != AE_IFREG)
		return 0;
	if (strncmp(name, "./", 2) == 0)
		name += 2;
	if (strcmp(name, "index.json") == 0)
		return layout_take_index(l, a, err);
	if (strncmp(name, LAYOUT_BLOB_DIR, dir) == 0 && id_valid(name + dir))
		return layout_take_blob(l, a, name + dir, err);
	return 0;
}

static int
layout_read_archive(struct layout *l, int fd, struct cerr *err)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	int rc = 0;

	if (a == NULL)
		return cerr_errno(err, "archive");
	(void)archive_read_support_filter_gzip(a);
	(void)archive_read_support_filter_zstd(a);
	(void)archive_read_support_format_tar(a);
	if (archive_read_open_fd(a, fd, 64 * 1024) != ARCHIVE_OK)
		rc = cerr_set(err, CERR_INVALID_ARGUMENT, "archive: %s",
		    archive_error_string(a));
	while (rc == 0) {
		int got = archive_read_next_header(a, &entry);

		if (got == ARCHIVE_EOF)
			break;
		rc = got != ARCHIVE_OK
			 ? cerr_set(err, CERR_INVALID_ARGUMENT, "archive: %s",
			       archive_error_string(a))
			 : layout_take_entry(l, a, entry, err);
	}
	(void)archive_read_free(a);
	if (rc == 0 && l->index == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "the archive is not of an OCI layout: no index.json");
	return rc;
}

/* The first manifest of index.json, and its name if it has one. */
static int
layout_choose(struct layout *l, struct cerr *err)
{
	json_t *root = json_read_bounded("index.json", l->index, l->index_len,
	    LAYOUT_INDEX_MAX, err);
	json_t *list, *first, *notes;
	const char *digest, *name;
	int rc = -1;

	if (root == NULL)
		return -1;
	if (json_want(root, "manifests", JSON_ARRAY, true, &list, err) == -1)
		goto out;
	first = json_array_get(list, 0);
	if (first == NULL) {
		(void)cerr_set(err, CERR_INVALID_ARGUMENT,
		    "index.json names no manifest");
		goto out;
	}
	if (json_want_str(first, "digest", true, &digest, err) == -1 ||
	    json_want(first, "annotations", JSON_OBJECT, false, &notes, err) ==
		-1)
		goto out;
	name = notes == NULL
		   ? NULL
		   : json_string_value(json_object_get(notes, LAYOUT_REF_NAME));
	if (name != NULL)
		l->reference = strdup(name);
	(void)snprintf(l->manifest, sizeof(l->manifest), "%s", digest);
	rc = 0;
out:
	json_decref(root);
	return rc;
}

int
layout_open(const char *path, struct layout **layout, struct cerr *err)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct layout *l;
	struct stat st;
	int rc;

	if (fd == -1 || fstat(fd, &st) == -1)
		return cerr_errno(err, "open %s", path);
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return cerr_errno(err, "calloc");
	rc = S_ISDIR(st.st_mode) ? layout_read_dir(l, fd, err)
				 : layout_read_archive(l, fd, err);
	if (rc == -1 || layout_choose(l, err) == -1) {
		layout_free(l);
		return -1;
	}
	*layout = l;
	return 0;
}

void
layout_free(struct layout *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->nblobs; i++)
		fdio_close(&l->blobs[i].fd);
	free(l->index);
	free(l->reference);
	free(l);
}
