#ifndef CRIOD_STREAMD_TOKEN_H
#define CRIOD_STREAMD_TOKEN_H

/*
 * The tokens of URLs: 160 random bits each, good for one use within a minute
 * and for one kind of stream.
 */

#include <stddef.h>

#include "lib/cerr.h"
#include "streamd/want.h"

struct event_base;
struct token_table;

#define TOKEN_MAX  1000 /* unused at a time */
#define TOKEN_TIME 60	/* seconds */
#define TOKEN_SIZE 41	/* as text, with its NUL */

/*
 * Borrows base.  dropped is called, from the loop, for each token that nobody
 * used in time.  Never NULL (fatal).
 */
struct token_table *token_table_new(struct event_base *base,
    void (*dropped)(void *arg, uint64_t session), void *arg);
void token_table_free(struct token_table *t);

/* Copies want.  RESOURCE_EXHAUSTED if there are too many. */
int token_add(struct token_table *t, const struct want *want,
    char text[TOKEN_SIZE], struct cerr *err)
    __attribute__((warn_unused_result));
/* The token is gone after it; -1 if there is none such. */
int token_take(struct token_table *t, enum want_kind kind, const char *text,
    size_t len, struct want *want) __attribute__((warn_unused_result));
/* Forgets all, silently. */
void token_clear(struct token_table *t);
size_t token_count(const struct token_table *t);

#endif
