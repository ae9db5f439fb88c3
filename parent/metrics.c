#include <stdio.h>

#include "imsg/link.h"
#include "proto/msg.pb-c.h"
#include "parent/metrics.h"
#include "parent/parent.h"
#include "parent/proc.h"
#include "parent/roles.h"
#include "parent/unpacks.h"

void
metrics_send(struct parent *parent, const char *role, uint64_t restarts,
    uint64_t violations)
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
	body.restarts = restarts;
	body.violations = violations;
	(void)link_send(link, MSG_METRICS, &body, NULL, 0);
}

void
metrics_send_all(struct parent *parent)
{
	uint64_t restarts, violations;

	for (size_t i = 0; i < parent->nprocs; i++) {
		proc_figures(parent->procs[i], &restarts, &violations);
		metrics_send(parent, proc_info(parent->procs[i])->program,
		    restarts, violations);
	}
	unpacks_metrics(parent->unpacks);
}
