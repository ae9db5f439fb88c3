#ifndef CRIOD_LIB_MONO_H
#define CRIOD_LIB_MONO_H

/*
 * Two clocks that the compiler keeps apart.  Every deadline is a struct mono
 * (CLOCK_BOOTTIME, so that suspend counts and a set clock does not matter);
 * what is shown to a client is wall time, int64_t nanoseconds since 1970.
 */

#include <sys/time.h>

#include <stdbool.h>
#include <stdint.h>

#define MONO_NS_PER_MS INT64_C(1000000)
#define MONO_NS_PER_S  INT64_C(1000000000)

struct mono {
	int64_t ns; /* 0: none (no deadline) */
};

struct mono mono_now(void);
struct mono mono_after_ms(int64_t ms);
static inline struct mono
mono_none(void)
{
	return (struct mono){ 0 };
}
bool mono_is_set(struct mono t);
bool mono_passed(struct mono t); /* false if none */
/* Milliseconds left, rounded up; 0 if passed; INT64_MAX if none. */
int64_t mono_left_ms(struct mono t);
/* The earlier of two; "none" is later than any. */
struct mono mono_min(struct mono a, struct mono b);
/* For evtimer_add: at least 1 microsecond. */
struct timeval mono_timeval(struct mono t);

int64_t wall_now_ns(void);

#endif
