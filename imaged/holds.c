#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/mono.h"

#include "imaged/holds.h"

struct hold {
	char key[352];
	struct mono end; /* none: free */
};

struct holds {
	struct hold list[HOLDS_MAX];
};

struct holds *
holds_new(void)
{
	struct holds *hs = calloc(1, sizeof(*hs));

	if (hs == NULL)
		fatal("holds: calloc");
	return hs;
}

static int64_t
hold_left(const struct hold *h)
{
	return mono_is_set(h->end) ? mono_left_ms(h->end) : 0;
}

/* The one of key, or else the one that ends soonest. */
static struct hold *
holds_slot(struct holds *hs, const char *key)
{
	struct hold *best = &hs->list[0];

	for (size_t i = 0; i < HOLDS_MAX; i++) {
		struct hold *h = &hs->list[i];

		if (strcmp(h->key, key) == 0)
			return h;
		if (hold_left(h) < hold_left(best))
			best = h;
	}
	return best;
}

void
holds_add(struct holds *hs, const char *key, int64_t ms)
{
	struct hold *h = holds_slot(hs, key);

	if (ms <= 0 || strlen(key) >= sizeof(h->key))
		return;
	if (ms > HOLDS_MAX_MS)
		ms = HOLDS_MAX_MS;
	if (strcmp(h->key, key) == 0 && hold_left(h) >= ms)
		return;
	(void)snprintf(h->key, sizeof(h->key), "%s", key);
	h->end = mono_after_ms(ms);
}

int64_t
holds_left(const struct holds *hs, const char *key)
{
	for (size_t i = 0; i < HOLDS_MAX; i++) {
		if (strcmp(hs->list[i].key, key) == 0)
			return hold_left(&hs->list[i]);
	}
	return 0;
}
