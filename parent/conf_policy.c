/* The policy sections. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "parent/conf.h"
#include "parent/conf_valid.h"

#define CONF_NAMESPACE_MAX 63 /* of Kubernetes */

/* What a rule says, before it is kept. */
struct conf_policy {
	enum rule_what what;
	enum rule_access access;
	const char *value;
	const char *name; /* the words, for errors */
	const char *near;
};

static char *
conf_policy_strdup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		fatal("strdup");
	return p;
}

static int
conf_policy_wrong(struct cerr *err, const char *what, const char *wrong,
    const char *near)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%s %s near \"%s\"", what,
	    wrong, near);
}

int
conf_policy_namespace(const char *word, const char *name, struct cerr *err)
{
	const char *wrong = conf_valid_name(name);

	if (strcmp(word, "namespace") != 0)
		return conf_policy_wrong(err, "policy", "is for a namespace",
		    word);
	if (wrong == NULL && strlen(name) > CONF_NAMESPACE_MAX)
		wrong = "is too long";
	return wrong == NULL ? 0
			     : conf_policy_wrong(err, "namespace", wrong, name);
}

/* How many words its name took; 0 if there is no such thing. */
static size_t
conf_policy_what(struct conf_policy *p, char *const *words, size_t n)
{
	char two[64];

	for (unsigned int i = 0; i < RULE_COUNT; i++) {
		p->what = (enum rule_what)i;
		p->name = rule_name(i);
		if (strcmp(words[0], p->name) == 0)
			return 1;
		if (n == 1)
			continue;
		(void)snprintf(two, sizeof(two), "%.20s %.40s", words[0],
		    words[1]);
		if (strcmp(two, p->name) == 0)
			return 2;
	}
	return 0;
}

static int
conf_policy_value(struct conf_policy *p, const char *word, struct cerr *err)
{
	const char *wrong = NULL;

	p->value = word;
	if (strcmp(word, "any") == 0)
		p->value = "";
	else
		wrong = rule_value_wrong(p->what, word);
	return wrong == NULL ? 0 : conf_policy_wrong(err, p->name, wrong, word);
}

static int
conf_policy_access(struct conf_policy *p, const char *word, struct cerr *err)
{
	for (unsigned int i = RULE_ACCESS_RO; i < RULE_ACCESS_COUNT; i++) {
		if (strcmp(word, rule_access_name(i)) == 0) {
			p->access = (enum rule_access)i;
			return 0;
		}
	}
	return conf_policy_wrong(err, p->name,
	    "is neither read-only nor read-write", word);
}

static int
conf_policy_words(struct conf_policy *p, char *const *words, size_t n,
    struct cerr *err)
{
	size_t used = conf_policy_what(p, words, n);

	if (used == 0)
		return conf_policy_wrong(err, "policy", "has no such rule",
		    words[0]);
	p->value = "";
	if (rule_has_value(p->what)) {
		if (used == n)
			return conf_policy_wrong(err, p->name,
			    "needs to say which, or any", words[n - 1]);
		if (conf_policy_value(p, words[used++], err) == -1)
			return -1;
	}
	if (used < n && p->what == RULE_PATH &&
	    conf_policy_access(p, words[used++], err) == -1)
		return -1;
	return used == n ? 0
			 : conf_policy_wrong(err, p->name,
			       "is followed by more", words[used]);
}

int
conf_add_rule(struct conf *c, bool allow, const char *namespace,
    char *const *words, size_t nwords, const char *at, struct cerr *err)
{
	struct conf_policy p = { .access = RULE_ACCESS_BOTH };
	struct conf_rule *r;

	if (conf_policy_words(&p, words, nwords, err) == -1)
		return -1;
	if (c->nrules == CONF_RULES_MAX)
		return conf_policy_wrong(err, "policy", "has too many rules",
		    words[0]);
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		fatal("calloc");
	r->rule = (struct rule){
		.allow = allow,
		.what = p.what,
		.access = p.access,
		.namespace = conf_policy_strdup(namespace),
		.value = conf_policy_strdup(p.value),
		.origin = conf_policy_strdup(at),
	};
	TAILQ_INSERT_TAIL(&c->rules, r, entry);
	c->nrules++;
	return 0;
}

static void
conf_rule_free(struct conf_rule *r)
{
	const char *const owned[] = { r->rule.namespace, r->rule.value,
		r->rule.origin };

	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
		free((void *)(uintptr_t)owned[i]);
	free(r);
}

void
conf_rules_free(struct conf *c)
{
	struct conf_rule *r;

	while ((r = TAILQ_FIRST(&c->rules)) != NULL) {
		TAILQ_REMOVE(&c->rules, r, entry);
		conf_rule_free(r);
	}
}

static void
conf_print_rule(FILE *out, const struct rule *r)
{
	(void)fprintf(out, "\t%s %s", r->allow ? "allow" : "deny",
	    rule_name(r->what));
	if (rule_has_value(r->what)) {
		(void)fputc(' ', out);
		if (r->value[0] == '\0')
			(void)fputs("any", out);
		else
			conf_print_quoted(out, r->value);
	}
	if (r->access != RULE_ACCESS_BOTH)
		(void)fprintf(out, " %s", rule_access_name(r->access));
	(void)fputc('\n', out);
}

/* As few sections as keep the order. */
void
conf_print_rules(FILE *out, const struct conf *c)
{
	const struct conf_rule *r, *before = NULL;

	TAILQ_FOREACH(r, &c->rules, entry) {
		const char *namespace = r->rule.namespace;

		if (before == NULL ||
		    strcmp(before->rule.namespace, namespace) != 0) {
			(void)fputs(before == NULL ? "" : "}\n", out);
			(void)fputs("policy ", out);
			if (namespace[0] != '\0') {
				(void)fputs("namespace ", out);
				conf_print_quoted(out, namespace);
				(void)fputc(' ', out);
			}
			(void)fputs("{\n", out);
		}
		conf_print_rule(out, &r->rule);
		before = r;
	}
	(void)fputs(before == NULL ? "" : "}\n", out);
}
