#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "execd/regex_cost.h"

#define REGEX_DEPTH 64
#define REGEX_MUCH  (REGEX_COST_MAX + 1)

/* A group that is being read: all of it, and its last element. */
struct regex_group {
	size_t sum, last;
};

static size_t
regex_min(size_t n)
{
	return n < REGEX_MUCH ? n : REGEX_MUCH;
}

static void
regex_add(struct regex_group *g, size_t cost)
{
	g->sum = regex_min(g->sum + cost);
	g->last = cost;
}

static void
regex_repeat(struct regex_group *g, size_t times)
{
	g->sum = regex_min(g->sum + g->last * times);
	g->last = regex_min(g->last + g->last * times);
}

/* The end of "[...]", whose first character may be ']' or '^]'. */
static const char *
regex_bracket(const char *p)
{
	p++;
	if (*p == '^')
		p++;
	if (*p == ']')
		p++;
	while (*p != '\0' && *p != ']')
		p++;
	return p;
}

/* The largest number in "{m,n}". */
static size_t
regex_bound(const char **p)
{
	size_t most = 1;

	for (; **p != '\0' && **p != '}'; (*p)++) {
		if (isdigit((unsigned char)**p) &&
		    !isdigit((unsigned char)(*p)[-1])) {
			size_t n = strtoul(*p, NULL, 10);

			if (n > most)
				most = n;
		}
	}
	return regex_min(most);
}

/* One element or operator; g[0] is the group it is in. */
static const char *
regex_step(const char *p, struct regex_group *g)
{
	switch (*p) {
	case '*':
	case '+':
	case '?':
		regex_repeat(g, 1);
		return p;
	case '{':
		regex_repeat(g, regex_bound(&p));
		return p;
	case '[':
		p = regex_bracket(p);
		break;
	case '\\':
		p += p[1] != '\0' ? 1 : 0;
		if (*p >= '1' && *p <= '9') {
			regex_add(g, REGEX_MUCH);
			return p;
		}
		break;
	default:
		break;
	}
	regex_add(g, 1);
	return p;
}

size_t
regex_cost(const char *re)
{
	struct regex_group groups[REGEX_DEPTH] = { { 0, 0 } };
	size_t depth = 0;

	for (const char *p = re; *p != '\0'; p++) {
		if (*p == '(') {
			if (++depth == REGEX_DEPTH)
				return REGEX_MUCH;
			groups[depth] = (struct regex_group){ 1, 0 };
		} else if (*p == ')' && depth > 0) {
			depth--;
			regex_add(&groups[depth], groups[depth + 1].sum);
		} else {
			p = regex_step(p, &groups[depth]);
			if (*p == '\0')
				break;
		}
	}
	for (; depth > 0; depth--)
		regex_add(&groups[depth - 1], groups[depth].sum);
	return groups[0].sum;
}
