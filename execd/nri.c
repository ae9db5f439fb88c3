#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "execd/ctr.h"
#include "execd/nri.h"
#include "execd/nri_json.h"
#include "lib/fdio.h"
#include "lib/json.h"
#include "lib/log.h"
#include "proto/nri.pb-c.h"
#include "proto/pballoc.h"

#define NRI_ASK_MS     (120 * 1000) /* several plugins, and those before */
#define NRI_MEMORY     (64U * 1024 * 1024)
#define NRI_CONFIG_MAX (16U * 1024 * 1024)

static void
nri_seccomp_profile(Nri__SecurityProfile *p, const json_t *root)
{
	const json_t *l = json_object_get(root, "linux");

	nri__security_profile__init(p);
	p->profile_type =
	    json_object_get(l, "seccomp") == NULL
		? NRI__SECURITY_PROFILE__PROFILE_TYPE__UNCONFINED
		: NRI__SECURITY_PROFILE__PROFILE_TYPE__RUNTIME_DEFAULT;
}

/* What linux has of config.json's process. */
static int
nri_view_linux(struct pballoc *mem, Nri__LinuxContainer *l,
    const json_t *process)
{
	const json_t *oom = json_object_get(process, "oomScoreAdj");

	if (oom == NULL)
		return 0;
	l->oom_score_adj = nri_json_alloc(mem, 1, sizeof(*l->oom_score_adj));
	if (l->oom_score_adj == NULL)
		return -1;
	nri__optional_int__init(l->oom_score_adj);
	l->oom_score_adj->value = json_integer_value(oom);
	return 0;
}

/* The configuration as NRI's Container: what is execd's of it. */
static Nri__Container *
nri_view(struct pballoc *mem, Nri__SecurityProfile *seccomp, const json_t *root)
{
	const json_t *process = json_object_get(root, "process");
	const json_t *hooks = json_object_get(root, "hooks");
	Nri__Container *c =
	    nri_json_into(mem, &nri__container__descriptor, process);

	if (c == NULL)
		return NULL;
	/* process has args, env, rlimits and user by these names. */
	c->linux = nri_json_into(mem, &nri__linux_container__descriptor,
	    json_object_get(root, "linux"));
	if (c->linux == NULL || nri_view_linux(mem, c->linux, process) == -1)
		return NULL;
	nri_seccomp_profile(seccomp, root);
	c->linux->seccomp_profile = seccomp;
	if (hooks != NULL) {
		c->hooks = nri_json_into(mem, &nri__hooks__descriptor, hooks);
		if (c->hooks == NULL)
			return NULL;
	}
	return c;
}

static int
nri_view_mounts(struct pballoc *mem, Nri__Container *c, const json_t *root)
{
	const json_t *mounts = json_object_get(root, "mounts");
	size_t i;
	json_t *v;

	c->mounts =
	    nri_json_alloc(mem, json_array_size(mounts), sizeof(*c->mounts));
	if (c->mounts == NULL)
		return -1;
	json_array_foreach(mounts, i, v) {
		c->mounts[i] = nri_json_into(mem, &nri__mount__descriptor, v);
		if (c->mounts[i] == NULL)
			return -1;
		c->n_mounts++;
	}
	return 0;
}

static Nri__Container *
nri_make(struct pballoc *mem, Nri__SecurityProfile *seccomp, const json_t *root)
{
	Nri__Container *c = nri_view(mem, seccomp, root);

	if (c == NULL || nri_view_mounts(mem, c, root) == -1) {
		log_warn("a configuration is too large for NRI");
		return NULL;
	}
	return c;
}

void
nri_ask(struct execd *x, const Criod__CtrCreate *r, const json_t *root,
    link_reply_fn fn, void *arg)
{
	Nri__SecurityProfile seccomp;
	Nri__Container *c, none;
	struct pballoc mem;

	pballoc_init(&mem, NRI_MEMORY);
	c = nri_make(&mem, &seccomp, root);
	if (c == NULL) {
		nri__container__init(&none);
		c = &none; /* which nrid refuses */
	} else {
		c->id = r->id;
		c->pod_sandbox_id = r->pod_id;
		c->name = r->config->metadata != NULL
			      ? r->config->metadata->name
			      : r->id;
		/* Maps of strings have one layout. */
		c->n_labels = r->config->n_labels;
		c->labels =
		    (Nri__Container__LabelsEntry **)(void *)r->config->labels;
		c->n_annotations = r->config->n_annotations;
		c->annotations = (Nri__Container__AnnotationsEntry **)(void *)
				     r->config->annotations;
	}
	(void)link_request(execd_nrid(x), MSG_NRI_CREATE, c, NULL, 0,
	    mono_after_ms(NRI_ASK_MS), fn, arg);
	pballoc_clear(&mem);
}

static void
nri_announce_root(struct execd *x, struct ctr *c, const json_t *root)
{
	Nri__SecurityProfile seccomp;
	Nri__Container *view;
	struct pballoc mem;

	pballoc_init(&mem, NRI_MEMORY);
	view = nri_make(&mem, &seccomp, root);
	if (view != NULL) {
		view->id = c->id;
		view->pod_sandbox_id = c->pod;
		(void)link_send(execd_nrid(x), MSG_NRI_HAVE, view, NULL, 0);
	}
	pballoc_clear(&mem);
}

static void
nri_announce_ctr(struct execd *x, struct ctr *c)
{
	CLEANUP_FD int dir = ctr_open_dir(c);
	CLEANUP_FD int fd = -1;
	CLEANUP_FREE char *text = NULL;
	struct cerr err;
	json_t *root;
	ssize_t n;

	if (dir != -1)
		fd = openat(dir, CTR_CONFIG_FILE,
		    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	text = execd_alloc(1, NRI_CONFIG_MAX);
	n = fd == -1 ? -1 : fdio_read_upto(fd, text, NRI_CONFIG_MAX);
	if (n <= 0)
		return;
	root = json_read_bounded(CTR_CONFIG_FILE, text, (size_t)n,
	    NRI_CONFIG_MAX, &err);
	if (root == NULL) {
		log_warn("container %s: %s", c->id, err.text);
		return;
	}
	nri_announce_root(x, c, root);
	json_decref(root);
}

void
nri_announce(struct execd *x)
{
	Nri__Container end = NRI__CONTAINER__INIT;
	struct ctr *c;

	LIST_FOREACH(c, &x->ctrs, entry) {
		if (c->state != CTR_CREATING && c->state != CTR_REMOVING)
			nri_announce_ctr(x, c);
	}
	(void)link_send(execd_nrid(x), MSG_NRI_HAVE, &end, NULL, 0);
}
