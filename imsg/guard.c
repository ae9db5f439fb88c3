#include <stdlib.h>

#include "imsg/audit.h"
#include "imsg/guard.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"

struct guard {
	struct rule *rules;
	size_t n;
	struct audit *audit;
};

static void
guard_take(struct rule *to, const Criod__PolicyRule *from)
{
	if (from->what >= RULE_COUNT || from->access >= RULE_ACCESS_COUNT)
		fatalx("BOOT has a rule about %u", from->what);
	*to = (struct rule){
		.allow = from->allow,
		.what = from->what,
		.access = from->access,
		.namespace = from->namespace_,
		.value = from->value,
		.origin = from->origin,
	};
}

struct guard *
guard_new(Criod__PolicyRule *const *list, size_t n, struct audit *audit)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (g == NULL)
		fatal("calloc");
	g->rules = calloc(n + 1, sizeof(*g->rules));
	if (g->rules == NULL)
		fatal("calloc");
	g->n = n;
	g->audit = audit;
	for (size_t i = 0; i < n; i++)
		guard_take(&g->rules[i], list[i]);
	return g;
}

bool
guard_cares(const struct guard *g, enum rule_what what)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->rules[i].what == what || g->rules[i].what == RULE_ANY)
			return true;
	}
	return false;
}

static void
guard_record(const struct guard *g, const struct guard_for *who,
    const struct rule_ask *ask, const struct rule *r)
{
	struct fixed_audit_rule body = { .allow = r->allow, .what = ask->what };

	audit_text(body.pod, sizeof(body.pod), who->pod);
	audit_text(body.ctr, sizeof(body.ctr), who->ctr);
	audit_text(body.namespace, sizeof(body.namespace), who->namespace);
	audit_text(body.value, sizeof(body.value),
	    ask->value != NULL ? ask->value : "");
	audit_text(body.rule, sizeof(body.rule), r->origin);
	audit_rule(g->audit, &body);
}

int
guard_check(const struct guard *g, const struct guard_for *who,
    const struct rule_ask *ask, struct cerr *err)
{
	const struct rule *r = rule_decide(g->rules, g->n, who->namespace, ask);
	bool value = ask->value != NULL;

	if (r == NULL)
		return 0;
	guard_record(g, who, ask, r);
	if (r->allow)
		return 0;
	return cerr_set(err, CERR_PERMISSION_DENIED,
	    "policy: %s%s%.256s%s is denied (%s)", rule_name(ask->what),
	    value ? " \"" : "", value ? ask->value : "", value ? "\"" : "",
	    r->origin);
}
