#include <stdlib.h>
#include <string.h>

#include "execd/ctr.h"
#include "execd/ctr_dirs.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"

/* A container that is known here is told of by CTR_LISTED. */
static bool
ctr_dirs_known(struct execd *x, const char *id)
{
	struct cerr err;

	return ctr_find_or(x, id, &err) != NULL || err.code != CERR_NOT_FOUND;
}

/* The names in text, which they borrow, of those that nobody here knows. */
static size_t
ctr_dirs_split(struct execd *x, char *text, size_t len, char **ids)
{
	size_t n = 0;

	for (size_t at = 0; at + ID_SIZE <= len; at += ID_SIZE) {
		char *id = text + at;

		id[ID_LEN] = '\0';
		if (id_valid(id) && !ctr_dirs_known(x, id))
			ids[n++] = id;
	}
	return n;
}

static void
ctr_dirs_answer(struct execd *x, struct link_call *call, char *text, size_t len)
{
	CLEANUP_FREE char **ids = execd_alloc(len / ID_SIZE + 1, sizeof(*ids));
	Criod__CtrDirs body;

	criod__ctr_dirs__init(&body);
	body.ids = ids;
	body.n_ids = ctr_dirs_split(x, text, len, ids);
	link_reply(call, MSG_CTR_DIRS_ARE, &body, NULL, 0);
}

struct ctr_dirs {
	struct execd *x;
	struct link_call *call;
};

static void
ctr_dirs_have(void *arg, struct link_msg *m, const struct cerr *err)
{
	CLEANUP_FREE struct ctr_dirs *d = arg;
	CLEANUP_FREE uint8_t *text = NULL;
	CLEANUP_FD int fd = err == NULL ? link_take_fd(m, 0) : -1;
	struct cerr own;
	size_t len;

	if (err == NULL &&
	    fdio_memfd_read(fd, CTR_DIRS_BYTES, &text, &len) == -1) {
		(void)cerr_errno(&own, "directories of containers");
		err = &own;
	}
	if (err != NULL)
		link_refuse(d->call, err);
	else
		ctr_dirs_answer(d->x, d->call, (char *)text, len);
}

void
ctr_take_dirs(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct ctr_dirs *d = execd_alloc(1, sizeof(*d));
	struct fixed_none none = { 0 };

	(void)m;
	d->x = ctx;
	d->call = call;
	(void)link_request(execd_launcher(ctx), MSG_L_CTR_DIRS, &none, NULL, 0,
	    mono_after_ms(EXECD_STEP_MS), ctr_dirs_have, d);
}
