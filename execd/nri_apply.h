#ifndef CRIOD_EXECD_NRI_APPLY_H
#define CRIOD_EXECD_NRI_APPLY_H

/*
 * What NRI plugins ask for, applied to a container's configuration after the
 * same rules that a client's request meets: a plugin gets no more than a
 * kubelet could ask for, except for what criod.conf allows.
 */

#include "execd/spec.h"
#include "proto/nri.pb-c.h"

struct nri_rules {
	const Criod__BootExecd *boot;
	const struct policy_pod *pod;
	bool privileged; /* the container */
};

/* -1 with err: spec is then not to be used. */
int nri_apply(const struct nri_rules *rules,
    const Nri__ContainerAdjustment *adjust, struct spec_out *spec,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
