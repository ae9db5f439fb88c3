#include <time.h>

#include "lib/mono.h"

static int64_t
mono_clock(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * MONO_NS_PER_S + ts.tv_nsec;
}

struct mono
mono_now(void)
{
	return (struct mono){ mono_clock(CLOCK_BOOTTIME) };
}

struct mono
mono_after_ms(int64_t ms)
{
	struct mono now = mono_now();

	if (ms > (INT64_MAX - now.ns) / MONO_NS_PER_MS)
		return (struct mono){ INT64_MAX };
	return (struct mono){ now.ns + ms * MONO_NS_PER_MS };
}

bool
mono_is_set(struct mono t)
{
	return t.ns != 0;
}

bool
mono_passed(struct mono t)
{
	return mono_is_set(t) && mono_now().ns >= t.ns;
}

int64_t
mono_left_ms(struct mono t)
{
	int64_t left;

	if (!mono_is_set(t))
		return INT64_MAX;
	left = t.ns - mono_now().ns;
	if (left <= 0)
		return 0;
	return left / MONO_NS_PER_MS + (left % MONO_NS_PER_MS != 0);
}

struct mono
mono_min(struct mono a, struct mono b)
{
	if (!mono_is_set(a))
		return b;
	if (!mono_is_set(b))
		return a;
	return a.ns < b.ns ? a : b;
}

struct timeval
mono_timeval(struct mono t)
{
	int64_t ns = t.ns - mono_now().ns;
	struct timeval tv;

	if (ns < 1000)
		ns = 1000;
	tv.tv_sec = ns / MONO_NS_PER_S;
	tv.tv_usec = (ns % MONO_NS_PER_S) / 1000;
	return tv;
}

int64_t
wall_now_ns(void)
{
	return mono_clock(CLOCK_REALTIME);
}
