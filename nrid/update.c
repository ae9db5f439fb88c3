#include <stdio.h>
#include <stdlib.h>

#include "imsg/link.h"
#include "lib/id.h"
#include "lib/log.h"
#include "nrid/nrid.h"
#include "nrid/update.h"

#define UPDATE_REASON 512 /* bytes of one that are passed on */

struct update {
	struct nrid *nrid;
	Nri__ContainerUpdate *const *list;
	size_t len, at;
	size_t *failed, nfailed;
	bool refused;
	struct cerr err;
	update_fn fn;
	void *arg;
};

static void update_next(struct update *u);

static void
update_end(struct update *u)
{
	u->fn(u->arg, u->failed, u->nfailed, u->refused ? &u->err : NULL);
	free(u->failed);
	free(u);
}

static void
update_one_done(struct update *u, const struct cerr *err)
{
	const Nri__ContainerUpdate *one = u->list[u->at];
	struct known_ctr *c = known_ctr(&u->nrid->known, one->container_id);

	if (err == NULL && c != NULL && one->linux != NULL &&
	    one->linux->resources != NULL)
		known_set_limits(c, one->linux->resources);
	if (err != NULL) {
		log_warn("update of container %.64s for an NRI plugin: %s",
		    one->container_id, err->text);
		u->failed[u->nfailed++] = u->at;
		if (!one->ignore_failure && !u->refused) {
			u->refused = true;
			u->err = *err;
		}
	}
	u->at++;
	update_next(u);
}

static void
update_reply(void *arg, struct link_msg *m, const struct cerr *err)
{
	(void)m;
	update_one_done(arg, err);
}

static void
update_next(struct update *u)
{
	if (u->at == u->len) {
		update_end(u);
		return;
	}
	(void)link_request(u->nrid->front, MSG_NRI_UPDATE, u->list[u->at], NULL,
	    0, mono_after_ms(NRID_UPDATE_MS), update_reply, u);
}

void
update_run(struct nrid *n, Nri__ContainerUpdate *const *list, size_t len,
    update_fn fn, void *arg)
{
	struct update *u = nrid_alloc(1, sizeof(*u));

	*u = (struct update){ .nrid = n,
		.list = list,
		.len = len,
		.fn = fn,
		.arg = arg };
	u->failed = nrid_alloc(len + 1, sizeof(*u->failed));
	update_next(u);
}

void
update_evict(struct nrid *n, Nri__ContainerEviction *const *list, size_t len,
    const char *plugin)
{
	Nri__ContainerEviction out;
	char reason[UPDATE_REASON];

	for (size_t i = 0; i < len; i++) {
		if (!id_valid(list[i]->container_id))
			continue;
		out = *list[i];
		(void)snprintf(reason, sizeof(reason), "%s", list[i]->reason);
		out.reason = reason;
		log_info("NRI plugin %s evicts container %s: %.256s", plugin,
		    list[i]->container_id, list[i]->reason);
		(void)link_send(n->front, MSG_NRI_EVICT, &out, NULL, 0);
	}
}
