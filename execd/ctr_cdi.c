#include <stdlib.h>
#include <string.h>

#include "execd/cdi_list.h"
#include "execd/ctr_cdi.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "lib/log.h"

struct ctr_cdi {
	struct ctr *ctr;
	struct cdi found;
	size_t pending;
	bool failed;
	struct cerr err;
	ctr_cdi_fn done;
	void *arg;
};

/* What an answer belongs to. */
struct ctr_cdi_ask {
	struct ctr_cdi *all;
	struct cdi_node *node;
};

struct ctr_cdi *
ctr_cdi_new(struct ctr *c, const Runtime__V1__ContainerConfig *config,
    struct cerr *err)
{
	struct ctr_cdi *d = execd_alloc(1, sizeof(*d));

	d->ctr = c;
	if (cdi_wanted(&d->found, config, err) == 0)
		return d;
	ctr_cdi_free(d);
	return NULL;
}

void
ctr_cdi_free(struct ctr_cdi *d)
{
	if (d == NULL)
		return;
	cdi_clear(&d->found);
	free(d);
}

const struct cdi *
ctr_cdi_found(const struct ctr_cdi *d)
{
	return &d->found;
}

static void
ctr_cdi_answered(struct ctr_cdi *d, const struct cerr *err)
{
	if (err != NULL && !d->failed) {
		d->failed = true;
		d->err = *err;
	}
	if (--d->pending == 0)
		d->done(d->arg, d->failed ? &d->err : NULL);
}

static void
ctr_cdi_have_node(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_cdi_ask *a = arg;
	struct cerr own;

	if (err != NULL) {
		/* NOT_FOUND would say that the pod is not there. */
		(void)cerr_set(&own, CERR_FAILED_PRECONDITION, "CDI: %s",
		    err->text);
		err = &own;
	} else if (devlist_read(&a->node->list, link_take_fd(m, 0), &own) ==
		   -1) {
		err = &own;
	}
	ctr_cdi_answered(a->all, err);
	free(a);
}

static void
ctr_cdi_ask_node(struct ctr_cdi *d, struct cdi_node *n)
{
	struct ctr_cdi_ask *a = execd_alloc(1, sizeof(*a));
	struct fixed_host_path body = { 0 };

	a->all = d;
	a->node = n;
	if (FIXED_SET_STR(body.path, n->host) == -1)
		fatalx("device path");
	d->pending++;
	(void)link_request(execd_launcher(d->ctr->x), MSG_L_DEVICES, &body,
	    NULL, 0, mono_after_ms(EXECD_STEP_MS), ctr_cdi_have_node, a);
}

static int
ctr_cdi_read(struct ctr_cdi *d, struct link_msg *m, struct cerr *err)
{
	CLEANUP_FD int fd = link_take_fd(m, 0);
	CLEANUP_FREE uint8_t *text = NULL;
	size_t len;

	if (fdio_memfd_read(fd, CDI_LIST_MAX, &text, &len) == -1)
		return cerr_errno(err, "CDI files");
	return cdi_find(&d->found, (const char *)text, len, err);
}

static void
ctr_cdi_have_files(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_cdi *d = arg;
	struct cerr own;

	if (err == NULL && ctr_cdi_read(d, m, &own) == -1)
		err = &own;
	for (size_t i = 0; err == NULL && i < d->found.nnodes; i++) {
		if (!d->found.nodes[i].known)
			ctr_cdi_ask_node(d, &d->found.nodes[i]);
	}
	ctr_cdi_answered(d, err);
}

void
ctr_cdi_find(struct ctr_cdi *d, ctr_cdi_fn done, void *arg)
{
	struct fixed_none body = { 0 };

	d->done = done;
	d->arg = arg;
	d->pending = 1;
	if (json_array_size(d->found.wanted) == 0)
		ctr_cdi_answered(d, NULL);
	else
		(void)link_request(execd_launcher(d->ctr->x), MSG_L_CDI, &body,
		    NULL, 0, mono_after_ms(EXECD_STEP_MS), ctr_cdi_have_files,
		    d);
}
