#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "proto/msg.pb-c.h"

#include "imaged/identity.h"
#include "imaged/payload.h"
#include "imaged/policy.h"
#include "imaged/sigchecker.h"
#include "imaged/sigset.h"
#include "imaged/sigstore.h"
#include "imaged/judge.h"

struct judge_policy {
	const char *ns; /* "": for all */
	struct policy *policy;
};

struct judge {
	struct event_base *base;
	struct link *parent;
	const Criod__BootTrust *boot;
	struct judge_policy *policies;
	size_t npolicies;
};

struct judge_check {
	struct judge *judge;
	const struct policy_scope *scope;
	struct ref ref;
	bool named;
	const struct sigset *sigs;
	judge_fn fn;
	void *arg;
	struct event *step;
	struct sigchecker *checker;
	size_t req, sig; /* which are looked at */
	size_t tried;	 /* signatures of the requirement's kind */
	struct cerr why; /* of the last that was refused */
};

/* ---- policies ---- */

/* A key that could not be read has no data: what needs it is refused. */
static void
judge_fill_key(void *arg, struct policy_key *key)
{
	const Criod__BootTrust *boot = arg;

	for (size_t i = 0; i < boot->n_keys; i++) {
		const Criod__TrustKey *k = boot->keys[i];

		if (strcmp(k->path, key->path) != 0 || k->data.len == 0 ||
		    k->data.len > POLICY_KEY_MAX || key->data != NULL)
			continue;
		key->data = malloc(k->data.len);
		if (key->data == NULL)
			fatal("judge: malloc");
		memcpy(key->data, k->data.data, k->data.len);
		key->len = k->data.len;
	}
}

static int
judge_add_policy(struct judge *t, const Criod__TrustPolicy *p, struct cerr *err)
{
	struct judge_policy *tp = &t->policies[t->npolicies];
	void *boot;

	tp->ns = p->ns;
	tp->policy = policy_parse(p->path, p->text.data, p->text.len, err);
	if (tp->policy == NULL)
		return -1;
	t->npolicies++;
	memcpy(&boot, &t->boot, sizeof(boot));
	policy_each_file(tp->policy, judge_fill_key, boot);
	return 0;
}

static const Criod__BootTrust judge_none = CRIOD__BOOT_TRUST__INIT;

struct judge *
judge_new(struct event_base *base, struct link *parent,
    const Criod__BootTrust *boot, struct cerr *err)
{
	struct judge *t = calloc(1, sizeof(*t));

	if (boot == NULL)
		boot = &judge_none;
	if (t == NULL)
		fatal("judge: calloc");
	t->base = base;
	t->parent = parent;
	t->boot = boot;
	t->policies = calloc(boot->n_policies + 1, sizeof(*t->policies));
	if (t->policies == NULL)
		fatal("judge: calloc");
	for (size_t i = 0; i < boot->n_policies; i++) {
		if (judge_add_policy(t, boot->policies[i], err) == -1) {
			judge_free(t);
			return NULL;
		}
	}
	return t;
}

void
judge_free(struct judge *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->npolicies; i++)
		policy_free(t->policies[i].policy);
	free(t->policies);
	free(t);
}

static const struct policy *
judge_policy_of(const struct judge *t, const char *ns)
{
	const struct policy *all = NULL;

	for (size_t i = 0; i < t->npolicies; i++) {
		if (strcmp(t->policies[i].ns, ns) == 0)
			return t->policies[i].policy;
		if (t->policies[i].ns[0] == '\0')
			all = t->policies[i].policy;
	}
	return all;
}

/* NULL: no policy at all, which accepts everything. */
static const struct policy_scope *
judge_scope(const struct judge *t, const char *ns, const struct ref *ref)
{
	const struct policy *p = judge_policy_of(t, ns);

	return p == NULL ? NULL : policy_find(p, ref);
}

enum judge_verdict
judge_ask(const struct judge *t, const char *ns, const struct ref *ref)
{
	const struct policy_scope *s = judge_scope(t, ns, ref);

	if (s == NULL || policy_accepts_all(s))
		return JUDGE_ACCEPT;
	for (size_t i = 0; i < s->nreqs; i++) {
		if (s->reqs[i]->type == POLICY_REJECT)
			return JUDGE_REJECT;
	}
	return JUDGE_SIGNATURE;
}

/* ---- sources ---- */

/* How much of a name a scope covers, one more than its length; 0: nothing. */
static size_t
judge_covers(const char *scope, const char *name, const char *precise)
{
	size_t n = strlen(scope);
	size_t host = strcspn(name, ":/");

	if (strcmp(scope, precise) == 0)
		return n + 1;
	if (strncmp(scope, "*.", 2) == 0)
		return host >= n && strncmp(name + host - (n - 1), scope + 1,
					n - 1) == 0
			   ? n
			   : 0;
	if (strncmp(name, scope, n) != 0 || n == 0)
		return n == 0 ? 1 : 0;
	return name[n] == '/' || name[n] == '\0' ? n + 1 : 0;
}

void
judge_source(const struct judge *t, const struct ref *ref,
    struct judge_source *s)
{
	size_t best_url = 0, best_use = 0;
	char name[REF_TEXT_SIZE], precise[REF_TEXT_SIZE];

	ref_name(ref, name);
	if (ref->digest[0] != '\0')
		ref_at_digest(ref, ref->digest, precise);
	else
		ref_tagged(ref, precise);
	*s = (struct judge_source){ .lookaside = "" };
	for (size_t i = 0; i < t->boot->n_sources; i++) {
		const Criod__TrustSource *b = t->boot->sources[i];
		size_t n = judge_covers(b->scope, name, precise);

		if (b->lookaside[0] != '\0' && n > best_url) {
			best_url = n;
			s->lookaside = b->lookaside;
			s->index = (uint32_t)i;
		}
		if (b->attachments != CRIOD__TRUST_SOURCE__USE__UNSET &&
		    n > best_use) {
			best_use = n;
			s->attachments =
			    b->attachments == CRIOD__TRUST_SOURCE__USE__YES;
		}
	}
}

struct link *
judge_parent(const struct judge *t)
{
	return t->parent;
}

/* ---- a decision ---- */

static void
judge_check_free(struct judge_check *c)
{
	if (c->checker != NULL)
		sigchecker_cancel(c->checker);
	event_free(c->step);
	free(c);
}

void
judge_cancel(struct judge_check *c)
{
	if (c != NULL)
		judge_check_free(c);
}

static void
judge_end(struct judge_check *c, const struct cerr *err)
{
	judge_fn fn = c->fn;
	void *arg = c->arg;
	struct cerr why;

	if (err != NULL)
		why = *err;
	judge_check_free(c);
	fn(arg, err != NULL ? &why : NULL);
}

static void
judge_go_on(struct judge_check *c)
{
	event_active(c->step, EV_TIMEOUT, 0);
}

/* What it says: simple signing's form, cosign's, or a bundle's. */
static int
judge_read(const struct sig *sig, const void *text, size_t len,
    struct payload *p, struct cerr *err)
{
	if (sig->kind == SIG_DSSE)
		return payload_statement(text, len, sig->digest, p, err);
	return payload_parse(text, len,
	    sig->kind == SIG_SIGSTORE ? PAYLOAD_SIGSTORE : PAYLOAD_SIMPLE, p,
	    err);
}

/* The name must be the right one; a bundle's may be none if that will do. */
static int
judge_name(struct judge_check *c, const struct policy_req *r,
    const struct sig *sig, const struct payload *p)
{
	bool nameless = sig->kind == SIG_DSSE && p->reference[0] == '\0';

	if (nameless && c->judge->boot->nameless)
		return 0;
	if (nameless)
		return cerr_set(&c->why, CERR_PERMISSION_DENIED,
		    "a signature says no name, as cosign 3 makes them, which "
		    "\"signature nameless\" of criod.conf does not allow");
	if (!identity_match(&r->identity, c->named ? &c->ref : NULL,
		p->reference))
		return cerr_set(&c->why, CERR_PERMISSION_DENIED,
		    "a signature is for another name, %.256s", p->reference);
	return 0;
}

/* What a verified signature says must be of this image and name. */
static int
judge_says(struct judge_check *c, const struct policy_req *r,
    const struct sig *sig, const void *text, size_t len)
{
	struct payload p;

	if (judge_read(sig, text, len, &p, &c->why) == -1)
		return -1;
	if (strcmp(p.digest, sig->digest) != 0)
		return cerr_set(&c->why, CERR_PERMISSION_DENIED,
		    "a signature is of another image, %s", p.digest);
	return judge_name(c, r, sig, &p);
}

/* The requirement is met: the next one, or the end. */
static void
judge_met(struct judge_check *c)
{
	c->req++;
	c->sig = 0;
	c->tried = 0;
	judge_go_on(c);
}

static void
judge_checked(void *arg, const uint8_t *text, size_t len,
    const struct cerr *err)
{
	struct judge_check *c = arg;
	const struct policy_req *r = c->scope->reqs[c->req];
	const struct sig *sig = &c->sigs->sigs[c->sig];

	c->checker = NULL;
	if (err != NULL)
		c->why = *err;
	else if (judge_says(c, r, sig, text, len) == 0) {
		judge_met(c);
		return;
	}
	c->sig++;
	judge_go_on(c);
}

static int
judge_keys_read(const struct policy_req *r, struct cerr *err)
{
	for (size_t i = 0; i < r->keys.n; i++) {
		if (r->keys.list[i].data == NULL)
			return cerr_set(err, CERR_PERMISSION_DENIED,
			    "key file %s could not be read",
			    r->keys.list[i].path);
	}
	return 0;
}

/* One signature against one requirement; a checker may answer later. */
static void
judge_try(struct judge_check *c, const struct policy_req *r)
{
	const struct sig *sig = &c->sigs->sigs[c->sig];

	c->tried++;
	if (r->type == POLICY_SIGNED_BY && judge_keys_read(r, &c->why) == 0) {
		c->checker = sigchecker_start(c->judge->base, c->judge->parent,
		    &r->keys, sig->part[SIG_BODY].data, sig->part[SIG_BODY].len,
		    judge_checked, c);
		return;
	}
	if (r->type == POLICY_SIGSTORE &&
	    sigstore_verify(r, sig, &c->why) == 0 &&
	    judge_says(c, r, sig, sig->part[SIG_BODY].data,
		sig->part[SIG_BODY].len) == 0) {
		judge_met(c);
		return;
	}
	c->sig++;
	judge_go_on(c);
}

static void
judge_unmet(struct judge_check *c)
{
	struct cerr err;

	if (c->tried == 0)
		(void)cerr_set(&err, CERR_PERMISSION_DENIED,
		    "a signature is required, and there is none");
	else
		(void)cerr_set(&err, CERR_PERMISSION_DENIED,
		    "none of %zu signatures is accepted: %s", c->tried,
		    c->why.text);
	judge_end(c, &err);
}

static void
judge_step(evutil_socket_t fd, short what, void *arg)
{
	struct judge_check *c = arg;
	const struct policy_req *r;
	struct cerr err;

	(void)fd;
	(void)what;
	if (c->req == c->scope->nreqs) {
		judge_end(c, NULL);
		return;
	}
	r = c->scope->reqs[c->req];
	if (r->type == POLICY_ACCEPT) {
		judge_met(c);
		return;
	}
	if (r->type == POLICY_REJECT) {
		(void)cerr_set(&err, CERR_PERMISSION_DENIED, JUDGE_REJECTED);
		judge_end(c, &err);
		return;
	}
	while (
	    c->sig < c->sigs->n && (c->sigs->sigs[c->sig].kind == SIG_SIMPLE) !=
				       (r->type == POLICY_SIGNED_BY))
		c->sig++;
	if (c->sig < c->sigs->n)
		judge_try(c, r);
	else
		judge_unmet(c);
}

/* Without any policy: nothing is required. */
static const struct policy_scope judge_nothing;

struct judge_check *
judge_start(struct judge *t, const char *ns, const struct ref *ref,
    const struct sigset *sigs, judge_fn fn, void *arg)
{
	struct judge_check *c = calloc(1, sizeof(*c));

	if (c == NULL)
		fatal("judge: calloc");
	c->judge = t;
	c->scope = judge_scope(t, ns, ref);
	if (c->scope == NULL)
		c->scope = &judge_nothing;
	c->named = ref != NULL;
	if (ref != NULL)
		c->ref = *ref;
	c->sigs = sigs;
	c->fn = fn;
	c->arg = arg;
	c->step = event_new(t->base, -1, 0, judge_step, c);
	if (c->step == NULL)
		fatalx("judge: event_new");
	judge_go_on(c);
	return c;
}
