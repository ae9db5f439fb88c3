#include <sys/queue.h>

#include <event2/event.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fdio.h"
#include "lib/log.h"

#include "imaged/fetch.h"
#include "imaged/session.h"
#include "imaged/share.h"
#include "imaged/store.h"

/*
 * A layer is unpacked while its blob comes, if that is long enough to be worth
 * it; of each so many bytes unpack is told, of at most so many steps.
 */
#define SHARE_AHEAD_MIN	  (UINT64_C(1) << 20)
#define SHARE_AHEAD_STEPS 512

struct share;

struct share_wait {
	TAILQ_ENTRY(share_wait) entry;
	struct shares *shares;
	struct share *share;	 /* NULL: the layer was there */
	struct session *session; /* one reference; NULL: fd */
	int fd;
	share_done_fn done;
	void *arg;
	uint64_t layer;	     /* found at once, and */
	struct event *found; /* told from the loop */
};

/* One blob on its way to one layer. */
struct share {
	LIST_ENTRY(share) entry;
	struct shares *shares;
	struct manifest_desc blob;
	char diff_id[DIGEST_HEX_LEN + 1];
	struct session *source; /* that it is being read from; NULL: a fd */
	struct fetch *fetch;
	struct store_unpack *unpack;
	bool fetched;  /* all of the blob, and it is what it should be */
	bool alone;    /* do not unpack it while it comes */
	uint64_t told; /* how much of it unpack knows of */
	TAILQ_HEAD(, share_wait) waits;
	bool closed; /* over: its waits are being told */
};

struct shares {
	struct event_base *base;
	struct store *store;
	const char *tmp;
	LIST_HEAD(, share) list;
};

struct shares *
shares_new(struct event_base *base, struct store *store, const char *tmp)
{
	struct shares *ss = calloc(1, sizeof(*ss));

	if (ss == NULL)
		fatal("shares: calloc");
	ss->base = base;
	ss->store = store;
	ss->tmp = tmp;
	LIST_INIT(&ss->list);
	return ss;
}

static void
share_wait_free(struct share_wait *w)
{
	if (w->found != NULL)
		event_free(w->found);
	session_unref(w->session);
	fdio_close(&w->fd);
	free(w);
}

static void
share_wait_end(struct share_wait *w, const struct cerr *err, uint64_t layer)
{
	share_done_fn done = w->done;
	void *arg = w->arg;

	share_wait_free(w);
	done(arg, err, layer);
}

static struct share *
share_new(struct shares *ss, const struct manifest_desc *blob,
    const char *diff_id)
{
	struct share *sh = calloc(1, sizeof(*sh));

	if (sh == NULL)
		fatal("share: calloc");
	sh->shares = ss;
	sh->blob = *blob;
	memcpy(sh->diff_id, diff_id, sizeof(sh->diff_id));
	TAILQ_INIT(&sh->waits);
	LIST_INSERT_HEAD(&ss->list, sh, entry);
	return sh;
}

/* Off the list, where what its callbacks start would find it. */
static void
share_close(struct share *sh)
{
	LIST_REMOVE(sh, entry);
	sh->closed = true;
}

static void
share_free(struct share *sh)
{
	if (!sh->closed)
		LIST_REMOVE(sh, entry);
	fetch_cancel(sh->fetch);
	if (sh->unpack != NULL)
		store_unpack_cancel(sh->unpack);
	session_unref(sh->source);
	free(sh);
}

/*
 * Everyone is told; callbacks may cancel others that wait, so each is looked
 * for anew.
 */
static void
share_tell(struct share *sh, const struct cerr *err, uint64_t layer)
{
	struct store *store = sh->shares->store;
	struct share_wait *w;

	while ((w = TAILQ_FIRST(&sh->waits)) != NULL) {
		TAILQ_REMOVE(&sh->waits, w, entry);
		/* Each gets a hold of its own; this one's goes at the end. */
		share_wait_end(w, err,
		    layer == 0 ? 0 : store_layer_find(store, sh->diff_id));
	}
	if (layer != 0)
		store_layer_drop(store, layer);
	share_free(sh);
}

static void
share_unpacked(void *arg, const struct cerr *err, uint64_t layer)
{
	struct share *sh = arg;

	sh->unpack = NULL;
	if (!sh->fetched && err == NULL)
		fatalx("share: a layer of a blob that was not verified");
	if (!sh->fetched) {
		/* Of such a blob nothing is believed. */
		log_debug("layer %s, ahead of its end: %s", sh->diff_id,
		    err->text);
		sh->alone = true;
		return;
	}
	share_close(sh);
	share_tell(sh, err, layer);
}

static struct store_blob
share_blob(const struct share *sh)
{
	return (struct store_blob){ .fd = -1,
		.compression = (enum store_compression)sh->blob.compression,
		.size = sh->blob.size,
		.name = sh->blob.name };
}

/* ---- unpacking what is still being fetched ---- */

static void
share_begin_ahead(struct share *sh, int fd, uint64_t have)
{
	struct store_blob blob = share_blob(sh);

	if (sh->blob.compression == MANIFEST_FILE || have < SHARE_AHEAD_MIN ||
	    sh->blob.size - have < SHARE_AHEAD_MIN)
		return;
	blob.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (blob.fd == -1)
		return;
	sh->told = have;
	sh->unpack = store_layer_ahead(sh->shares->store, &blob, have,
	    sh->diff_id, share_unpacked, sh);
}

/* The last bytes are for share_fetched, which knows that all are right. */
static void
share_grown(void *arg, int fd, uint64_t have)
{
	struct share *sh = arg;
	uint64_t step = sh->blob.size / SHARE_AHEAD_STEPS;

	if (sh->alone || have == sh->blob.size)
		return;
	if (sh->unpack == NULL) {
		share_begin_ahead(sh, fd, have);
		return;
	}
	if (have < sh->told) {
		store_unpack_cancel(sh->unpack);
		sh->unpack = NULL;
		sh->alone = true;
		return;
	}
	if (step < SHARE_AHEAD_MIN / 4)
		step = SHARE_AHEAD_MIN / 4;
	if (have - sh->told >= step) {
		sh->told = have;
		store_unpack_more(sh->unpack, have);
	}
}

static void share_start(struct share *sh);

/* Whether w would have read from where sh did. */
static bool
share_same_source(const struct share *sh, const struct share_wait *w)
{
	if (sh->source == NULL || w->session == NULL)
		return sh->source == w->session;
	return strcmp(session_path(sh->source), session_path(w->session)) == 0;
}

/* Those who would have read elsewhere start over, together. */
static void
share_split(struct share *sh)
{
	struct share *other = NULL;
	struct share_wait *w, *next;

	for (w = TAILQ_FIRST(&sh->waits); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (share_same_source(sh, w))
			continue;
		if (other == NULL)
			other = share_new(sh->shares, &sh->blob, sh->diff_id);
		TAILQ_REMOVE(&sh->waits, w, entry);
		TAILQ_INSERT_TAIL(&other->waits, w, entry);
		w->share = other;
	}
	if (other != NULL)
		share_start(other);
}

static void
share_fetched(void *arg, const struct cerr *err, int fd)
{
	struct share *sh = arg;
	struct store_blob blob = share_blob(sh);

	sh->fetch = NULL;
	sh->fetched = err == NULL;
	if (err == NULL && sh->unpack != NULL) {
		fdio_close(&fd);
		store_unpack_more(sh->unpack, sh->blob.size);
		return;
	}
	if (err == NULL) {
		blob.fd = fd;
		sh->unpack = store_layer_unpack(sh->shares->store, &blob,
		    sh->diff_id, share_unpacked, sh);
		return;
	}
	share_close(sh);
	share_split(sh);
	share_tell(sh, err, 0);
}

/* Reads from where the first that waits would. */
static void
share_start(struct share *sh)
{
	struct share_wait *w = TAILQ_FIRST(&sh->waits);
	struct fetch_def def = {
		.base = sh->shares->base,
		.tmp = sh->shares->tmp,
		.session = w->session,
		.fd = w->fd,
		.blob = &sh->blob,
		.diff_id = sh->diff_id,
		.grown = share_grown,
		.done = share_fetched,
		.arg = sh,
	};

	w->fd = -1;
	if (w->session != NULL)
		sh->source = session_ref(w->session);
	sh->fetch = fetch_start(&def);
}

static bool
share_fits(const struct share *sh, const struct share_want *want)
{
	if (strcmp(sh->blob.digest, want->blob->digest) != 0 ||
	    sh->blob.size != want->blob->size ||
	    sh->blob.compression != want->blob->compression ||
	    strcmp(sh->blob.name, want->blob->name) != 0 ||
	    strcmp(sh->diff_id, want->diff_id) != 0)
		return false;
	if (sh->source == NULL || want->session == NULL)
		return sh->source == want->session;
	return strcmp(session_key(sh->source), session_key(want->session)) == 0;
}

static void
share_found(evutil_socket_t fd, short what, void *arg)
{
	struct share_wait *w = arg;

	(void)fd;
	(void)what;
	share_wait_end(w, NULL, w->layer);
}

static void
share_tell_soon(struct share_wait *w)
{
	struct timeval now = { 0, 0 };

	w->found = evtimer_new(w->shares->base, share_found, w);
	if (w->found == NULL || evtimer_add(w->found, &now) == -1)
		fatalx("share: evtimer_new");
}

static void
share_join(struct share_wait *w, const struct share_want *want)
{
	struct share *sh;

	LIST_FOREACH(sh, &w->shares->list, entry) {
		if (share_fits(sh, want))
			break;
	}
	w->share = sh;
	if (sh != NULL) {
		TAILQ_INSERT_TAIL(&sh->waits, w, entry);
		return;
	}
	w->share = share_new(w->shares, want->blob, want->diff_id);
	TAILQ_INSERT_TAIL(&w->share->waits, w, entry);
	share_start(w->share);
}

struct share_wait *
share_get(struct shares *ss, const struct share_want *want)
{
	struct share_wait *w = calloc(1, sizeof(*w));

	if (w == NULL)
		fatal("share: calloc");
	w->shares = ss;
	w->fd = want->fd;
	w->session = want->session == NULL ? NULL : session_ref(want->session);
	w->done = want->done;
	w->arg = want->arg;
	if (want->diff_id[0] != '\0')
		w->layer = store_layer_find(ss->store, want->diff_id);
	if (w->layer != 0)
		share_tell_soon(w);
	else
		share_join(w, want);
	return w;
}

void
share_cancel(struct share_wait *w)
{
	struct share *sh;

	if (w == NULL)
		return;
	sh = w->share;
	if (sh != NULL) {
		TAILQ_REMOVE(&sh->waits, w, entry);
		if (TAILQ_EMPTY(&sh->waits) && !sh->closed)
			share_free(sh);
	} else {
		store_layer_drop(w->shares->store, w->layer);
	}
	share_wait_free(w);
}

uint64_t
share_have(const struct share_wait *w)
{
	if (w->share == NULL)
		return 0;
	return w->share->fetch != NULL ? fetch_have(w->share->fetch)
				       : w->share->blob.size;
}
