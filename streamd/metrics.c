#include <event2/buffer.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "streamd/metrics.h"

#define METRICS_CRIO "container_runtime_crio_"
#define METRICS_NS   1e9

/* Lower-case letters, digits and '_': needs no escaping in a label. */
static bool
metrics_role_valid(const char *role)
{
	size_t n = strspn(role, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n < METRICS_ROLE_SIZE && role[n] == '\0';
}

int
metrics_set(struct metrics *m, const Criod__Metrics *f)
{
	size_t i = 0;

	if (!metrics_role_valid(f->role))
		return -1;
	while (i < m->nroles && strcmp(m->roles[i].role, f->role) != 0)
		i++;
	if (i == METRICS_ROLES_MAX)
		return -1;
	if (i == m->nroles) {
		(void)snprintf(m->roles[i].role, METRICS_ROLE_SIZE, "%s",
		    f->role);
		m->nroles++;
	}
	m->roles[i].restarts = f->restarts;
	m->roles[i].violations = f->violations;
	m->roles[i].silent = f->silent ? 1 : 0;
	return 0;
}

static void
metrics_head(struct evbuffer *body, const char *name, const char *type,
    const char *help)
{
	(void)evbuffer_add_printf(body, "# HELP %s %s\n# TYPE %s %s\n", name,
	    help, name, type);
}

static const struct metrics_figure {
	const char *name, *type, *help;
	size_t at; /* in struct metrics_role */
} metrics_figures[] = {
	{ "criod_helper_restarts_total", "counter",
	    "How often a helper process was started again.",
	    offsetof(struct metrics_role, restarts) },
	{ "criod_filter_violations_total", "counter",
	    "How often a helper was killed by its system call filter.",
	    offsetof(struct metrics_role, violations) },
	{ "criod_helper_silent", "gauge",
	    "1 while a helper does not answer the parent.",
	    offsetof(struct metrics_role, silent) },
};

static void
metrics_figure(const struct metrics *m, const struct metrics_figure *f,
    struct evbuffer *body)
{
	uint64_t value;

	metrics_head(body, f->name, f->type, f->help);
	for (size_t i = 0; i < m->nroles; i++) {
		memcpy(&value, (const char *)&m->roles[i] + f->at,
		    sizeof(value));
		(void)evbuffer_add_printf(body, "%s{role=\"%s\"} %" PRIu64 "\n",
		    f->name, m->roles[i].role, value);
	}
}

void
metrics_page(const struct metrics *m, struct evbuffer *body)
{
	metrics_head(body, "criod_build_info", "gauge",
	    "Always 1; the label says which build this is.");
	(void)evbuffer_add_printf(body, "criod_build_info{version=\"%s\"} 1\n",
	    CRIOD_VERSION);
	for (size_t i = 0;
	     i < sizeof(metrics_figures) / sizeof(metrics_figures[0]); i++)
		metrics_figure(m, &metrics_figures[i], body);
}

/* What a label's value may have without being escaped. */
static bool
metrics_plain(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n > 0 && n < 128 && s[n] == '\0';
}

enum metrics_of { METRICS_COUNT, METRICS_ERRORS, METRICS_LAST };

static const struct {
	enum metrics_of of;
	const char *name, *type, *help;
} metrics_operations[] = {
	{ METRICS_COUNT, METRICS_CRIO "operations_total", "counter",
	    "Calls of the CRI that were answered." },
	{ METRICS_ERRORS, METRICS_CRIO "operations_errors_total", "counter",
	    "Calls of the CRI that were refused or failed." },
	{ METRICS_LAST, METRICS_CRIO "operations_latency_seconds", "gauge",
	    "How long the last call took." },
};

static void
metrics_operation(const Criod__FrontOperation *o, enum metrics_of of,
    const char *name, struct evbuffer *body)
{
	if (!metrics_plain(o->name))
		return;
	if (of == METRICS_LAST)
		(void)evbuffer_add_printf(body, "%s{operation=\"%s\"} %.9f\n",
		    name, o->name, (double)o->last_ns / METRICS_NS);
	else
		(void)evbuffer_add_printf(body,
		    "%s{operation=\"%s\"} %" PRIu64 "\n", name, o->name,
		    of == METRICS_COUNT ? o->count : o->errors);
}

static void
metrics_latency(const Criod__FrontFigures *f, struct evbuffer *body)
{
	static const char name[] =
	    METRICS_CRIO "operations_latency_seconds_total";

	metrics_head(body, name, "summary", "How long calls took.");
	for (size_t i = 0; i < f->n_operations; i++) {
		const Criod__FrontOperation *o = f->operations[i];

		if (metrics_plain(o->name))
			(void)evbuffer_add_printf(body,
			    "%s_sum{operation=\"%s\"} %.9f\n"
			    "%s_count{operation=\"%s\"} %" PRIu64 "\n",
			    name, o->name, (double)o->took_ns / METRICS_NS,
			    name, o->name, o->count);
	}
}

static void
metrics_one(struct evbuffer *body, const char *name, const char *type,
    const char *help, uint64_t value)
{
	metrics_head(body, name, type, help);
	(void)evbuffer_add_printf(body, "%s %" PRIu64 "\n", name, value);
}

void
metrics_audit(const struct metrics_audit *a, struct evbuffer *body)
{
	metrics_one(body, "criod_audit_records_total", "counter",
	    "Records of the audit log that were written.", a->written);
	metrics_one(body, "criod_audit_lost_total", "counter",
	    "Records of the audit log that could not be written.", a->lost);
}

void
metrics_streams(const struct metrics_streams *t, struct evbuffer *body)
{
	static const char *const kinds[METRICS_STREAMS] = { "exec", "attach",
		"portforward" };

	metrics_one(body, "criod_streams_open", "gauge",
	    "Clients that are being served.", t->open);
	metrics_one(body, "criod_stream_urls_waiting", "gauge",
	    "Clients that were announced and have not come.", t->waiting);
	metrics_head(body, "criod_streams_total", "counter",
	    "Clients that came, by what for.");
	for (size_t i = 0; i < METRICS_STREAMS; i++)
		(void)evbuffer_add_printf(body,
		    "criod_streams_total{kind=\"%s\"} %" PRIu64 "\n", kinds[i],
		    t->begun[i]);
}

static void
metrics_pulls(const Criod__FrontFigures *f, struct evbuffer *body)
{
	static const char failed[] = METRICS_CRIO "image_pulls_failure_total";

	metrics_one(body, METRICS_CRIO "image_pulls_success_total", "counter",
	    "Images that were pulled.", f->pulls);
	metrics_head(body, failed, "counter",
	    "Images that could not be pulled, by the error's code.");
	for (size_t i = 0; i < f->n_pull_failures; i++) {
		if (metrics_plain(f->pull_failures[i]->code))
			(void)evbuffer_add_printf(body,
			    "%s{error=\"%s\"} %" PRIu64 "\n", failed,
			    f->pull_failures[i]->code,
			    f->pull_failures[i]->count);
	}
}

void
metrics_front(const Criod__FrontFigures *f, struct evbuffer *body)
{
	for (size_t k = 0; k < 3; k++) {
		metrics_head(body, metrics_operations[k].name,
		    metrics_operations[k].type, metrics_operations[k].help);
		for (size_t i = 0; i < f->n_operations; i++)
			metrics_operation(f->operations[i],
			    metrics_operations[k].of,
			    metrics_operations[k].name, body);
	}
	metrics_latency(f, body);
	metrics_pulls(f, body);
	metrics_one(body, METRICS_CRIO "containers_oom_total", "counter",
	    "Containers that were killed for want of memory.", f->oom_kills);
	metrics_head(body, METRICS_CRIO "default_runtime", "gauge",
	    "Always 1; the label says which runtime is the default.");
	if (metrics_plain(f->default_runtime))
		(void)evbuffer_add_printf(body,
		    METRICS_CRIO "default_runtime{runtime=\"%s\"} 1\n",
		    f->default_runtime);
	metrics_one(body, "criod_pods", "gauge", "Pods, in any state.",
	    f->pods);
	metrics_one(body, "criod_containers", "gauge",
	    "Containers, in any state.", f->containers);
}
