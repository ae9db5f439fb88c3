#include <event2/event.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/unpacker.h"
#include "imsg/link.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/mono.h"

#define UNPACKER_SPAWN_MS (30 * 1000)
#define UNPACKER_WORK_MS  (30 * 60 * 1000)
/* While a blob is fetched, who fetches it knows what is too long. */
#define UNPACKER_AHEAD_MS (7 * 24 * 60 * 60 * INT64_C(1000))

struct unpacker {
	const struct store_def *def;
	struct unpacker_job job;
	unpacker_fn fn;
	void *arg;
	uint32_t spawn; /* request to the parent; 0: answered */
	struct link *link;
	struct event *end;  /* a link must not be freed in its own callback */
	struct event *late; /* once the blob is whole */
	bool failed;
	union unpacker_done done;
	struct cerr err;
};

/* What each operation asks, and of whom. */
static const struct unpacker_kind {
	struct link_def link;
	enum msg_type type;
	size_t done_size;
} unpacker_kinds[] = {
	[UNPACKER_LAYER] = { { .self = ROLE_IMAGED, .peer = ROLE_UNPACK },
	    MSG_UNPACK_LAYER, sizeof(struct fixed_unpack_done) },
	[UNPACKER_REMOVE] = { { .self = ROLE_IMAGED, .peer = ROLE_UNPACK },
	    MSG_UNPACK_REMOVE, sizeof(struct fixed_unpack_done) },
	[UNPACKER_READ] = { { .self = ROLE_IMAGED, .peer = ROLE_PACK },
	    MSG_PACK_LAYER, sizeof(struct fixed_pack_done) },
	[UNPACKER_READ_SHELF] = { { .self = ROLE_IMAGED, .peer = ROLE_PACK },
	    MSG_PACK_LAYER, sizeof(struct fixed_pack_done) },
};

static void
unpacker_free(struct unpacker *u)
{
	link_free(u->link);
	event_free(u->end);
	event_free(u->late);
	fdio_close(&u->job.fds[0]);
	fdio_close(&u->job.fds[1]);
	free(u);
}

static void
unpacker_end(evutil_socket_t fd, short what, void *arg)
{
	struct unpacker *u = arg;
	unpacker_fn fn = u->fn;
	void *fn_arg = u->arg;
	bool failed = u->failed;
	union unpacker_done done = u->done;
	struct cerr err = u->err;

	(void)fd;
	(void)what;
	unpacker_free(u);
	if (fn != NULL)
		fn(fn_arg, failed ? NULL : &done, failed ? &err : NULL);
}

static void
unpacker_finish(struct unpacker *u, const struct cerr *err)
{
	u->failed = err != NULL;
	if (err != NULL)
		u->err = *err;
	event_active(u->end, EV_TIMEOUT, 0);
}

/* Ended without an answer: killed by a limit or by its filter. */
static void
unpacker_answered(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct unpacker *u = arg;
	struct cerr gone;

	if (m != NULL) {
		memcpy(&u->done, m->body, unpacker_kinds[u->job.op].done_size);
		unpacker_finish(u, NULL);
		return;
	}
	if (err->code == CERR_UNAVAILABLE) {
		(void)cerr_set(&gone, CERR_INTERNAL,
		    "the process that works on a layer ended early");
		err = &gone;
	}
	unpacker_finish(u, err);
}

static const void *
unpacker_body(const struct unpacker *u)
{
	static const struct fixed_none none;

	if (u->job.op == UNPACKER_LAYER)
		return &u->job.layer;
	if ((u->job.op == UNPACKER_READ || u->job.op == UNPACKER_READ_SHELF) &&
	    !u->job.size_only)
		return &u->job.read;
	return &none;
}

static bool
unpacker_is_whole(const struct unpacker *u)
{
	return u->job.op != UNPACKER_LAYER ||
	       u->job.layer.have == u->job.layer.blob_size;
}

static void
unpacker_ask(struct unpacker *u)
{
	enum msg_type type =
	    u->job.size_only ? MSG_PACK_SIZE : unpacker_kinds[u->job.op].type;
	size_t nfds = 0;

	while (nfds < 2 && u->job.fds[nfds] != -1)
		nfds++;
	(void)link_request(u->link, type, unpacker_body(u), u->job.fds, nfds,
	    mono_after_ms(
		unpacker_is_whole(u) ? UNPACKER_WORK_MS : UNPACKER_AHEAD_MS),
	    unpacker_answered, u);
	u->job.fds[0] = -1;
	u->job.fds[1] = -1;
}

static void
unpacker_spawned(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct unpacker *u = arg;

	u->spawn = 0;
	if (m == NULL) {
		unpacker_finish(u, err);
		return;
	}
	u->link = link_new(u->def->base, &unpacker_kinds[u->job.op].link, u);
	link_attach(u->link, link_take_fd(m, 0));
	unpacker_ask(u);
}

static void
unpacker_is_late(evutil_socket_t fd, short what, void *arg)
{
	struct cerr err;

	(void)fd;
	(void)what;
	(void)cerr_set(&err, CERR_DEADLINE_EXCEEDED,
	    "a layer was not unpacked in %d minutes", UNPACKER_WORK_MS / 60000);
	unpacker_finish(arg, &err);
}

void
unpacker_more(struct unpacker *u, uint64_t have)
{
	struct timeval late = { UNPACKER_WORK_MS / 1000, 0 };
	struct fixed_unpack_more more = { have };

	u->job.layer.have = have;
	if (u->link == NULL)
		return; /* the request will say it */
	(void)link_send(u->link, MSG_UNPACK_MORE, &more, NULL, 0);
	if (unpacker_is_whole(u))
		(void)evtimer_add(u->late, &late);
}

struct unpacker *
unpacker_start(const struct store_def *def, const struct unpacker_job *job,
    unpacker_fn fn, void *arg)
{
	struct unpacker *u = calloc(1, sizeof(*u));
	struct fixed_unpack_spawn body = { job->number, (uint32_t)job->op };

	if (u == NULL)
		fatal("calloc");
	u->def = def;
	u->job = *job;
	u->fn = fn;
	u->arg = arg;
	u->end = event_new(def->base, -1, 0, unpacker_end, u);
	u->late = evtimer_new(def->base, unpacker_is_late, u);
	if (u->end == NULL || u->late == NULL)
		fatalx("event_new");
	u->spawn = link_request(def->parent, MSG_UNPACK_SPAWN, &body, NULL, 0,
	    mono_after_ms(UNPACKER_SPAWN_MS), unpacker_spawned, u);
	return u;
}

void
unpacker_cancel(struct unpacker *u)
{
	if (u->spawn != 0)
		link_cancel(u->def->parent, u->spawn);
	u->spawn = 0;
	u->fn = NULL;
	event_active(u->end, EV_TIMEOUT, 0);
}
