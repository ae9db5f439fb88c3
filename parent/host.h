#ifndef CRIOD_PARENT_HOST_H
#define CRIOD_PARENT_HOST_H

/* What the host is like: found out once, before anything is given up. */

#include <stdbool.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "parent/selinux.h"

struct conf_host;

struct host {
	bool cgroup2; /* pure cgroup v2 */
	struct selinux_facts selinux;
	bool apparmor;	       /* is on */
	bool hugetlb;	       /* cgroups can limit huge pages */
	uint64_t bounding;     /* 1 << CAP_*: the most that a container gets */
	char boot[40];	       /* boot_id; "" if it cannot be read */
	int oom_score_adj_min; /* the lowest that this process may set */
};

int host_look(struct host *h, struct cerr *err)
    __attribute__((warn_unused_result));

bool host_is_cgroup2(void);

/* Defaults for conf_fill; prefix is borrowed and may be NULL. */
void host_conf(struct conf_host *h, const char *prefix);
void host_conf_clear(struct conf_host *h);

#endif
