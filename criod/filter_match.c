#include <string.h>

#include "criod/ctr.h"
#include "criod/filter_match.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/view.h"

static bool
filter_match_prefix(const char *id, const char *prefix)
{
	return strncmp(id, prefix, strlen(prefix)) == 0;
}

bool
filter_match_pod(const struct pod *pod, const Runtime__V1__PodSandboxFilter *f)
{
	if (f == NULL)
		return true;
	if (!filter_match_prefix(pod->id, f->id))
		return false;
	if (f->state != NULL && f->state->state != view_pod_state(pod))
		return false;
	return pb_map_covers((void *const *)pod->config->labels,
	    pod->config->n_labels, (void *const *)f->label_selector,
	    f->n_label_selector);
}

bool
filter_match_ctr(const struct ctr *c, const Runtime__V1__ContainerFilter *f)
{
	if (f == NULL)
		return true;
	if (!filter_match_prefix(c->id, f->id) ||
	    !filter_match_prefix(c->pod_id, f->pod_sandbox_id))
		return false;
	if (f->state != NULL && f->state->state != view_ctr_state(c))
		return false;
	return pb_map_covers((void *const *)c->config->labels,
	    c->config->n_labels, (void *const *)f->label_selector,
	    f->n_label_selector);
}
