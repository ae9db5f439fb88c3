#include <event2/buffer.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "streamd/metrics.h"

/* Lower-case letters, digits and '_': needs no escaping in a label. */
static bool
metrics_role_valid(const char *role)
{
	size_t n = strspn(role, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n > 0 && n < METRICS_ROLE_SIZE && role[n] == '\0';
}

int
metrics_set(struct metrics *m, const char *role, uint64_t restarts,
    uint64_t violations)
{
	size_t i = 0;

	if (!metrics_role_valid(role))
		return -1;
	while (i < m->nroles && strcmp(m->roles[i].role, role) != 0)
		i++;
	if (i == METRICS_ROLES_MAX)
		return -1;
	if (i == m->nroles) {
		(void)snprintf(m->roles[i].role, METRICS_ROLE_SIZE, "%s", role);
		m->nroles++;
	}
	m->roles[i].restarts = restarts;
	m->roles[i].violations = violations;
	return 0;
}

static void
metrics_head(struct evbuffer *body, const char *name, const char *type,
    const char *help)
{
	(void)evbuffer_add_printf(body, "# HELP %s %s\n# TYPE %s %s\n", name,
	    help, name, type);
}

void
metrics_page(const struct metrics *m, struct evbuffer *body)
{
	metrics_head(body, "criod_build_info", "gauge",
	    "Always 1; the label says which build this is.");
	(void)evbuffer_add_printf(body, "criod_build_info{version=\"%s\"} 1\n",
	    CRIOD_VERSION);
	metrics_head(body, "criod_helper_restarts_total", "counter",
	    "How often a helper process was started again.");
	for (size_t i = 0; i < m->nroles; i++)
		(void)evbuffer_add_printf(body,
		    "criod_helper_restarts_total{role=\"%s\"} %" PRIu64 "\n",
		    m->roles[i].role, m->roles[i].restarts);
	metrics_head(body, "criod_filter_violations_total", "counter",
	    "How often a helper was killed by its system call filter.");
	for (size_t i = 0; i < m->nroles; i++)
		(void)evbuffer_add_printf(body,
		    "criod_filter_violations_total{role=\"%s\"} %" PRIu64 "\n",
		    m->roles[i].role, m->roles[i].violations);
}
