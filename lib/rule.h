#ifndef CRIOD_LIB_RULE_H
#define CRIOD_LIB_RULE_H

/*
 * The rules of the policy sections of criod.conf: what a rule may be about,
 * and which of a list decides.  The last rule that matches does; where none
 * matches, all is allowed.
 */

#include <stdbool.h>
#include <stddef.h>

enum rule_what {
	RULE_ANY, /* matches whatever is asked */
	RULE_PRIVILEGED,
	RULE_HOST_NETWORK,
	RULE_HOST_PID,
	RULE_HOST_IPC,
	RULE_HOST_USER,
	RULE_HOST_PORT,
	RULE_PATH,
	RULE_CAPABILITY,
	RULE_DEVICE,
	RULE_SYSCTL,
	RULE_SECCOMP,
	RULE_APPARMOR,
	RULE_RUNTIME,
	RULE_REGISTRY,
	RULE_SELINUX,
	RULE_PROC,
	RULE_COUNT,
};

#define RULE_BIT(what) (1U << (what))

enum rule_access {
	RULE_ACCESS_BOTH = 0,
	RULE_ACCESS_RO = 1,
	RULE_ACCESS_RW = 2,
	RULE_ACCESS_COUNT,
};

struct rule {
	bool allow;
	enum rule_what what;
	enum rule_access access; /* of RULE_PATH */
	const char *namespace;	 /* of Kubernetes; "": every one */
	const char *value;	 /* "": any, or there is none */
	const char *origin;	 /* "criod.conf:12" */
};

/* What somebody wants. */
struct rule_ask {
	enum rule_what what;
	const char *value; /* as the values of rules below; may be NULL */
	bool read_only;	   /* of a path */
	bool usual;	   /* a capability that containers get unasked */
};

/* "host network"; NULL if there is no such number. */
const char *rule_name(unsigned int what);
/* "read-only", "" for both. */
const char *rule_access_name(unsigned int access);
/* False for what is asked without saying which ("privileged"). */
bool rule_has_value(enum rule_what what);

/*
 * What is wrong with a rule's value, or NULL.  Values are
 *
 *	host port	"80", "1-1023"
 *	path		absolute; what is beneath is meant, too
 *	capability	"NET_ADMIN", or "default": those of rule_ask.usual
 *	device		a path, likewise, or VENDOR/CLASS[=NAME] of CDI
 *	sysctl		"net.ipv4.ip_forward", "net.*"
 *	seccomp, apparmor	"unconfined"
 *	selinux		a type
 *	proc		"unmasked"
 *	runtime		a handler's name
 *	registry	HOST[:PORT][/PREFIX]
 */
const char *rule_value_wrong(enum rule_what what, const char *value);

/*
 * True if r is about that.  A rule that denies a path is also about what
 * lies above it, because who has that has the path.
 */
bool rule_matches(const struct rule *r, const char *namespace,
    const struct rule_ask *ask);

/* The rule that decides; NULL: none, which allows it. */
const struct rule *rule_decide(const struct rule *rules, size_t n,
    const char *namespace, const struct rule_ask *ask);

#endif
