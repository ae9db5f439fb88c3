#ifndef CRIOD_PARENT_PLAN_H
#define CRIOD_PARENT_PLAN_H

/*
 * All that a helper is started with: its arguments or its BOOT.  Two plans
 * that are equal need no restart between them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "parent/account.h"

struct Criod__Boot;
struct conf;
struct host;
struct roles_info;

/* What plans are made from; all borrowed. */
struct plan_facts {
	const struct conf *conf;
	const struct host *host;
	const struct account_ids *ids; /* ACCOUNT_COUNT of them */
	unsigned int log_level, log_format;
};

#define PLAN_ARGS_MAX 3072

struct plan_args {
	char *argv[PLAN_ARGS_MAX]; /* NULL at the end */
	size_t argc;
};

struct plan {
	char *path;
	struct plan_args args;
	struct Criod__Boot *boot; /* NULL: takes none */
	uint8_t *packed;	  /* boot's bytes, to compare */
	size_t npacked;
};

/* NULL with err. */
struct plan *plan_new(const struct roles_info *r, const struct plan_facts *f,
    struct cerr *err);
void plan_free(struct plan *p);
bool plan_equal(const struct plan *a, const struct plan *b);

/* For the table's args functions: copies, fatal without memory. */
void plan_args_clear(struct plan_args *a);
void plan_add(struct plan_args *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
