/*
 * An archive of images that criodctl imports, whatever libarchive says is in
 * it: for each entry of the input its type, its name, a link, and data.
 */
#include <archive.h>
#include <archive_entry.h>

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criodctl/layout.h"
#include "regress/fuzz/feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct archive_entry {
	uint8_t type;
	char name[PATH_MAX + 2], link[PATH_MAX + 2];
	const uint8_t *data;
	size_t len;
};

/* Of a byte, its lower half; the rest are files. */
enum { ENTRY_DIR = 1, ENTRY_SYMLINK, ENTRY_LINK, ENTRY_HUGE, ENTRY_BAD };

static struct {
	struct feed feed;
	struct archive_entry entry;
	int readers;
} la;

struct archive *
archive_read_new(void)
{
	la.readers++;
	return (struct archive *)&la;
}

int
archive_read_free(struct archive *a)
{
	(void)a;
	la.readers--;
	return ARCHIVE_OK;
}

int
archive_read_support_filter_gzip(struct archive *a)
{
	(void)a;
	return ARCHIVE_OK;
}

int
archive_read_support_filter_zstd(struct archive *a)
{
	(void)a;
	return ARCHIVE_OK;
}

int
archive_read_support_format_tar(struct archive *a)
{
	(void)a;
	return ARCHIVE_OK;
}

int
archive_read_open_fd(struct archive *a, int fd, size_t block)
{
	(void)a;
	(void)fd;
	(void)block;
	return la.feed.n > 0 ? ARCHIVE_OK : ARCHIVE_FATAL;
}

const char *
archive_error_string(struct archive *a)
{
	(void)a;
	return la.feed.n % 2 == 0 ? NULL : "as the library says";
}

int
archive_read_next_header(struct archive *a, struct archive_entry **entry)
{
	struct archive_entry *e = &la.entry;

	(void)a;
	if (la.feed.n == 0)
		return ARCHIVE_EOF;
	e->type = feed_byte(&la.feed) & 0x0f;
	feed_text(&la.feed, e->name, sizeof(e->name));
	feed_text(&la.feed, e->link, sizeof(e->link));
	e->len = feed_u16(&la.feed);
	e->len = feed_bytes(&la.feed, e->len, &e->data);
	*entry = e;
	return e->type == ENTRY_BAD ? ARCHIVE_FATAL : ARCHIVE_OK;
}

int
archive_read_data_into_fd(struct archive *a, int fd)
{
	(void)a;
	assert(write(fd, la.entry.data, la.entry.len) == (ssize_t)la.entry.len);
	return la.entry.type == ENTRY_BAD + 1 ? ARCHIVE_WARN : ARCHIVE_OK;
}

const char *
archive_entry_pathname(struct archive_entry *e)
{
	return e->name[0] == '\0' ? NULL : e->name;
}

const char *
archive_entry_symlink(struct archive_entry *e)
{
	return e->type == ENTRY_SYMLINK ? e->link : NULL;
}

const char *
archive_entry_hardlink(struct archive_entry *e)
{
	return e->type == ENTRY_LINK ? e->link : NULL;
}

la_int64_t
archive_entry_size(struct archive_entry *e)
{
	return e->type == ENTRY_HUGE ? INT64_MAX : (la_int64_t)e->len;
}

__LA_MODE_T
archive_entry_filetype(struct archive_entry *e)
{
	return e->type == ENTRY_DIR ? AE_IFDIR : AE_IFREG;
}

static void
check(const struct layout *l)
{
	assert(l->nimages >= 1 && l->nimages <= LAYOUT_IMAGES_MAX);
	for (size_t i = 0; i < l->nimages; i++) {
		const struct layout_image *im = &l->images[i];

		assert(strnlen(im->reference, sizeof(im->reference)) <
			   sizeof(im->reference) &&
		       strnlen(im->manifest, sizeof(im->manifest)) <
			   sizeof(im->manifest));
	}
	for (size_t i = 0; i < l->nfiles; i++)
		assert(memchr(l->files[i].digest, '\0', LAYOUT_DIGEST_SIZE));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct layout *l = calloc(1, sizeof(*l));
	struct cerr err = { 0 };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	la.feed = (struct feed){ data, size };
	if (layout_read(l, fd, &err) == 0 && layout_choose(l, &err) == 0)
		check(l);
	else
		assert(err.code != CERR_OK && err.text[0] != '\0');
	assert(la.readers == 0 && l->nfiles <= LAYOUT_FILES_MAX);
	layout_free(l);
	return 0;
}
