#include <sys/queue.h>
#include <sys/stat.h>

#include <event2/event.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/mono.h"

#include "imaged/digest.h"
#include "imaged/import.h"

struct import_blob {
	TAILQ_ENTRY(import_blob) entry;
	char digest[DIGEST_SIZE];
	int fd;
	struct mono until;
};

struct import {
	TAILQ_HEAD(, import_blob) blobs; /* oldest first */
	size_t count;
	struct event *timer;
};

static void
import_blob_free(struct import *im, struct import_blob *b)
{
	TAILQ_REMOVE(&im->blobs, b, entry);
	im->count--;
	fdio_close(&b->fd);
	free(b);
}

static void
import_set_timer(struct import *im)
{
	struct import_blob *b = TAILQ_FIRST(&im->blobs);
	struct timeval tv;

	if (b == NULL)
		return;
	tv = mono_timeval(b->until);
	(void)evtimer_add(im->timer, &tv);
}

static void
import_expire(evutil_socket_t fd, short what, void *arg)
{
	struct import *im = arg;
	struct import_blob *b;

	(void)fd;
	(void)what;
	while ((b = TAILQ_FIRST(&im->blobs)) != NULL && mono_passed(b->until))
		import_blob_free(im, b);
	import_set_timer(im);
}

struct import *
import_new(struct event_base *base)
{
	struct import *im = calloc(1, sizeof(*im));

	if (im == NULL)
		fatal("import: calloc");
	TAILQ_INIT(&im->blobs);
	im->timer = evtimer_new(base, import_expire, im);
	if (im->timer == NULL)
		fatalx("import: evtimer_new");
	return im;
}

static struct import_blob *
import_find(struct import *im, const char *digest)
{
	struct import_blob *b;

	TAILQ_FOREACH(b, &im->blobs, entry) {
		if (strcmp(b->digest, digest) == 0)
			return b;
	}
	return NULL;
}

void
import_drop(struct import *im, const char *digest)
{
	struct import_blob *b = import_find(im, digest);

	if (b != NULL)
		import_blob_free(im, b);
}

void
import_add(struct import *im, const char *digest, int fd)
{
	struct import_blob *b = calloc(1, sizeof(*b));

	if (b == NULL)
		fatal("import: calloc");
	import_drop(im, digest);
	if (im->count >= IMPORT_BLOBS_MAX)
		import_blob_free(im, TAILQ_FIRST(&im->blobs));
	(void)snprintf(b->digest, sizeof(b->digest), "%s", digest);
	b->fd = fd;
	b->until = mono_after_ms(IMPORT_KEEP_S * 1000);
	TAILQ_INSERT_TAIL(&im->blobs, b, entry);
	im->count++;
	import_set_timer(im);
}

int
import_open(struct import *im, const char *digest, struct cerr *err)
{
	struct import_blob *b = import_find(im, digest);
	int fd;

	if (b == NULL)
		return cerr_set(err, CERR_NOT_FOUND,
		    "blob %s is not in the import", digest);
	fd = fcntl(b->fd, F_DUPFD_CLOEXEC, 0);
	if (fd == -1)
		return cerr_errno(err, "blob %s", digest);
	return fd;
}

/* A regular file of at most max bytes, from its start. */
static int
import_slurp(int fd, const char *digest, size_t max, uint8_t **buf, size_t *len,
    struct cerr *err)
{
	CLEANUP_FREE uint8_t *data = NULL;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return cerr_errno(err, "blob %s", digest);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "blob %s: not a file of at most %zu bytes", digest, max);
	data = malloc((size_t)st.st_size + 1);
	if (data == NULL)
		return cerr_errno(err, "blob %s", digest);
	n = pread(fd, data, (size_t)st.st_size, 0);
	if (n == -1)
		return cerr_errno(err, "blob %s: read", digest);
	*len = (size_t)n;
	*buf = data;
	data = NULL;
	return 0;
}

int
import_read(struct import *im, const char *digest, size_t max, uint8_t **buf,
    size_t *len, struct cerr *err)
{
	CLEANUP_FD int fd = import_open(im, digest, err);
	char real[DIGEST_SIZE];

	if (fd == -1 || import_slurp(fd, digest, max, buf, len, err) == -1)
		return -1;
	digest_of_like(*buf, *len, digest, real);
	if (strcmp(real, digest) == 0)
		return 0;
	free(*buf);
	*buf = NULL;
	return cerr_set(err, CERR_DATA_LOSS,
	    "blob %s: its content has another digest", digest);
}
