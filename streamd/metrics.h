#ifndef CRIOD_STREAMD_METRICS_H
#define CRIOD_STREAMD_METRICS_H

/* Figures that the parent and the front tell, and their page (Prometheus text
 * format). */

#include <stddef.h>
#include <stdint.h>

#include "proto/msg.pb-c.h"

struct evbuffer;

#define METRICS_ROLES_MAX 16
#define METRICS_ROLE_SIZE 32

struct metrics_role {
	char role[METRICS_ROLE_SIZE];
	uint64_t restarts;
	uint64_t violations;
	uint64_t silent;
};

struct metrics {
	struct metrics_role roles[METRICS_ROLES_MAX];
	size_t nroles;
};

/* -1 if its role is no name for a label, or there are too many. */
int metrics_set(struct metrics *m, const Criod__Metrics *f)
    __attribute__((warn_unused_result));
void metrics_page(const struct metrics *m, struct evbuffer *body);
#define METRICS_STREAMS 3 /* as in enum want_kind */

struct metrics_streams {
	uint64_t open, waiting;
	uint64_t begun[METRICS_STREAMS];
};

void metrics_streams(const struct metrics_streams *t, struct evbuffer *body);
/* What the front has told; the names are those of CRI-O's metrics. */
struct metrics_audit {
	uint64_t written, lost;
};

void metrics_audit(const struct metrics_audit *a, struct evbuffer *body);
void metrics_front(const Criod__FrontFigures *f, struct evbuffer *body);

#endif
