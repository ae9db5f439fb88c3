#include <stdlib.h>
#include <string.h>

#include "imsg/audit.h"
#include "imsg/link.h"
#include "lib/log.h"

struct audit {
	struct link *scribe;
	uint64_t lost;
};

struct audit *
audit_new(struct link *scribe, bool wanted)
{
	struct audit *a;

	if (!wanted)
		return NULL;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		fatal("calloc");
	a->scribe = scribe;
	return a;
}

static void
audit_send(struct audit *a, enum msg_type type, const void *body)
{
	if (link_send(a->scribe, type, body, NULL, 0) == -1)
		a->lost++;
	else
		a->lost = 0;
}

void
audit_call(struct audit *a, struct fixed_audit_call *body)
{
	if (a == NULL)
		return;
	body->lost = a->lost;
	audit_send(a, MSG_AUDIT_CALL, body);
}

void
audit_rule(struct audit *a, struct fixed_audit_rule *body)
{
	if (a == NULL)
		return;
	body->lost = a->lost;
	audit_send(a, MSG_AUDIT_RULE, body);
}

void
audit_text(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	memset(to + n, 0, size - n);
}
