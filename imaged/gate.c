#include <event2/event.h>

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#include "imaged/gate.h"
#include "imaged/sigfetch.h"
#include "imaged/sigset.h"
#include "imaged/judge.h"

struct gate {
	struct gate_def def;
	enum judge_verdict verdict;
	struct sigset sigs;
	struct sigfetch *fetch;
	struct judge_check *check;
	struct event *done; /* when nothing has to be waited for */
	struct cerr err;
	bool failed;
	uint8_t *packed;
	size_t npacked;
};

void
gate_free(struct gate *g)
{
	if (g == NULL)
		return;
	sigfetch_cancel(g->fetch);
	judge_cancel(g->check);
	event_free(g->done);
	sigset_clear(&g->sigs);
	free(g->packed);
	free(g);
}

const uint8_t *
gate_signatures(const struct gate *g, size_t *len)
{
	*len = g->npacked;
	return g->packed;
}

/* The caller may free the gate then. */
static void
gate_end(struct gate *g, const struct cerr *err)
{
	g->def.fn(g->def.arg, err);
}

static void
gate_done(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd;
	(void)what;
	gate_end(g, g->failed ? &g->err : NULL);
}

/* UNKNOWN and the prefix are what a kubelet knows it by. */
static void
gate_refuse(struct gate *g, const char *why)
{
	char text[REF_TEXT_SIZE];

	ref_text(g->def.ref, text);
	(void)cerr_set(&g->err, CERR_UNKNOWN, JUDGE_PREFIX "pull %s: %s", text,
	    why);
	g->failed = true;
	event_active(g->done, EV_TIMEOUT, 0);
}

static void
gate_checked(void *arg, const struct cerr *err)
{
	struct gate *g = arg;

	g->check = NULL;
	if (err != NULL)
		gate_refuse(g, err->text);
	else
		gate_end(g, NULL);
}

static void
gate_fetched(void *arg, const struct cerr *err)
{
	struct gate *g = arg;

	g->fetch = NULL;
	if (err == NULL)
		sigset_pack(&g->sigs, &g->packed, &g->npacked);
	if (err != NULL && g->verdict == JUDGE_SIGNATURE) {
		gate_end(g, err);
		return;
	}
	if (err != NULL)
		log_info("%s", err->text);
	if (g->verdict == JUDGE_ACCEPT)
		gate_end(g, NULL);
	else
		g->check = judge_start(g->def.judge, g->def.ns, g->def.ref,
		    &g->sigs, gate_checked, g);
}

/*
 * They are read even if nothing depends on them now: the policy that a
 * container is created under may be another one.
 */
static void
gate_fetch(struct gate *g)
{
	struct sigfetch_def def = { .base = g->def.base,
		.http = g->def.http,
		.parent = judge_parent(g->def.judge),
		.session = g->def.session,
		.ref = g->def.ref,
		.digests = { g->def.digest, g->def.top },
		.ndigests = strcmp(g->def.digest, g->def.top) == 0 ? 1 : 2,
		.sigs = &g->sigs,
		.fn = gate_fetched,
		.arg = g };

	judge_source(g->def.judge, g->def.ref, &def.source);
	if (def.source.lookaside[0] == '\0' && !def.source.attachments &&
	    g->verdict == JUDGE_ACCEPT)
		event_active(g->done, EV_TIMEOUT, 0);
	else
		g->fetch = sigfetch_start(&def);
}

struct gate *
gate_start(const struct gate_def *def)
{
	struct gate *g = calloc(1, sizeof(*g));

	if (g == NULL)
		fatal("gate: calloc");
	g->def = *def;
	g->done = event_new(def->base, -1, 0, gate_done, g);
	if (g->done == NULL)
		fatalx("gate: event_new");
	g->verdict = judge_ask(def->judge, def->ns, def->ref);
	if (g->verdict == JUDGE_REJECT)
		gate_refuse(g, JUDGE_REJECTED);
	else
		gate_fetch(g);
	return g;
}
