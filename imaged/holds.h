#ifndef CRIOD_IMAGED_HOLDS_H
#define CRIOD_IMAGED_HOLDS_H

/*
 * Who asked to be left alone for a while (Retry-After): what one pull was told
 * counts for all.
 */

#include <stdint.h>

#define HOLDS_MAX    64	    /* registries remembered */
#define HOLDS_MAX_MS 300000 /* longest that is believed */

struct holds;

struct holds *holds_new(void); /* never NULL (fatal) */
/* Who key stands for (session_key) is not to be asked for ms more. */
void holds_add(struct holds *hs, const char *key, int64_t ms);
/* Milliseconds left; 0 if it may be asked. */
int64_t holds_left(const struct holds *hs, const char *key);

#endif
