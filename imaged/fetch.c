#include <sys/stat.h>

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"

#include "imaged/artifact.h"
#include "imaged/fetch.h"
#include "imaged/session.h"

#define FETCH_CHUNK (256U * 1024) /* written at a time */

struct fetch {
	char digest[DIGEST_SIZE];
	uint64_t size, have; /* bytes wanted, and that came */
	uint8_t *buf;	     /* of these, the last are still here */
	size_t nbuf;
	struct digest *hash;
	struct digest *tar; /* of a file as it would be in one */
	char name[ARTIFACT_NAME_SIZE];
	char *diff_id;
	int out;
	struct cerr err; /* why the sink refused; code OK: it did not */
	struct session *session;
	bool joined; /* of the bytes of several replies */
	bool anew;   /* once more from the start, since those did not fit */
	struct session_call *call;
	int in;		    /* or a descriptor to copy, */
	struct event *tick; /* a chunk at each turn of the loop */
	fetch_grown_fn grown;
	fetch_done_fn done;
	void *arg;
};

uint64_t
fetch_have(const struct fetch *f)
{
	return f->have;
}

static void
fetch_free(struct fetch *f)
{
	session_cancel(f->call);
	if (f->tick != NULL)
		event_free(f->tick);
	fdio_close(&f->in);
	fdio_close(&f->out);
	digest_free(f->hash);
	digest_free(f->tar);
	free(f->buf);
	free(f);
}

void
fetch_cancel(struct fetch *f)
{
	if (f != NULL)
		fetch_free(f);
}

static void
fetch_end(struct fetch *f, const struct cerr *err)
{
	fetch_done_fn done = f->done;
	void *arg = f->arg;
	struct cerr copy;
	int fd = -1;

	if (err != NULL) {
		copy = *err;
	} else {
		fd = f->out;
		f->out = -1;
	}
	fetch_free(f);
	done(arg, err != NULL ? &copy : NULL, fd);
}

static void
fetch_tar_begin(struct fetch *f)
{
	uint8_t head[ARTIFACT_HEAD_MAX];

	if (f->tar == NULL)
		return;
	digest_reset(f->tar);
	digest_update(f->tar, head, artifact_head(f->name, f->size, head));
}

static void
fetch_tar_end(struct fetch *f)
{
	static const uint8_t zeros[ARTIFACT_HEAD_MAX];
	char digest[DIGEST_SIZE];

	if (f->tar == NULL)
		return;
	digest_update(f->tar, zeros, artifact_tail(f->size));
	digest_final(f->tar, digest);
	memcpy(f->diff_id, digest + DIGEST_PREFIX_LEN, DIGEST_HEX_LEN + 1);
}

static int
fetch_rewind(struct fetch *f)
{
	if (ftruncate(f->out, 0) == -1 || lseek(f->out, 0, SEEK_SET) == -1)
		return cerr_errno(&f->err, "blob %s", f->digest);
	f->have = 0;
	f->nbuf = 0;
	f->joined = false;
	digest_reset(f->hash);
	fetch_tar_begin(f);
	return 0;
}

static void fetch_from_session(struct fetch *f);

/* All bytes are there: is it what was asked for? */
static void
fetch_verify(struct fetch *f)
{
	char digest[DIGEST_SIZE];
	struct cerr err;

	digest_final(f->hash, digest);
	if (strcmp(digest, f->digest) == 0 && lseek(f->out, 0, SEEK_SET) == 0) {
		fetch_tar_end(f);
		fetch_end(f, NULL);
		return;
	}
	/* Another part of another blob may have been sent. */
	if (f->joined && !f->anew && fetch_rewind(f) == 0) {
		f->anew = true;
		fetch_from_session(f);
		return;
	}
	(void)cerr_set(&err, CERR_DATA_LOSS,
	    "blob %s: its content has another digest, %s", f->digest, digest);
	fetch_end(f, &err);
}

/* What is in the buffer goes to the file and into the digest. */
static int
fetch_flush(struct fetch *f)
{
	if (f->nbuf == 0)
		return 0;
	if (fdio_write_all(f->out, f->buf, f->nbuf) == -1)
		return cerr_errno(&f->err, "blob %s: write", f->digest);
	digest_update(f->hash, f->buf, f->nbuf);
	if (f->tar != NULL)
		digest_update(f->tar, f->buf, f->nbuf);
	f->nbuf = 0;
	f->grown(f->arg, f->out, f->have);
	return 0;
}

static int
fetch_write(struct fetch *f, const uint8_t *p, size_t len)
{
	if (len > f->size - f->have)
		return cerr_set(&f->err, CERR_DATA_LOSS,
		    "blob %s is longer than the manifest says", f->digest);
	while (len > 0) {
		size_t n = FETCH_CHUNK - f->nbuf;

		if (n > len)
			n = len;
		memcpy(f->buf + f->nbuf, p, n);
		f->nbuf += n;
		f->have += n;
		p += n;
		len -= n;
		if ((f->nbuf == FETCH_CHUNK || f->have == f->size) &&
		    fetch_flush(f) == -1)
			return -1;
	}
	return 0;
}

/* ---- from a registry ---- */

/* 200: from the start, whatever was there before. */
static int
fetch_begin(void *arg, long status, int64_t length)
{
	struct fetch *f = arg;

	if (status == 200 && f->have > 0 && fetch_rewind(f) == -1)
		return -1;
	f->joined = f->have > 0;
	if (length >= 0 && (uint64_t)length != f->size - f->have)
		return cerr_set(&f->err, CERR_DATA_LOSS,
		    "blob %s has not the size that the manifest says",
		    f->digest);
	return 0;
}

static int
fetch_data(void *arg, const void *buf, size_t len)
{
	return fetch_write(arg, buf, len);
}

static uint64_t
fetch_offset(void *arg)
{
	struct fetch *f = arg;

	/* Nothing follows the last byte: then all of it again. */
	return f->have < f->size ? f->have : 0;
}

static void
fetch_got(void *arg, const struct http_reply *reply, const struct cerr *err)
{
	struct fetch *f = arg;
	struct cerr short_err;

	(void)reply;
	f->call = NULL;
	if (f->err.code != CERR_OK) {
		fetch_end(f, &f->err);
	} else if (err != NULL) {
		fetch_end(f, err);
	} else if (f->have < f->size) {
		(void)cerr_set(&short_err, CERR_DATA_LOSS,
		    "blob %s is shorter than the manifest says", f->digest);
		fetch_end(f, &short_err);
	} else {
		fetch_verify(f);
	}
}

static const struct http_sink fetch_sink = { fetch_begin, fetch_data };

static void
fetch_from_session(struct fetch *f)
{
	struct session_request r = {
		.kind = "blobs",
		.name = f->digest,
		.sink = &fetch_sink,
		.offset = fetch_offset,
		.done = fetch_got,
		.arg = f,
	};

	f->call = session_get(f->session, &r);
}

/* ---- from a descriptor ---- */

static int
fetch_copy(struct fetch *f)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	struct stat st;
	ssize_t n;

	if (fstat(f->in, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != f->size)
		return cerr_set(&f->err, CERR_INVALID_ARGUMENT,
		    "blob %s: not a file of the size that the manifest says",
		    f->digest);
	buf = malloc(FETCH_CHUNK);
	if (buf == NULL)
		fatal("fetch: malloc");
	n = pread(f->in, buf, FETCH_CHUNK, (off_t)f->have);
	if (n == -1)
		return cerr_errno(&f->err, "blob %s: read", f->digest);
	if (n == 0)
		return cerr_set(&f->err, CERR_INVALID_ARGUMENT,
		    "blob %s: the file became shorter", f->digest);
	return fetch_write(f, buf, (size_t)n);
}

static void
fetch_tick(evutil_socket_t fd, short what, void *arg)
{
	struct fetch *f = arg;
	struct timeval now = { 0, 0 };

	(void)fd;
	(void)what;
	if (f->err.code != CERR_OK ||
	    (f->have < f->size && fetch_copy(f) == -1))
		fetch_end(f, &f->err);
	else if (f->have == f->size)
		fetch_verify(f);
	else
		(void)evtimer_add(f->tick, &now);
}

struct fetch *
fetch_start(const struct fetch_def *def)
{
	struct fetch *f = calloc(1, sizeof(*f));
	struct timeval now = { 0, 0 };

	if (f == NULL)
		fatal("fetch: calloc");
	memcpy(f->digest, def->blob->digest, sizeof(f->digest));
	f->size = def->blob->size;
	f->hash = digest_new_like(f->digest);
	f->buf = malloc(FETCH_CHUNK);
	if (f->buf == NULL)
		fatal("fetch: malloc");
	if (def->blob->compression == MANIFEST_FILE)
		f->tar = digest_new();
	memcpy(f->name, def->blob->name, sizeof(f->name));
	f->diff_id = def->diff_id;
	fetch_tar_begin(f);
	f->grown = def->grown;
	f->done = def->done;
	f->arg = def->arg;
	f->in = def->fd;
	f->out = open(def->tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (f->out == -1)
		(void)cerr_errno(&f->err, "blob %s: temporary file", f->digest);
	if (f->out != -1 && def->session != NULL) {
		f->session = def->session;
		fetch_from_session(f);
		return f;
	}
	f->tick = evtimer_new(def->base, fetch_tick, f);
	if (f->tick == NULL || evtimer_add(f->tick, &now) == -1)
		fatalx("fetch: evtimer_new");
	return f;
}
