/*
 * New limits of a container.  A memory limit below what is in use would not
 * be refused by the kernel but kill: so that is looked at first.
 */
#include <stdlib.h>
#include <string.h>

#include "execd/ctr.h"
#include "execd/spec_update.h"
#include "execd/stat_parse.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"

struct ctr_update {
	struct execd *x;
	struct link_call *call;
	char id[ID_SIZE];
	int64_t limit;	      /* of memory; 0: not to be changed */
	int resources, files; /* sealed memfds */
};

static void
ctr_update_free(struct ctr_update *u)
{
	fdio_close(&u->resources);
	fdio_close(&u->files);
	free(u);
}

static void
ctr_update_fail(struct ctr_update *u, const struct cerr *err)
{
	link_refuse(u->call, err);
	ctr_update_free(u);
}

static void
ctr_updated(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_update *u = arg;
	Criod__Empty body;

	(void)m;
	if (err != NULL) {
		ctr_update_fail(u, err);
		return;
	}
	criod__empty__init(&body);
	link_reply(u->call, MSG_CTR_UPDATED, &body, NULL, 0);
	ctr_update_free(u);
}

/* One whose process may be there, and that nothing else is done to. */
static struct ctr *
ctr_update_find(struct execd *x, const char *id, struct cerr *err)
{
	struct ctr *c = ctr_find_or(x, id, err);

	if (c == NULL || (ctr_alive(c) && c->state != CTR_STARTING))
		return c;
	(void)cerr_set(err, CERR_FAILED_PRECONDITION,
	    "container %s is neither created nor running", id);
	return NULL;
}

static void
ctr_update_send(struct ctr_update *u)
{
	struct fixed_ctr body = { 0 };
	struct cerr err;
	struct ctr *c = ctr_update_find(u->x, u->id, &err);
	int fds[2];

	if (c == NULL) {
		ctr_update_fail(u, &err);
		return;
	}
	body.runtime = c->runtime;
	memcpy(body.ctr, c->id, sizeof(body.ctr));
	fds[0] = u->resources;
	fds[1] = u->files;
	u->resources = u->files = -1;
	(void)link_request(execd_launcher(u->x), MSG_L_CTR_UPDATE, &body, fds,
	    2, mono_after_ms(EXECD_STEP_MS), ctr_updated, u);
}

static int
ctr_update_usage(struct link_msg *m, uint64_t *usage, struct cerr *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	CLEANUP_FD int fd = link_take_fd(m, 0);
	struct stat_sample s;
	size_t len;
	int ret = 0;

	memset(&s, 0, sizeof(s));
	if (fdio_memfd_read(fd, STAT_TOTAL_MAX, &buf, &len) == -1 ||
	    stat_parse(buf, len, &s, 1) == -1 || !s.has[STAT_MEM_USAGE])
		ret = cerr_set(err, CERR_INTERNAL,
		    "memory in use: cannot be read");
	*usage = s.v[STAT_MEM_USAGE];
	stat_clear(&s);
	return ret;
}

static void
ctr_update_look(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_update *u = arg;
	uint64_t usage = 0;
	struct cerr own;

	if (err == NULL && ctr_update_usage(m, &usage, &own) == -1)
		err = &own;
	if (err == NULL && usage > (uint64_t)u->limit) {
		(void)cerr_set(&own, CERR_FAILED_PRECONDITION,
		    "memory_limit_in_bytes: %lld is less than the %llu in use",
		    (long long)u->limit, (unsigned long long)usage);
		err = &own;
	}
	if (err != NULL)
		ctr_update_fail(u, err);
	else
		ctr_update_send(u);
}

static void
ctr_update_ask(struct ctr_update *u)
{
	struct fixed_stats body = { .what = STAT_WANT_CGROUP };

	body.names[0] = 'c';
	memcpy(body.names + 1, u->id, ID_LEN);
	(void)link_request(execd_launcher(u->x), MSG_L_STATS, &body, NULL, 0,
	    mono_after_ms(EXECD_STEP_MS), ctr_update_look, u);
}

/* The file is empty if the runtime has nothing to do. */
static int
ctr_update_resources(const struct execd *x,
    const Runtime__V1__LinuxContainerResources *res, int *fd, struct cerr *err)
{
	json_t *o = spec_update(x->boot, res, err);
	CLEANUP_FREE char *text = NULL;

	if (o == NULL)
		return -1;
	text = json_dumps(o, JSON_COMPACT);
	if (text != NULL)
		*fd = fdio_memfd_sealed("resources", text,
		    json_object_size(o) == 0 ? 0 : strlen(text));
	json_decref(o);
	return *fd == -1 ? cerr_errno(err, "resources") : 0;
}

static int
ctr_update_files(const struct execd *x,
    const Runtime__V1__LinuxContainerResources *res, int *fd, struct cerr *err)
{
	CLEANUP_FREE struct update_file *list =
	    execd_alloc(UPDATE_FILES_MAX, sizeof(*list));
	size_t n;

	if (spec_update_files(x->boot, res, list, &n, err) == -1)
		return -1;
	*fd = fdio_memfd_sealed("limits", list, n * sizeof(*list));
	return *fd == -1 ? cerr_errno(err, "limits") : 0;
}

void
ctr_take_update(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrUpdate *b = m->body;
	struct execd *x = ctx;
	struct ctr_update *u = execd_alloc(1, sizeof(*u));
	struct cerr err;

	u->x = x;
	u->call = call;
	u->resources = u->files = -1;
	if (b->resources == NULL) {
		(void)cerr_set(&err, CERR_INVALID_ARGUMENT, "no resources");
		ctr_update_fail(u, &err);
		return;
	}
	if (ctr_update_find(x, b->id, &err) == NULL ||
	    ctr_update_resources(x, b->resources, &u->resources, &err) == -1 ||
	    ctr_update_files(x, b->resources, &u->files, &err) == -1) {
		ctr_update_fail(u, &err);
		return;
	}
	memcpy(u->id, b->id, sizeof(u->id));
	u->limit = b->resources->memory_limit_in_bytes;
	if (u->limit > 0)
		ctr_update_ask(u);
	else
		ctr_update_send(u);
}
