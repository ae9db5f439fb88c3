#include "criod/stop.h"

static struct mono
stop_after(struct mono now, int64_t ms)
{
	if (ms > (INT64_MAX - now.ns) / MONO_NS_PER_MS)
		return (struct mono){ INT64_MAX };
	return (struct mono){ now.ns + ms * MONO_NS_PER_MS };
}

void
stop_plan_ask(struct stop_plan *p, int64_t ms, struct mono now)
{
	struct mono end = stop_after(now, ms > 0 ? ms : 0);

	p->deadline = p->on ? mono_min(p->deadline, end) : end;
	p->on = true;
}

static int64_t
stop_kill_ms(unsigned int kills)
{
	int64_t ms = STOP_KILL_MIN_MS;

	while (kills-- > 1 && ms < STOP_KILL_MAX_MS)
		ms *= 2;
	return ms < STOP_KILL_MAX_MS ? ms : STOP_KILL_MAX_MS;
}

enum stop_act
stop_plan_next(struct stop_plan *p, struct mono now, struct mono *wake)
{
	if (now.ns >= p->deadline.ns) {
		*wake = p->next_kill;
		if (p->kills > 0 && now.ns < p->next_kill.ns)
			return STOP_WAIT;
		p->kills++;
		p->next_kill = stop_after(now, stop_kill_ms(p->kills));
		*wake = p->next_kill;
		return STOP_KILL;
	}
	*wake = p->deadline;
	if (p->term_sent)
		return STOP_WAIT;
	if (mono_is_set(p->next_term) && now.ns < p->next_term.ns) {
		*wake = mono_min(p->deadline, p->next_term);
		return STOP_WAIT;
	}
	p->term_sent = true;
	return STOP_TERM;
}

void
stop_plan_term_failed(struct stop_plan *p, struct mono now)
{
	p->term_sent = false;
	p->next_term = stop_after(now, STOP_TERM_RETRY_MS);
}

void
stop_plan_hurry(struct stop_plan *p, struct mono now)
{
	p->next_term = now;
	if (p->kills > 0)
		p->next_kill = now;
}

bool
stop_plan_killing(const struct stop_plan *p)
{
	return p->on && p->kills > 0;
}
