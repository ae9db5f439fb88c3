#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/files.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/record.h"

static const char *const files_dirs[KEEP_KINDS] = {
	[KEEP_POD] = "/pod",
	[KEEP_CTR] = "/ctr",
};

struct files_walk {
	int dirfd;
	char **ids; /* sorted */
	size_t nids;
	size_t removed;
};

int
files_open(struct files *f, struct cerr *err)
{
	for (int kind = 0; kind < KEEP_KINDS; kind++) {
		f->dirs[kind] = open(files_dirs[kind],
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (f->dirs[kind] == -1)
			return cerr_errno(err, "open %s", files_dirs[kind]);
		if (record_clear_aside(f->dirs[kind], err) == -1)
			return -1;
	}
	return 0;
}

/* ---- writing ---- */

static void
files_forget(struct files *f, size_t i)
{
	fdio_close(&f->aside[i].fd);
	f->aside[i] = f->aside[--f->naside];
}

/* An older one of the same name that is not in place yet. */
static void
files_unput(struct files *f, enum keep_kind kind, const char *id)
{
	for (size_t i = 0; i < f->naside; i++) {
		if (f->aside[i].kind == kind &&
		    strcmp(f->aside[i].id, id) == 0) {
			record_aside_drop(f->dirs[kind], id);
			files_forget(f, i);
			return;
		}
	}
}

static bool
files_same(int dirfd, const char *id, const uint8_t *data, size_t len)
{
	CLEANUP_FREE uint8_t *old = NULL;
	size_t oldlen;

	return record_read(dirfd, id, id, &old, &oldlen, NULL) == 0 &&
	       oldlen == len && memcmp(old, data, len) == 0;
}

int
files_put(struct files *f, enum keep_kind kind, const char *id,
    const uint8_t *data, size_t len, struct cerr *err)
{
	struct files_aside *a;

	files_unput(f, kind, id);
	if (files_same(f->dirs[kind], id, data, len))
		return 0;
	if (f->naside == KEEP_BATCH && files_sync(f, err) == -1)
		return -1;
	a = &f->aside[f->naside];
	a->fd = record_aside(f->dirs[kind], id, id, data, len, err);
	if (a->fd == -1)
		return -1;
	a->kind = kind;
	(void)snprintf(a->id, sizeof(a->id), "%s", id);
	f->naside++;
	return 0;
}

int
files_drop(struct files *f, enum keep_kind kind, const char *id,
    struct cerr *err)
{
	files_unput(f, kind, id);
	if (unlinkat(f->dirs[kind], id, 0) == 0)
		f->changed[kind] = true;
	else if (errno != ENOENT)
		return cerr_errno(err, "remove record %s", id);
	return 0;
}

/* What one cannot read because it is newer is not ours to remove. */
static bool
files_newer(int dirfd, const char *id)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	struct cerr err;
	size_t len;

	return record_read(dirfd, id, id, &buf, &len, &err) == -1 &&
	       err.code == CERR_FAILED_PRECONDITION;
}

static int
files_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
files_retain_one(void *arg, const char *name)
{
	struct files_walk *w = arg;

	if (!id_valid(name) ||
	    (w->nids > 0 && bsearch(&name, w->ids, w->nids, sizeof(*w->ids),
				files_compare) != NULL) ||
	    files_newer(w->dirfd, name))
		return;
	if (unlinkat(w->dirfd, name, 0) == 0)
		w->removed++;
}

int
files_retain(struct files *f, enum keep_kind kind, char **ids, size_t n,
    struct cerr *err)
{
	struct files_walk w = { f->dirs[kind], ids, n, 0 };

	if (n > 0)
		qsort(ids, n, sizeof(*ids), files_compare);
	if (record_each(w.dirfd, files_retain_one, &w, err) == -1)
		return -1;
	if (w.removed > 0)
		f->changed[kind] = true;
	return 0;
}

/*
 * All are on their way to the disk before the first one is waited for: one
 * commit of the file system's journal then does for all.
 */
static int
files_sync_aside(struct files *f, struct cerr *err)
{
	for (size_t i = 0; i < f->naside; i++)
		(void)sync_file_range(f->aside[i].fd, 0, 0,
		    SYNC_FILE_RANGE_WRITE);
	for (size_t i = 0; i < f->naside; i++) {
		if (fsync(f->aside[i].fd) == -1)
			return cerr_errno(err, "sync record %s",
			    f->aside[i].id);
	}
	return 0;
}

static int
files_place_aside(struct files *f, struct cerr *err)
{
	while (f->naside > 0) {
		struct files_aside *a = &f->aside[f->naside - 1];

		if (record_place(f->dirs[a->kind], a->id, err) == -1)
			return -1;
		f->changed[a->kind] = true;
		files_forget(f, f->naside - 1);
	}
	return 0;
}

/* What fails is dropped: the front sends all of it again. */
int
files_sync(struct files *f, struct cerr *err)
{
	int rc = files_sync_aside(f, err);

	if (rc == 0)
		rc = files_place_aside(f, err);
	while (f->naside > 0)
		files_unput(f, f->aside[0].kind, f->aside[0].id);
	for (int kind = 0; kind < KEEP_KINDS; kind++) {
		if (f->changed[kind] && fsync(f->dirs[kind]) == -1)
			rc = cerr_errno(err, "sync %s", files_dirs[kind]);
		f->changed[kind] = false;
	}
	return rc;
}

/* ---- reading ---- */

/* The first n names after one, in order, without holding all of them. */
struct files_page {
	const char *after;
	char (*ids)[ID_SIZE];
	size_t n, max;
};

static void
files_page_one(void *arg, const char *name)
{
	struct files_page *p = arg;
	size_t i;

	if (!id_valid(name) || strcmp(name, p->after) <= 0)
		return;
	for (i = p->n; i > 0 && strcmp(p->ids[i - 1], name) > 0; i--) {
		if (i < p->max)
			memcpy(p->ids[i], p->ids[i - 1], ID_SIZE);
	}
	if (i == p->max)
		return;
	memcpy(p->ids[i], name, ID_SIZE);
	if (p->n < p->max)
		p->n++;
}

static void
files_quarantine(int dirfd, const char *id, const struct cerr *why)
{
	char bad[NAME_MAX + 1];

	(void)snprintf(bad, sizeof(bad), "%.*s.bad", ID_LEN, id);
	log_error("copy of %s put aside: %s", id, why->text);
	if (renameat(dirfd, id, dirfd, bad) == -1)
		log_error("rename to %s: %s", bad, strerror(errno));
}

static void
files_read(int dirfd, const char *id, struct files_record *r)
{
	struct cerr err;

	memset(r, 0, sizeof(*r));
	memcpy(r->id, id, sizeof(r->id));
	if (record_read(dirfd, id, id, &r->data, &r->len, &err) == 0)
		return;
	/* What a disk does not give now it may give at the next start. */
	r->newer = err.code != CERR_DATA_LOSS;
	if (r->newer)
		log_warn("copy of %s: %s; it stays as it is", id, err.text);
	else
		files_quarantine(dirfd, id, &err);
}

int
files_get(struct files *f, enum keep_kind kind, const char *after,
    struct files_record *r, size_t n, size_t max, struct cerr *err)
{
	char ids[KEEP_BATCH][ID_SIZE];
	struct files_page page = { after, ids, 0,
		n < KEEP_BATCH ? n : KEEP_BATCH };
	size_t got = 0, bytes = 0;

	if (record_each(f->dirs[kind], files_page_one, &page, err) == -1)
		return -1;
	while (got < page.n && bytes < max) {
		files_read(f->dirs[kind], ids[got], &r[got]);
		bytes += r[got++].len;
	}
	return (int)got;
}
