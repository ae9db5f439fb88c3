#ifndef CRIOD_IMSG_GUARD_H
#define CRIOD_IMSG_GUARD_H

/*
 * The policy of criod.conf in a helper that enforces it: the rules of its
 * BOOT, asked of all that front wants, which may be lying.
 */

#include <stddef.h>

#include "lib/cerr.h"
#include "lib/rule.h"

struct Criod__PolicyRule;
struct audit;
struct guard;

/* For whom it is asked. */
struct guard_for {
	const char *namespace; /* "" if it was not said: the rules of all */
	const char *pod;       /* ids; "" if not known */
	const char *ctr;
};

/*
 * Borrows list and audit, which may be NULL.  A rule that makes no sense is
 * fatal: the parent wrote it.
 */
struct guard *guard_new(struct Criod__PolicyRule *const *list, size_t n,
    struct audit *audit);

/*
 * -1 with err: PERMISSION_DENIED, naming the rule and what it denies.  What a
 * rule decided, either way, is recorded.
 */
int guard_check(const struct guard *g, const struct guard_for *who,
    const struct rule_ask *ask, struct cerr *err)
    __attribute__((warn_unused_result));

/* True if any rule could be about that. */
bool guard_cares(const struct guard *g, enum rule_what what);

#endif
