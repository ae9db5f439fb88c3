#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "netd/cache.h"
#include "netd/chain.h"
#include "netd/conf.h"
#include "netd/plugin.h"
#include "netd/request.h"
#include "netd/result.h"
#include "netd/run.h"

static const struct {
	const char *command;
	bool reverse;
	bool go_on; /* after a failure */
} chain_verbs[] = {
	[CHAIN_ADD] = { "ADD", false, false },
	[CHAIN_DEL] = { "DEL", true, false },
	[CHAIN_UNDO] = { "DEL", true, true },
	[CHAIN_CHECK] = { "CHECK", false, false },
	[CHAIN_GC] = { "GC", false, true },
	[CHAIN_STATUS] = { "STATUS", false, false },
};

struct chain {
	struct runner *rn;
	enum chain_verb verb;
	struct attachment *a; /* NULL for a network's verbs */
	struct conf *conf;
	json_t *valid;
	struct mono deadline;
	size_t total, done; /* plugins */
	struct run *run;
	chain_fn fn;
	void *arg;
	bool failed;
	struct cerr fail;
};

static size_t
chain_index(const struct chain *c)
{
	return chain_verbs[c->verb].reverse ? c->total - 1 - c->done : c->done;
}

static void
chain_end(struct chain *c)
{
	c->fn(c->arg, c->failed ? &c->fail : NULL);
	conf_unref(c->conf);
	json_decref(c->valid);
	free(c);
}

static void
chain_fail(struct chain *c, const struct cerr *err)
{
	if (!c->failed)
		c->fail = *err;
	c->failed = true;
}

/* What a plugin that ended by itself has to say. */
static int
chain_judge(struct chain *c, const struct run_output *out, struct cerr *err)
{
	const char *type = conf_type(c->conf, chain_index(c));
	json_t *result;

	if (out->exit_code != 0) {
		result_error(type, chain_verbs[c->verb].command, out->exit_code,
		    out->out, out->out_len, out->errout, err);
		return -1;
	}
	if (c->verb != CHAIN_ADD)
		return 0;
	result =
	    result_parse(type, c->conf->version, out->out, out->out_len, err);
	if (result == NULL)
		return -1;
	attachment_set_result(c->a, result);
	return 0;
}

/* The launcher found no plugin that it may run: nothing has begun. */
static bool
chain_not_run(const struct cerr *err)
{
	return err->code == CERR_NOT_FOUND ||
	       err->code == CERR_FAILED_PRECONDITION;
}

static void chain_next(struct chain *c);

static void
chain_ran(void *arg, const struct run_output *out, const struct cerr *err)
{
	struct chain *c = arg;
	struct cerr why;

	c->run = NULL;
	if (out == NULL && c->verb == CHAIN_ADD && chain_not_run(err))
		c->a->begun--;
	if (out != NULL && *out->errout != '\0')
		log_debug("plugin %s: %s", conf_type(c->conf, chain_index(c)),
		    out->errout);
	if (out == NULL && c->verb == CHAIN_UNDO && err->code == CERR_NOT_FOUND)
		log_warn("%s: it has nothing to undo", err->text);
	else if (out == NULL)
		chain_fail(c, err);
	else if (chain_judge(c, out, &why) == -1)
		chain_fail(c, &why);
	c->done++;
	if (c->done == c->total || (c->failed && !chain_verbs[c->verb].go_on))
		chain_end(c);
	else
		chain_next(c);
}

/* The first plugin of an ADD finds the namespace as the kernel made it. */
static uint32_t
chain_netns(const struct chain *c)
{
	if (c->a == NULL)
		return NETNS_NONE;
	return c->verb == CHAIN_ADD && c->done == 0 ? NETNS_PREPARE : NETNS_USE;
}

/* prevResult: DEL and CHECK know it since 0.4.0. */
static json_t *
chain_prev(const struct chain *c)
{
	if (c->a == NULL ||
	    (c->verb != CHAIN_ADD && !conf_speaks(c->conf, 0, 4)))
		return NULL;
	return c->a->result;
}

static void
chain_next(struct chain *c)
{
	size_t i = chain_index(c);
	struct run_request req = {
		.plugin = conf_type(c->conf, i),
		.command = chain_verbs[c->verb].command,
		.pod = c->a == NULL ? "" : c->a->pod,
		.ifname = c->a == NULL ? "" : CHAIN_IFNAME,
		.args = c->a == NULL ? "" : c->a->args,
		.netns = chain_netns(c),
		.deadline = c->deadline,
	};
	char *text =
	    request_make(c->conf, i, c->a == NULL ? NULL : c->a->capabilities,
		chain_prev(c), c->valid, &req.input_len);

	if (c->verb == CHAIN_ADD)
		c->a->begun = i + 1;
	req.input = text;
	c->run = run_start(c->rn, &req, chain_ran, c);
	free(text);
}

static struct chain *
chain_new(struct runner *rn, enum chain_verb verb, struct conf *conf,
    struct mono deadline, chain_fn fn, void *arg)
{
	struct chain *c = calloc(1, sizeof(*c));

	if (c == NULL)
		fatal("calloc");
	c->rn = rn;
	c->verb = verb;
	c->conf = conf_ref(conf);
	c->total = conf_count(conf);
	c->deadline = deadline;
	c->fn = fn;
	c->arg = arg;
	return c;
}

struct chain *
chain_start(struct runner *rn, enum chain_verb verb, struct attachment *a,
    struct mono deadline, chain_fn fn, void *arg)
{
	struct chain *c = chain_new(rn, verb, a->conf, deadline, fn, arg);

	c->a = a;
	if (verb == CHAIN_UNDO)
		c->total = a->begun;
	chain_next(c);
	return c;
}

struct chain *
chain_start_network(struct runner *rn, enum chain_verb verb, struct conf *conf,
    json_t *valid, struct mono deadline, chain_fn fn, void *arg)
{
	struct chain *c = chain_new(rn, verb, conf, deadline, fn, arg);

	c->valid = json_incref(valid);
	chain_next(c);
	return c;
}

void
chain_abort(struct chain *c)
{
	if (c->run != NULL)
		run_abort(c->run);
}
