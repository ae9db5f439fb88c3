#ifndef CRIOD_PARENT_METRICS_H
#define CRIOD_PARENT_METRICS_H

/* How helpers fare, for streamd's pages. */

#include <stdbool.h>
#include <stdint.h>

struct parent;

/* Since criod started. */
struct metrics_figures {
	uint64_t restarts;
	uint64_t violations; /* deaths by their own filter */
	bool silent;	     /* at this moment it does not answer */
};

void metrics_send(struct parent *parent, const char *role,
    const struct metrics_figures *f);
/* For a streamd that has just started. */
void metrics_send_all(struct parent *parent);

#endif
