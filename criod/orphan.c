#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criod/front.h"
#include "criod/op.h"
#include "criod/orphan.h"
#include "criod/pb.h"
#include "imsg/link.h"
#include "lib/id.h"

struct orphan {
	LIST_ENTRY(orphan) entry;
	struct front *front;
	struct op *op;
	char id[ID_SIZE];
};

static void
orphan_request(struct orphan *o, struct op *op, struct link *link,
    enum msg_type type)
{
	Criod__PodId m = CRIOD__POD_ID__INIT;

	m.id = o->id;
	op_request(op, link, type, &m, FRONT_NET_DEL_MS, NULL);
}

static void
orphan_undo_net(void *ctx, struct op *op)
{
	struct orphan *o = ctx;

	orphan_request(o, op, o->front->netd, MSG_NET_DEL);
}

static void
orphan_undo_pod(void *ctx, struct op *op)
{
	struct orphan *o = ctx;

	orphan_request(o, op, o->front->execd, MSG_POD_REMOVE);
}

static void
orphan_undo_ctr(void *ctx, struct op *op)
{
	struct orphan *o = ctx;
	Criod__CtrId m = CRIOD__CTR_ID__INIT;

	m.id = o->id;
	op_request(op, o->front->execd, MSG_CTR_REMOVE, &m, FRONT_CTR_MS, NULL);
}

static void
orphan_undone(void *ctx)
{
	struct orphan *o = ctx;

	LIST_REMOVE(o, entry);
	free(o);
}

static const struct op_step orphan_pod_steps[] = {
	{ "namespaces", NULL, orphan_undo_pod },
	{ "network", NULL, orphan_undo_net },
};

static const struct op_step orphan_ctr_steps[] = {
	{ "container", NULL, orphan_undo_ctr },
};

static const struct op_def orphan_pod_def = { "cleaning up a pod",
	orphan_pod_steps, 2, NULL, orphan_undone };

static const struct op_def orphan_ctr_def = { "cleaning up a container",
	orphan_ctr_steps, 1, NULL, orphan_undone };

static void
orphan_start(struct front *front, const char *id, const struct op_def *def)
{
	struct orphan *o;

	LIST_FOREACH(o, &front->orphans, entry) {
		if (strcmp(o->id, id) == 0)
			return;
	}
	o = pb_calloc(1, sizeof(*o));
	o->front = front;
	(void)snprintf(o->id, sizeof(o->id), "%s", id);
	LIST_INSERT_HEAD(&front->orphans, o, entry);
	o->op = op_undo(front->base, def, o);
}

void
orphan_pod(struct front *front, const char *id)
{
	orphan_start(front, id, &orphan_pod_def);
}

void
orphan_ctr(struct front *front, const char *id)
{
	orphan_start(front, id, &orphan_ctr_def);
}

void
orphan_hurry(struct front *front)
{
	struct orphan *o;

	LIST_FOREACH(o, &front->orphans, entry)
		op_hurry(o->op);
}
