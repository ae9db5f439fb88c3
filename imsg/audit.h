#ifndef CRIOD_IMSG_AUDIT_H
#define CRIOD_IMSG_AUDIT_H

/*
 * Records for the audit log, which the process scribe writes.  Nothing here
 * waits: what cannot be sent is lost, and the next record says how many were.
 */

#include <stdbool.h>
#include <stddef.h>

#include "imsg/fixed.h"

struct audit;
struct link;

/* What the log is; parent/conf.h has the same order. */
enum audit_to {
	AUDIT_TO_STDERR = 0,
	AUDIT_TO_SYSLOG,
	AUDIT_TO_FILE,
	AUDIT_TO_COUNT,
};

#define AUDIT_CALL_GONE 0x1U /* the client did not wait for the end */
#define AUDIT_CALL_CTL	0x2U /* it was criodctl */

/* NULL, with which nothing is recorded, unless wanted. */
struct audit *audit_new(struct link *scribe, bool wanted);

/* Both borrow body and set its member lost; a may be NULL. */
void audit_call(struct audit *a, struct fixed_audit_call *body);
void audit_rule(struct audit *a, struct fixed_audit_rule *body);

/* Into a member of such a body; what is too long is cut. */
void audit_text(char *to, size_t size, const char *from);

#endif
