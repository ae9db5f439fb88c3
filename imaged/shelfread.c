#include <event2/event.h>

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/shelfread.h"
#include "imaged/store.h"
#include "imaged/unpacker.h"
#include "imsg/fixed.h"
#include "imsg/link.h"
#include "lib/fdio.h"
#include "lib/layerid.h"
#include "lib/log.h"
#include "lib/mono.h"

#define SHELFREAD_SPAWN_MS (30 * 1000)
/* Who waits has a limit of their own: a store that hangs may come back. */
#define SHELFREAD_WORK_MS (7 * 24 * 60 * 60 * INT64_C(1000))

struct shelfread {
	const struct store_def *def;
	shelfread_fn fn;
	void *arg;
	uint32_t spawn; /* request to the parent; 0: answered */
	struct link *link;
	struct event *end; /* a link must not be freed in its own callback */
	char known[SHELFREAD_PRINT];
	struct shelfread_done done;
	bool failed;
	struct cerr err;
};

static const struct link_def shelfread_link = {
	.self = ROLE_IMAGED,
	.peer = ROLE_SHELF,
};

static void
shelfread_end(evutil_socket_t fd, short what, void *arg)
{
	struct shelfread *r = arg;

	(void)fd;
	(void)what;
	link_free(r->link);
	r->link = NULL;
	if (r->failed || strcmp(r->done.print, r->known) == 0)
		fdio_close(&r->done.fd);
	if (r->fn != NULL)
		r->fn(r->arg, r->failed ? NULL : &r->done,
		    r->failed ? &r->err : NULL);
	else
		fdio_close(&r->done.fd);
	event_free(r->end);
	free(r);
}

static void
shelfread_finish(struct shelfread *r, const struct cerr *err)
{
	r->failed = err != NULL;
	if (err != NULL)
		r->err = *err;
	event_active(r->end, EV_TIMEOUT, 0);
}

static void
shelfread_answered(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct shelfread *r = arg;
	const struct fixed_shelf_done *done;
	struct cerr gone;

	if (m != NULL) {
		done = m->body;
		memcpy(r->done.print, done->print, sizeof(r->done.print));
		r->done.len = done->len;
		shelfread_finish(r, NULL);
		return;
	}
	if (err->code == CERR_UNAVAILABLE) {
		(void)cerr_set(&gone, CERR_DATA_LOSS,
		    "it cannot be opened, or its catalogue is of a kind that "
		    "the process that reads it did not survive");
		err = &gone;
	}
	shelfread_finish(r, err);
}

static void
shelfread_spawned(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct shelfread *r = arg;
	struct fixed_shelf_read body = { .print = "" };
	int fd;

	r->spawn = 0;
	if (m == NULL) {
		shelfread_finish(r, err);
		return;
	}
	memcpy(body.print, r->known, sizeof(body.print));
	r->link = link_new(r->def->base, &shelfread_link, r);
	link_attach(r->link, link_take_fd(m, 0));
	fd = fcntl(r->done.fd, F_DUPFD_CLOEXEC, 0);
	(void)link_request(r->link, MSG_SHELF_READ, &body, &fd, 1,
	    mono_after_ms(SHELFREAD_WORK_MS), shelfread_answered, r);
}

struct shelfread *
shelfread_start(const struct store_def *def, uint64_t store, const char *print,
    shelfread_fn fn, void *arg)
{
	struct shelfread *r = calloc(1, sizeof(*r));
	struct fixed_unpack_spawn body = { layerid_make(store, 0),
		UNPACKER_SHELF };
	char tmp[PATH_MAX];
	struct cerr err;

	if (r == NULL)
		fatal("calloc");
	r->def = def;
	r->fn = fn;
	r->arg = arg;
	(void)snprintf(r->known, sizeof(r->known), "%s", print);
	r->end = event_new(def->base, -1, 0, shelfread_end, r);
	if (r->end == NULL)
		fatalx("event_new");
	(void)snprintf(tmp, sizeof(tmp), "%s/tmp", def->root);
	r->done.fd = open(tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (r->done.fd == -1) {
		(void)cerr_errno(&err, "temporary file");
		shelfread_finish(r, &err);
		return r;
	}
	r->spawn = link_request(def->parent, MSG_UNPACK_SPAWN, &body, NULL, 0,
	    mono_after_ms(SHELFREAD_SPAWN_MS), shelfread_spawned, r);
	return r;
}

void
shelfread_cancel(struct shelfread *r)
{
	if (r == NULL)
		return;
	if (r->spawn != 0)
		link_cancel(r->def->parent, r->spawn);
	r->spawn = 0;
	r->fn = NULL;
	event_active(r->end, EV_TIMEOUT, 0);
}
