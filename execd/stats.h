#ifndef CRIOD_EXECD_STATS_H
#define CRIOD_EXECD_STATS_H

/*
 * Numbers of containers and pods, for front.  The launcher reads, a batch of
 * names at a time; what it gives is parsed and kept here for a short time.
 * Writable layers are counted in the background: no answer waits for that but
 * the first, and that one briefly.
 */

#include "execd/execd.h"
#include "execd/stat_parse.h"
#include "imsg/fixed.h"

struct stats_batch;

/* Of one container or pod. */
struct stats {
	struct stat_sample now;
	uint32_t what; /* STAT_WANT_* that is in it; 0: nothing yet */
	struct mono taken;
	struct stats_batch *batch; /* that is to bring the next */
	/* For the rate of CPU use. */
	uint64_t base_cpu, base_mono, rate;
	bool rate_set;
	/* The writable layer. */
	struct fixed_usage usage;
	int64_t usage_at; /* wall ns; 0: not counted yet */
	struct mono usage_next, usage_began;
	bool usage_wanted, usage_running;
	bool usage_late; /* an answer has gone without it: no more waits */
};

struct stats_state *stats_new(struct execd *x);
/* Frees *s, of a container or pod that goes. */
void stats_free(struct stats **s);
void stats_take_get(void *ctx, struct link_call *call, struct link_msg *m);

/* stats_view.c: one item of the answer, which borrows from it. */
struct stats_view;
struct stats_view *stats_view_new(struct execd *x, char *id,
    const struct stats *s, uint32_t metrics);
Criod__StatsItem *stats_view_item(struct stats_view *v);
void stats_view_free(struct stats_view *v);

/* stats_metric.c: fills item->metrics with those of groups. */
void stats_metric_fill(Criod__StatsItem *item, const struct stats *s,
    uint32_t groups);
void stats_metric_free(Criod__StatsItem *item);

#endif
