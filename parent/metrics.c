#include <stdio.h>

#include "imsg/link.h"
#include "proto/msg.pb-c.h"
#include "parent/metrics.h"
#include "parent/parent.h"
#include "parent/proc.h"
#include "parent/unpacks.h"

void
metrics_send(struct parent *parent, const char *role,
    const struct metrics_figures *f)
{
	struct proc *streamd = proc_find(parent, ROLE_STREAMD);
	struct link *link = streamd == NULL ? NULL : proc_link(streamd);
	Criod__Metrics body;
	char name[32];

	if (link == NULL)
		return;
	(void)snprintf(name, sizeof(name), "%s", role);
	criod__metrics__init(&body);
	body.role = name;
	body.restarts = f->restarts;
	body.violations = f->violations;
	body.silent = f->silent;
	(void)link_send(link, MSG_METRICS, &body, NULL, 0);
}

void
metrics_send_all(struct parent *parent)
{
	for (size_t i = 0; i < parent->nprocs; i++)
		proc_tell_figures(parent->procs[i]);
	unpacks_metrics(parent->unpacks);
}
