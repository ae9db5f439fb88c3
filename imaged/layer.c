#include <sys/stat.h>
#include <sys/statvfs.h>

#include <event2/event.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/layer.h"
#include "imaged/unpacker.h"
#include "lib/fdio.h"
#include "lib/layerid.h"
#include "lib/log.h"
#include "lib/mono.h"

/* Numbers of layers that are elsewhere: no directory has such a one. */
#define LAYER_ELSEWHERE (UINT64_C(1) << 62)

#define LAYER_GC_MS	  (60 * 1000)
#define LAYER_RECIPE	  "recipe"
#define LAYER_REMOVE_MAX  2 /* at once */
#define LAYER_BUCKETS	  4096
#define LAYER_BYTES_MAX	  (UINT64_C(256) << 30)
#define LAYER_ENTRIES_MAX 4000000

/* What a layer may become: its blob's ratio is bounded too. */
#define LAYER_RATIO_MAX 1100
#define LAYER_BYTES_MIN (UINT64_C(64) << 20)

/* Who waits for a layer to be made, then for the loop to tell. */
struct store_unpack {
	TAILQ_ENTRY(store_unpack) entry; /* of told */
	struct layers *all;
	struct layer *layer; /* its waiter is this; NULL: in told */
	store_layer_fn fn;
	void *arg;
	uint64_t number; /* held for fn; 0: err */
	struct cerr err;
};

struct layer_removal {
	TAILQ_ENTRY(layer_removal) entry; /* in gone, once left is 0 */
	size_t left;
	layer_gone_fn fn;
	void *arg;
};

struct layers {
	const struct store_def *def;
	int dirfd; /* layer/ */
	TAILQ_HEAD(layer_list, layer) all;
	TAILQ_HEAD(, store_unpack) told;
	TAILQ_HEAD(, layer_removal) gone;
	struct event *tell, *gc_timer, *retry;
	LIST_HEAD(layer_bucket, layer) by_number[LAYER_BUCKETS];
	struct layer_bucket by_diff_id[LAYER_BUCKETS];
	LIST_HEAD(, store_read) reads;
	uint64_t bytes, inodes; /* of all */
	uint64_t last;		/* number given out */
	uint64_t shelf_last;	/* likewise, to layers that are elsewhere */
	unsigned int working, ahead, removing;
	bool started, swept;
	void (*freed)(void *arg);
	void *freed_arg;
};

static void layers_tell(struct layers *ls);
static void layers_pump(struct layers *ls);
static void layers_gc(struct layers *ls, bool all);

static void *
layer_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

static void
layer_name(uint64_t number, char buf[24])
{
	(void)snprintf(buf, 24, "%" PRIu64, number);
}

struct store_read {
	LIST_ENTRY(store_read) entry;
	struct layer *layer; /* held */
	store_read_fn fn;
	void *arg;
	struct unpacker *unpacker;
	struct event *end; /* it could not begin */
	struct cerr err;
};

static void
layer_read_free(struct store_read *rd)
{
	LIST_REMOVE(rd, entry);
	if (rd->end != NULL)
		event_free(rd->end);
	free(rd);
}

/* ---- the list ---- */

static struct layer *
layer_new(struct layers *ls, uint64_t number, enum layer_state state)
{
	struct layer *l = layer_alloc(sizeof(*l));

	l->row.number = number;
	l->state = state;
	l->blob.fd = -1;
	l->all = ls;
	TAILQ_INSERT_TAIL(&ls->all, l, entry);
	LIST_INSERT_HEAD(&ls->by_number[number % LAYER_BUCKETS], l, by_number);
	return l;
}

static struct layer_bucket *
layers_bucket(struct layers *ls, const char *diff_id)
{
	unsigned int hash = 0;

	for (size_t i = 0; i < 8 && diff_id[i] != '\0'; i++)
		hash = hash * 31 + (unsigned char)diff_id[i];
	return &ls->by_diff_id[hash % LAYER_BUCKETS];
}

static void
layer_set_diff_id(struct layer *l, const char *diff_id)
{
	(void)snprintf(l->row.diff_id, sizeof(l->row.diff_id), "%s", diff_id);
	LIST_INSERT_HEAD(layers_bucket(l->all, diff_id), l, by_diff_id);
}

static void
layer_set_size(struct layer *l, uint64_t bytes, uint64_t inodes)
{
	l->all->bytes += bytes - l->row.bytes;
	l->all->inodes += inodes - l->row.inodes;
	l->row.bytes = bytes;
	l->row.inodes = inodes;
	layers_tell(l->all);
}

uint64_t
layer_place(const struct layer *l)
{
	return l->elsewhere ? l->place : l->row.number;
}

static void
layer_free_name(struct layer *l)
{
	char *name;

	memcpy(&name, &l->blob.name, sizeof(name));
	free(name);
}

static void
layer_free(struct layer *l)
{
	if (!l->elsewhere)
		layer_set_size(l, 0, 0);
	TAILQ_REMOVE(&l->all->all, l, entry);
	LIST_REMOVE(l, by_number);
	if (l->row.diff_id[0] != '\0')
		LIST_REMOVE(l, by_diff_id);
	fdio_close(&l->blob.fd);
	layer_free_name(l);
	free(l);
}

struct layer *
layers_first(struct layers *ls)
{
	return TAILQ_FIRST(&ls->all);
}

struct layer *
layers_find(struct layers *ls, uint64_t number)
{
	struct layer *l;

	LIST_FOREACH(l, &ls->by_number[number % LAYER_BUCKETS], by_number) {
		if (l->row.number == number && l->state != LAYER_DOOMED)
			return l;
	}
	return NULL;
}

struct layer *
layers_find_place(struct layers *ls, uint64_t place)
{
	struct layer *l;

	if (layerid_store(place) == 0)
		return layers_find(ls, place);
	TAILQ_FOREACH(l, &ls->all, entry) {
		if (l->elsewhere && l->place == place)
			return l;
	}
	return NULL;
}

struct layer *
layers_add_shelf(struct layers *ls, uint64_t place,
    const struct catalogue_layer *row)
{
	struct layer *l =
	    layer_new(ls, LAYER_ELSEWHERE | ++ls->shelf_last, LAYER_READY);
	uint64_t number = l->row.number;

	layer_set_diff_id(l, row->diff_id);
	l->row = *row;
	l->row.number = number;
	l->row.elsewhere = true;
	l->row.bad = place == 0;
	l->elsewhere = l->committed = true;
	l->place = place;
	return l;
}

void
layers_drop_shelf(struct layer *l)
{
	l->row.bad = true;
	l->place = 0;
	if (l->images == 0 && l->holds == 0)
		layer_free(l);
}

struct layer *
layers_find_diff_id(struct layers *ls, const char *diff_id)
{
	struct layer *l;

	LIST_FOREACH(l, layers_bucket(ls, diff_id), by_diff_id) {
		if (l->state == LAYER_READY && !l->row.bad &&
		    strcmp(l->row.diff_id, diff_id) == 0)
			return l;
	}
	return NULL;
}

void
layers_usage(const struct layers *ls, uint64_t *bytes, uint64_t *inodes)
{
	*bytes = ls->bytes;
	*inodes = ls->inodes;
}

/* ---- directories ---- */

/* LAYER/NAME, relative to the layers' directory. */
static void
layer_path(const struct layer *l, const char *name, char path[48])
{
	(void)snprintf(path, 48, "%" PRIu64 "/%s", l->row.number, name);
}

/* The descriptor of its recipe, empty and open for writing. */
static int
layer_mkdir(struct layer *l, struct cerr *err)
{
	char name[24], fs[48], recipe[48];
	int fd = -1;

	layer_name(l->row.number, name);
	layer_path(l, "fs", fs);
	layer_path(l, LAYER_RECIPE, recipe);
	if (mkdirat(l->all->dirfd, name, 0700) == 0 &&
	    mkdirat(l->all->dirfd, fs, 0755) == 0)
		fd = openat(l->all->dirfd, recipe,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd == -1 ? cerr_errno(err, "directory of a layer") : fd;
}

static void
layer_count(struct layer *l, const struct fixed_unpack_done *done)
{
	char path[48];
	struct stat st;

	layer_path(l, LAYER_RECIPE, path);
	if (fstatat(l->all->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		st.st_blocks = 0;
	layer_set_size(l, done->bytes + (uint64_t)st.st_blocks * 512,
	    done->inodes + 1);
}

/* Removes the directory if it is empty: 0, else -1 with errno. */
static int
layer_rmdir(struct layer *l)
{
	char name[24], path[48];

	layer_name(l->row.number, name);
	layer_path(l, "fs", path);
	if (unlinkat(l->all->dirfd, path, AT_REMOVEDIR) == -1 &&
	    errno != ENOENT)
		return -1;
	layer_path(l, LAYER_RECIPE, path);
	if (unlinkat(l->all->dirfd, path, 0) == -1 && errno != ENOENT)
		return -1;
	if (unlinkat(l->all->dirfd, name, AT_REMOVEDIR) == -1 &&
	    errno != ENOENT)
		return -1;
	return 0;
}

static bool
layer_dir_there(struct layers *ls, uint64_t number)
{
	char name[24], path[32];
	struct stat st;

	layer_name(number, name);
	(void)snprintf(path, sizeof(path), "%s/fs", name);
	return fstatat(ls->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* A layer's directory has a plain decimal number for a name; else 0. */
static uint64_t
layer_number(const char *name)
{
	char again[24], *end;
	uint64_t number;

	errno = 0;
	number = strtoull(name, &end, 10);
	if (errno != 0 || *end != '\0' || number > INT64_MAX)
		return 0;
	layer_name(number, again);
	return strcmp(again, name) == 0 ? number : 0;
}

/* ---- telling ---- */

static void
layers_tell(struct layers *ls)
{
	event_active(ls->tell, EV_TIMEOUT, 0);
}

static void
layers_told(evutil_socket_t fd, short what, void *arg)
{
	struct layers *ls = arg;
	struct store_unpack *u;
	struct layer_removal *r;

	(void)fd;
	(void)what;
	if (ls->def->changed != NULL)
		ls->def->changed(ls->def->changed_arg);
	while ((u = TAILQ_FIRST(&ls->told)) != NULL) {
		TAILQ_REMOVE(&ls->told, u, entry);
		u->fn(u->arg, u->number == 0 ? &u->err : NULL, u->number);
		free(u);
	}
	while ((r = TAILQ_FIRST(&ls->gone)) != NULL) {
		TAILQ_REMOVE(&ls->gone, r, entry);
		r->fn(r->arg);
		free(r);
	}
}

static void
unpack_tell(struct store_unpack *u)
{
	u->layer = NULL;
	TAILQ_INSERT_TAIL(&u->all->told, u, entry);
	layers_tell(u->all);
}

/* It gets ready, which may be another layer than it waits for. */
static void
unpack_ready(struct store_unpack *u, struct layer *ready)
{
	u->number = ready->row.number;
	layer_hold(ready);
	unpack_tell(u);
}

static void
unpack_failed(struct store_unpack *u, const struct cerr *err)
{
	u->err = *err;
	unpack_tell(u);
}

static void
layer_removal_end(struct layer *l)
{
	struct layer_removal *r = l->removal;

	l->removal = NULL;
	if (r == NULL || --r->left > 0)
		return;
	TAILQ_INSERT_TAIL(&l->all->gone, r, entry);
	layers_tell(l->all);
}

/* ---- removing ---- */

static void
layer_removed(void *arg, const union unpacker_done *done,
    const struct cerr *err)
{
	struct layer *l = arg;
	struct layers *ls = l->all;
	struct timeval later = { 30, 0 };

	l->unpacker = NULL;
	ls->removing--;
	if (done != NULL && layer_rmdir(l) == 0) {
		layer_removal_end(l);
		layer_free(l);
		ls->freed(ls->freed_arg);
		layers_pump(ls);
		return;
	}
	log_warn("layer %" PRIu64 " is not removed yet: %s", l->row.number,
	    err != NULL ? err->text : strerror(errno));
	layer_removal_end(l);
	/* It goes to the end of the queue, after some time. */
	TAILQ_REMOVE(&ls->all, l, entry);
	TAILQ_INSERT_TAIL(&ls->all, l, entry);
	(void)evtimer_add(ls->retry, &later);
}

static void
layer_remove(struct layer *l)
{
	struct unpacker_job job = { .number = l->row.number,
		.op = UNPACKER_REMOVE,
		.fds = { -1, -1 } };

	if (layer_rmdir(l) == 0) {
		layer_removal_end(l);
		layer_free(l);
		return;
	}
	l->all->removing++;
	l->unpacker = unpacker_start(l->all->def, &job, layer_removed, l);
}

static void
layer_doom(struct layer *l)
{
	l->state = LAYER_DOOMED;
	fdio_close(&l->blob.fd);
}

/* ---- unpacking ---- */

static void
layer_failed(struct layer *l, const struct cerr *err)
{
	log_info("layer %s: %s", l->row.diff_id, err->text);
	layer_doom(l);
	unpack_failed(l->waiter, err);
	l->waiter = NULL;
}

/* The layer's own name is to be on disk like what is in it. */
static int
layer_sync(struct layer *l, struct cerr *err)
{
	if (fsync(l->all->dirfd) == -1)
		return cerr_errno(err, "put a layer's directory on disk");
	return 0;
}

static int
layer_check_done(struct layer *l, const struct fixed_unpack_done *done,
    struct cerr *err)
{
	if (strcmp(done->diff_id, l->row.diff_id) != 0 ||
	    (l->state == LAYER_AHEAD && l->have < l->blob.size))
		return cerr_set(err, CERR_INTERNAL,
		    "unpack took one layer for another");
	layer_count(l, done);
	return layer_sync(l, err);
}

/* No unpack is at work on it any more. */
static void
layer_unwork(struct layer *l)
{
	l->unpacker = NULL;
	if (l->state == LAYER_AHEAD)
		l->all->ahead--;
	else
		l->all->working--;
}

/* What is at work ends, what is queued is forgotten. */
static void
layer_abandon(struct layer *l)
{
	l->waiter = NULL;
	if (l->state == LAYER_QUEUED) {
		layer_free(l);
		return;
	}
	if (l->unpacker != NULL) {
		unpacker_cancel(l->unpacker);
		layer_unwork(l);
	}
	layer_doom(l);
}

/* Who waits for l gets ready, which is the same layer and was faster. */
static void
layer_yield(struct layer *l, struct layer *ready)
{
	unpack_ready(l->waiter, ready);
	layer_abandon(l);
}

/* Those of blobs that are not verified go on: what they become is not known. */
static void
layers_yield(struct layer *ready)
{
	struct layer *l, *next;

	for (l = LIST_FIRST(layers_bucket(ready->all, ready->row.diff_id));
	     l != NULL; l = next) {
		next = LIST_NEXT(l, by_diff_id);
		if ((l->state == LAYER_QUEUED || l->state == LAYER_WORKING) &&
		    strcmp(l->row.diff_id, ready->row.diff_id) == 0)
			layer_yield(l, ready);
	}
}

static void
layer_is_ready(struct layer *l)
{
	struct layer *other = layers_find_diff_id(l->all, l->row.diff_id);

	if (other != NULL) {
		layer_yield(l, other);
		return;
	}
	l->state = LAYER_READY;
	l->idle_since = mono_now().ns;
	unpack_ready(l->waiter, l);
	l->waiter = NULL;
	layers_yield(l);
}

static void
layer_unpacked(void *arg, const union unpacker_done *done,
    const struct cerr *err)
{
	struct layer *l = arg;
	struct layers *ls = l->all;
	struct cerr own;

	layer_unwork(l);
	if (done != NULL && layer_check_done(l, &done->unpack, &own) == -1)
		err = &own;
	if (err != NULL) {
		layer_failed(l, err);
		if (err->code == CERR_RESOURCE_EXHAUSTED)
			layers_gc(ls, true);
	} else {
		layer_is_ready(l);
	}
	layers_pump(ls);
}

static uint64_t
layer_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Never the last tenth of the disk, nor what no blob of that size holds. */
static void
layer_limits(struct layer *l, struct fixed_unpack_layer *body)
{
	struct statvfs vfs;
	uint64_t max;

	if (__builtin_mul_overflow(l->blob.size, LAYER_RATIO_MAX, &max))
		max = LAYER_BYTES_MAX;
	if (max < LAYER_BYTES_MIN)
		max = LAYER_BYTES_MIN;
	body->max_bytes = layer_min(max, LAYER_BYTES_MAX);
	body->max_entries = LAYER_ENTRIES_MAX;
	if (fstatvfs(l->all->dirfd, &vfs) == -1)
		return;
	body->max_bytes =
	    layer_min(body->max_bytes, vfs.f_bavail / 10 * 9 * vfs.f_frsize);
	if (vfs.f_files != 0)
		body->max_entries =
		    layer_min(body->max_entries, vfs.f_favail / 10 * 9);
}

/* Its state is LAYER_WORKING or LAYER_AHEAD. */
static void
layer_work(struct layer *l)
{
	struct unpacker_job job = { .number = l->row.number,
		.op = UNPACKER_LAYER };
	struct cerr err;

	job.fds[1] = layer_mkdir(l, &err);
	if (job.fds[1] == -1) {
		layer_failed(l, &err);
		return;
	}
	job.fds[0] = l->blob.fd;
	l->blob.fd = -1;
	job.layer.compression = (uint32_t)l->blob.compression;
	job.layer.blob_size = l->blob.size;
	job.layer.have = l->state == LAYER_AHEAD ? l->have : l->blob.size;
	layer_limits(l, &job.layer);
	(void)snprintf(job.layer.name, sizeof(job.layer.name), "%s",
	    l->blob.name);
	memcpy(job.layer.diff_id, l->row.diff_id, sizeof(job.layer.diff_id));
	if (l->state == LAYER_AHEAD)
		l->all->ahead++;
	else
		l->all->working++;
	l->unpacker = unpacker_start(l->all->def, &job, layer_unpacked, l);
}

/* ---- turns ---- */

static unsigned int
layers_work_max(const struct layers *ls)
{
	return ls->def->unpack_max != 0 ? ls->def->unpack_max
					: STORE_UNPACK_MAX;
}

static void
layers_pump(struct layers *ls)
{
	struct layer *l, *next;

	if (!ls->started)
		return;
	for (l = TAILQ_FIRST(&ls->all); l != NULL; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (l->state == LAYER_QUEUED &&
		    ls->working < layers_work_max(ls)) {
			l->state = LAYER_WORKING;
			layer_work(l);
		}
		if (l->state == LAYER_DOOMED && l->unpacker == NULL &&
		    ls->removing < LAYER_REMOVE_MAX &&
		    (ls->swept || l->row.diff_id[0] != '\0'))
			layer_remove(l);
	}
}

static void
layers_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	layers_pump(arg);
}

/* Layers that nobody needs any more go: all, or those idle for long. */
static void
layers_gc(struct layers *ls, bool all)
{
	int64_t limit = mono_now().ns - STORE_IDLE_MS * MONO_NS_PER_MS;
	struct layer *l, *next;

	for (l = TAILQ_FIRST(&ls->all); l != NULL; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (l->elsewhere && l->place == 0 && l->images == 0 &&
		    l->holds == 0)
			layer_free(l);
		else if (l->state == LAYER_READY && l->images == 0 &&
			 l->holds == 0 && !l->committed &&
			 (all || l->idle_since < limit))
			layer_doom(l);
	}
	layers_pump(ls);
}

static void
layers_gc_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	layers_gc(arg, false);
}

void
layers_sweep(struct layers *ls)
{
	ls->swept = true;
	layers_pump(ls);
}

void
layers_start(struct layers *ls)
{
	ls->started = true;
	layers_pump(ls);
}

/* ---- the whole ---- */

static int
layers_open_dir(struct layers *ls, struct cerr *err)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/layer", ls->def->root);

	if (n < 0 || (size_t)n >= sizeof(path))
		return cerr_set(err, CERR_INTERNAL, "path of the store");
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return cerr_errno(err, "%s", path);
	ls->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return ls->dirfd == -1 ? cerr_errno(err, "%s", path) : 0;
}

struct layers *
layers_new(const struct store_def *def, void (*freed)(void *arg), void *arg,
    struct cerr *err)
{
	struct layers *ls = layer_alloc(sizeof(*ls));
	struct timeval tv = { LAYER_GC_MS / 1000, 0 };

	ls->def = def;
	ls->freed = freed;
	ls->freed_arg = arg;
	ls->dirfd = -1;
	TAILQ_INIT(&ls->all);
	TAILQ_INIT(&ls->told);
	TAILQ_INIT(&ls->gone);
	ls->tell = event_new(def->base, -1, 0, layers_told, ls);
	ls->retry = evtimer_new(def->base, layers_retry, ls);
	ls->gc_timer =
	    event_new(def->base, -1, EV_PERSIST, layers_gc_timer, ls);
	if (ls->tell == NULL || ls->retry == NULL || ls->gc_timer == NULL ||
	    evtimer_add(ls->gc_timer, &tv) == -1)
		fatalx("event_new");
	if (layers_open_dir(ls, err) == -1) {
		layers_free(ls);
		return NULL;
	}
	return ls;
}

static void
layers_free_one(struct layer *l)
{
	if (l->unpacker != NULL)
		unpacker_cancel(l->unpacker);
	free(l->waiter);
	layer_free(l);
}

void
layers_free(struct layers *ls)
{
	struct store_read *rd;
	struct layer *l;

	if (ls == NULL)
		return;
	while ((rd = LIST_FIRST(&ls->reads)) != NULL) {
		if (rd->unpacker != NULL)
			unpacker_cancel(rd->unpacker);
		layer_read_free(rd);
	}
	while ((l = TAILQ_FIRST(&ls->all)) != NULL)
		layers_free_one(l);
	event_free(ls->tell);
	event_free(ls->retry);
	event_free(ls->gc_timer);
	fdio_close(&ls->dirfd);
	free(ls);
}

bool
layers_add_row(struct layers *ls, const struct catalogue_layer *row)
{
	struct layer *l;

	if (!layer_dir_there(ls, row->number))
		return false;
	l = layer_new(ls, row->number, LAYER_READY);
	layer_set_diff_id(l, row->diff_id);
	layer_set_size(l, row->bytes, row->inodes);
	l->row = *row;
	l->committed = true;
	return true;
}

/* A directory: one that has no row is doomed, and has no diff_id. */
static void
layers_take_dir(struct layers *ls, const char *name)
{
	uint64_t number = layer_number(name);

	if (number == 0) {
		log_warn("layer/%s is not a layer's directory", name);
		return;
	}
	if (number > ls->last)
		ls->last = number;
	if (layers_find(ls, number) == NULL)
		(void)layer_new(ls, number, LAYER_DOOMED);
}

int
layers_scan(struct layers *ls, uint64_t last, struct cerr *err)
{
	int fd = openat(ls->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *de;

	ls->last = last;
	if (dir == NULL) {
		fdio_close(&fd);
		return cerr_errno(err, "list layers");
	}
	while ((errno = 0, de = readdir(dir)) != NULL) {
		if (de->d_name[0] != '.')
			layers_take_dir(ls, de->d_name);
	}
	if (errno != 0) {
		(void)cerr_errno(err, "list layers");
		(void)closedir(dir);
		return -1;
	}
	(void)closedir(dir);
	return 0;
}

/* ---- holders ---- */

void
layer_hold(struct layer *l)
{
	l->holds++;
}

void
layer_drop(struct layer *l)
{
	if (l->holds == 0)
		fatalx("layer %" PRIu64 " has no hold", l->row.number);
	if (--l->holds == 0)
		l->idle_since = mono_now().ns;
}

static struct layer *
layer_new_unpack(struct layers *ls, enum layer_state state,
    const struct store_blob *blob, const char *diff_id)
{
	struct layer *l = layer_new(ls, ++ls->last, state);

	layer_set_diff_id(l, diff_id);
	l->blob = *blob;
	l->blob.name = strdup(blob->name == NULL ? "" : blob->name);
	if (l->blob.name == NULL)
		fatal("strdup");
	return l;
}

static struct store_unpack *
unpack_new(struct layers *ls, store_layer_fn fn, void *arg)
{
	struct store_unpack *u = layer_alloc(sizeof(*u));

	u->all = ls;
	u->fn = fn;
	u->arg = arg;
	return u;
}

static void
layer_wait(struct layer *l, struct store_unpack *u)
{
	l->waiter = u;
	u->layer = l;
}

/*
 * Each blob becomes a layer of its own, and what is ready first is the one:
 * whoever claims another's diff_id for a blob that is none delays nobody.
 */
struct store_unpack *
layer_unpack(struct layers *ls, const struct store_blob *blob,
    const char *diff_id, store_layer_fn fn, void *arg)
{
	struct store_unpack *u = unpack_new(ls, fn, arg);
	struct layer *l = layers_find_diff_id(ls, diff_id);
	int fd = blob->fd;

	if (l != NULL) {
		fdio_close(&fd);
		unpack_ready(u, l);
		return u;
	}
	layer_wait(layer_new_unpack(ls, LAYER_QUEUED, blob, diff_id), u);
	layers_pump(ls);
	return u;
}

struct store_unpack *
layer_unpack_ahead(struct layers *ls, const struct store_blob *blob,
    uint64_t have, const char *diff_id, store_layer_fn fn, void *arg)
{
	struct store_unpack *u;
	struct layer *l;
	int fd = blob->fd;

	if (!ls->started || ls->ahead >= STORE_AHEAD_MAX ||
	    layers_find_diff_id(ls, diff_id) != NULL) {
		fdio_close(&fd);
		return NULL;
	}
	u = unpack_new(ls, fn, arg);
	l = layer_new_unpack(ls, LAYER_AHEAD, blob, diff_id);
	l->have = have;
	layer_wait(l, u);
	layer_work(l);
	return u;
}

void
layer_unpack_more(struct store_unpack *u, uint64_t have)
{
	struct layer *l = u->layer;

	/* NULL: it failed, and its owner is about to hear it. */
	if (l == NULL || l->state != LAYER_AHEAD || l->unpacker == NULL)
		return;
	l->have = have;
	unpacker_more(l->unpacker, have);
}

void
layer_unpack_cancel(struct store_unpack *u)
{
	struct layer *l = u->layer;

	if (l != NULL) {
		layer_abandon(l);
		layers_pump(u->all);
	} else {
		TAILQ_REMOVE(&u->all->told, u, entry);
		l = u->number == 0 ? NULL : layers_find(u->all, u->number);
		if (l != NULL)
			layer_drop(l);
	}
	free(u);
}

void
layers_remove(struct layers *ls, struct layer *const *layers, size_t n,
    layer_gone_fn fn, void *arg)
{
	struct layer_removal *r = layer_alloc(sizeof(*r));

	r->fn = fn;
	r->arg = arg;
	r->left = 1; /* until all are doomed */
	for (size_t i = 0; i < n; i++) {
		if (layers[i]->state != LAYER_READY || layers[i]->elsewhere ||
		    layers[i]->images > 0 || layers[i]->holds > 0)
			continue;
		layer_doom(layers[i]);
		layers[i]->removal = r;
		r->left++;
	}
	if (--r->left == 0) {
		TAILQ_INSERT_TAIL(&ls->gone, r, entry);
		layers_tell(ls);
	}
	layers_pump(ls);
}

/* ---- reading ---- */

static void
layer_read_end(struct store_read *rd, const struct fixed_pack_done *done,
    const struct cerr *err)
{
	struct layer *l = rd->layer;
	struct store_read_done r = { 0 };

	if (done != NULL) {
		r.size = done->size;
		r.lost = done->lost != 0;
	}
	layer_drop(l);
	rd->fn(rd->arg, done != NULL ? &r : NULL, err);
	layer_read_free(rd);
}

static void
layer_read_done(void *arg, const union unpacker_done *done,
    const struct cerr *err)
{
	layer_read_end(arg, done != NULL ? &done->pack : NULL, err);
}

static void
layer_read_failed(evutil_socket_t fd, short what, void *arg)
{
	struct store_read *rd = arg;

	(void)fd;
	(void)what;
	layer_read_end(rd, NULL, &rd->err);
}

/* A layer of an older store has none, and nothing can be said of it. */
static int
layer_open_recipe(struct layer *l, struct cerr *err)
{
	char path[48];
	int fd;

	layer_path(l, LAYER_RECIPE, path);
	fd = openat(l->all->dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "layer %" PRIu64 " has no recipe", l->row.number);
	return fd == -1 ? cerr_errno(err, "recipe of a layer") : fd;
}

struct store_read *
layer_read(struct layer *l, int out, bool size_only, store_read_fn fn,
    void *arg)
{
	struct store_read *rd = layer_alloc(sizeof(*rd));
	struct unpacker_job job = { .number = layer_place(l),
		.op = l->elsewhere ? UNPACKER_READ_SHELF : UNPACKER_READ,
		.fds = { l->elsewhere ? out : -1, l->elsewhere ? -1 : out },
		.size_only = size_only };

	rd->layer = l;
	rd->fn = fn;
	rd->arg = arg;
	LIST_INSERT_HEAD(&l->all->reads, rd, entry);
	layer_hold(l);
	memcpy(job.read.diff_id, l->row.diff_id, sizeof(job.read.diff_id));
	if (!l->elsewhere)
		job.fds[0] = layer_open_recipe(l, &rd->err);
	if (l->elsewhere || job.fds[0] != -1) {
		rd->unpacker =
		    unpacker_start(l->all->def, &job, layer_read_done, rd);
		return rd;
	}
	fdio_close(&job.fds[1]);
	rd->end = event_new(l->all->def->base, -1, 0, layer_read_failed, rd);
	if (rd->end == NULL)
		fatalx("event_new");
	event_active(rd->end, EV_TIMEOUT, 0);
	return rd;
}
