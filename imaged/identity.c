#include <stdio.h>
#include <string.h>

#include "imaged/identity.h"
#include "imaged/policy.h"
#include "imaged/ref.h"

struct identity_claim {
	struct ref ref;
	bool precise; /* it has a tag or digest */
	char name[REF_TEXT_SIZE], text[REF_TEXT_SIZE];
};

static int
identity_read(const char *text, struct identity_claim *c)
{
	if (ref_parse(text, &c->ref, NULL) == -1)
		return -1;
	c->precise = policy_ref_precise(text);
	ref_name(&c->ref, c->name);
	ref_text(&c->ref, c->text);
	return 0;
}

/* What was asked for: a digest counts for more than the tag beside it. */
static void
identity_wanted(const struct ref *ref, char text[REF_TEXT_SIZE])
{
	if (ref->digest[0] != '\0')
		ref_at_digest(ref, ref->digest, text);
	else
		ref_tagged(ref, text);
}

static bool
identity_same_name(const char *name, const struct identity_claim *c)
{
	return strcmp(name, c->name) == 0;
}

static bool
identity_exact(const struct ref *wanted, const struct identity_claim *c)
{
	char text[REF_TEXT_SIZE];

	identity_wanted(wanted, text);
	return c->precise && strcmp(text, c->text) == 0;
}

static bool
identity_repository(const struct ref *wanted, const struct identity_claim *c)
{
	char name[REF_TEXT_SIZE];

	ref_name(wanted, name);
	return identity_same_name(name, c);
}

/* With a digest the content is fixed already: any tag of it will do. */
static bool
identity_digest_or_exact(const struct ref *wanted,
    const struct identity_claim *c)
{
	return wanted->digest[0] != '\0' ? identity_repository(wanted, c)
					 : identity_exact(wanted, c);
}

static bool
identity_exact_reference(const struct policy_identity *id,
    const struct identity_claim *c)
{
	struct identity_claim own;

	return identity_read(id->name, &own) == 0 && own.precise &&
	       c->precise && strcmp(own.text, c->text) == 0;
}

static bool
identity_exact_repository(const struct policy_identity *id,
    const struct identity_claim *c)
{
	struct identity_claim own;

	return identity_read(id->name, &own) == 0 &&
	       identity_same_name(own.name, c);
}

/* Only whole parts of the name are replaced. */
static bool
identity_remap(const struct policy_identity *id, const struct ref *wanted,
    const struct identity_claim *c)
{
	size_t n = strlen(id->name);
	char name[REF_TEXT_SIZE], text[2 * REF_TEXT_SIZE + POLICY_TEXT_MAX];
	struct ref mapped;

	ref_name(wanted, name);
	if (strncmp(name, id->name, n) != 0 ||
	    (name[n] != '\0' && name[n] != '/'))
		return identity_digest_or_exact(wanted, c);
	(void)snprintf(text, sizeof(text), "%s%s%s%s%s%s", id->signed_name,
	    name + n, wanted->tag[0] != '\0' ? ":" : "", wanted->tag,
	    wanted->digest[0] != '\0' ? "@" : "", wanted->digest);
	return ref_parse(text, &mapped, NULL) == 0 &&
	       identity_digest_or_exact(&mapped, c);
}

bool
identity_match(const struct policy_identity *id, const struct ref *wanted,
    const char *claimed)
{
	struct identity_claim c;

	if (identity_read(claimed, &c) == -1)
		return false;
	switch (id->match) {
	case POLICY_MATCH_EXACT_REFERENCE:
		return identity_exact_reference(id, &c);
	case POLICY_MATCH_EXACT_REPOSITORY:
		return identity_exact_repository(id, &c);
	case POLICY_MATCH_EXACT:
		return wanted != NULL && identity_exact(wanted, &c);
	case POLICY_MATCH_REPOSITORY:
		return wanted != NULL && identity_repository(wanted, &c);
	case POLICY_MATCH_REMAP:
		return wanted != NULL && identity_remap(id, wanted, &c);
	case POLICY_MATCH_REPO_DIGEST_OR_EXACT:
	default:
		return wanted != NULL && identity_digest_or_exact(wanted, &c);
	}
}
