/*
 * Signatures of sigstore's kinds with their certificates and log entries, and a
 * policy to meet: a policy's length and text, then signatures as they are kept.
 */
#include <assert.h>
#include <stdlib.h>

#include "imaged/policy.h"
#include "imaged/sigset.h"
#include "imaged/sigstore.h"
#include "lib/json.h"
#include "lib/log.h"
#include "regress/fuzz/feed.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TRIED_MAX 4 /* each may cost a few verifications */

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz");
	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	json_init();
	return 0;
}

/* What is accepted is not accepted of another text. */
static void
try(const struct policy_req *req, struct sig *sig)
{
	struct cerr err;

	if (sigstore_verify(req, sig, &err) == -1) {
		assert(err.code != CERR_OK && err.text[0] != '\0');
		return;
	}
	if (sig->part[SIG_BODY].len > 0) {
		sig->part[SIG_BODY].len--;
		assert(sigstore_verify(req, sig, &err) == -1);
		sig->part[SIG_BODY].len++;
	}
}

static void
try_all(const struct policy_scope *scope, struct sigset *set)
{
	size_t tried = 0;

	for (size_t i = 0; i < scope->nreqs; i++) {
		for (size_t s = 0; s < set->n && tried < TRIED_MAX; s++) {
			if (scope->reqs[i]->type != POLICY_SIGSTORE ||
			    set->sigs[s].kind == SIG_SIMPLE)
				continue;
			try(scope->reqs[i], &set->sigs[s]);
			tried++;
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = { data, size };
	struct sigset set = { 0 };
	struct policy *policy;
	const uint8_t *text;
	struct cerr err;
	size_t len;

	len = feed_u16(&f);
	len = feed_bytes(&f, len, &text);
	policy = policy_parse("policy", text, len, &err);
	if (policy == NULL)
		return 0;
	if (sigset_unpack(&set, f.p, f.n, &err) == 0)
		try_all(policy_find(policy, NULL), &set);
	sigset_clear(&set);
	policy_free(policy);
	return 0;
}
