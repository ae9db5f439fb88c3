#include <sys/queue.h>
#include <sys/random.h>

#include <event2/event.h>

#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mono.h"
#include "streamd/token.h"

#define TOKEN_BYTES ((TOKEN_SIZE - 1) / 2)

struct token {
	TAILQ_ENTRY(token) entry;
	char text[TOKEN_SIZE];
	struct mono end;
	struct want want;
};

struct token_table {
	TAILQ_HEAD(, token) list; /* the oldest first */
	size_t count;
	struct event *timer;
	void (*dropped)(void *arg, uint64_t session);
	void *arg;
};

static void
token_remove(struct token_table *t, struct token *k)
{
	TAILQ_REMOVE(&t->list, k, entry);
	t->count--;
	free(k);
}

static void
token_set_timer(struct token_table *t)
{
	const struct token *k = TAILQ_FIRST(&t->list);
	struct timeval tv;

	if (k == NULL) {
		(void)evtimer_del(t->timer);
		return;
	}
	tv = mono_timeval(k->end);
	(void)evtimer_add(t->timer, &tv);
}

static void
token_on_time(evutil_socket_t fd, short what, void *arg)
{
	struct token_table *t = arg;
	struct token *k;

	(void)fd;
	(void)what;
	while ((k = TAILQ_FIRST(&t->list)) != NULL && mono_passed(k->end)) {
		t->dropped(t->arg, k->want.session);
		token_remove(t, k);
	}
	token_set_timer(t);
}

struct token_table *
token_table_new(struct event_base *base,
    void (*dropped)(void *arg, uint64_t session), void *arg)
{
	struct token_table *t = calloc(1, sizeof(*t));

	if (t == NULL ||
	    (t->timer = evtimer_new(base, token_on_time, t)) == NULL)
		fatalx("token_table_new: out of memory");
	TAILQ_INIT(&t->list);
	t->dropped = dropped;
	t->arg = arg;
	return t;
}

void
token_clear(struct token_table *t)
{
	struct token *k;

	while ((k = TAILQ_FIRST(&t->list)) != NULL)
		token_remove(t, k);
	token_set_timer(t);
}

void
token_table_free(struct token_table *t)
{
	token_clear(t);
	event_free(t->timer);
	free(t);
}

static int
token_make_text(char text[TOKEN_SIZE])
{
	uint8_t raw[TOKEN_BYTES];

	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return -1;
	for (size_t i = 0; i < sizeof(raw); i++)
		(void)snprintf(text + 2 * i, 3, "%02x", raw[i]);
	return 0;
}

int
token_add(struct token_table *t, const struct want *want, char text[TOKEN_SIZE],
    struct cerr *err)
{
	struct token *k;

	if (t->count >= TOKEN_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "%d streams wait for their clients already", TOKEN_MAX);
	k = calloc(1, sizeof(*k));
	if (k == NULL || token_make_text(k->text) == -1) {
		free(k);
		return cerr_errno(err, "token");
	}
	k->want = *want;
	k->end = mono_after_ms(TOKEN_TIME * 1000);
	TAILQ_INSERT_TAIL(&t->list, k, entry);
	t->count++;
	if (t->count == 1)
		token_set_timer(t);
	memcpy(text, k->text, TOKEN_SIZE);
	return 0;
}

/* Compares all of all, so that time tells nothing. */
int
token_take(struct token_table *t, enum want_kind kind, const char *text,
    size_t len, struct want *want)
{
	struct token *k, *found = NULL;

	if (len != TOKEN_SIZE - 1)
		return -1;
	TAILQ_FOREACH(k, &t->list, entry) {
		if (CRYPTO_memcmp(k->text, text, len) == 0)
			found = k;
	}
	if (found == NULL || found->want.kind != kind)
		return -1;
	*want = found->want;
	token_remove(t, found);
	token_set_timer(t);
	return 0;
}

size_t
token_count(const struct token_table *t)
{
	return t->count;
}
