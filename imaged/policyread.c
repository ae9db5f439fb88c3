/*
 * policyread: says what the parent needs to know of a policy.json, a file of
 * registries.d, or all that there is about registries (as in imaged's BOOT), so
 * that the parent reads none of them.  Descriptor 3 is the text, in a sealed
 * memfd; 4 a pipe for the answer: "OK", then a line for each key file of a
 * policy, or for each section its scope, lookaside and 0 (unset), 1 or 2 (no),
 * with tabs between, or for each host that cannot be asked because of what was
 * said of it; or "NO" and a line that says what is wrong.
 */
#include <sys/resource.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaged/policy.h"
#include "imaged/regconf.h"
#include "imaged/sources.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/json.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"

#define POLICYREAD_TEXT_FD 3
#define POLICYREAD_TELL_FD 4
#define POLICYREAD_MIB	   ((rlim_t)1024 * 1024)
#define POLICYREAD_MAX	   (8U * 1024 * 1024) /* bytes of a text */

extern const struct filter filter_policyread;

struct policyread {
	uint8_t *text;
	size_t len;
	FILE *answer;
};

static const struct confine_limit policyread_limits[] = {
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_AS, 128 * POLICYREAD_MIB },
	{ RLIMIT_NOFILE, 16 },
	{ RLIMIT_CPU, 10 },
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_MEMLOCK, 0 },
	{ -1, 0 },
};

static const struct confine policyread_confine = {
	.role = "policyread",
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.landlock = CONFINE_LANDLOCK_NO_FILES,
	.limits = policyread_limits,
	.filter = &filter_policyread,
};

static void
policyread_file(void *arg, struct policy_key *key)
{
	struct policyread *r = arg;

	(void)fprintf(r->answer, "%s\n", key->path);
}

static int
policyread_policy(struct policyread *r, struct cerr *err)
{
	struct policy *p = policy_parse("policy", r->text, r->len, err);

	if (p == NULL)
		return -1;
	policy_each_file(p, policyread_file, r);
	policy_free(p);
	return 0;
}

static void
policyread_section(void *arg, const struct sources_section *s)
{
	struct policyread *r = arg;

	(void)fprintf(r->answer, "%s\t%s\t%d\n", s->scope, s->lookaside,
	    (int)s->attachments);
}

static int
policyread_sources(struct policyread *r, struct cerr *err)
{
	return sources_read((const char *)r->text, r->len, policyread_section,
	    r, err);
}

static void
policyread_host(void *arg, const char *why)
{
	struct policyread *r = arg;

	(void)fprintf(r->answer, "%s\n", why);
}

static int
policyread_registries(struct policyread *r, struct cerr *err)
{
	Criod__BootImaged *b =
	    criod__boot_imaged__unpack(NULL, r->len, r->text);
	struct regconf *rc;
	int result = 0;

	if (b == NULL)
		return cerr_set(err, CERR_INTERNAL, "malformed");
	rc = regconf_new(b);
	if (rc->wrong != NULL)
		result = cerr_set(err, CERR_INVALID_ARGUMENT, "%s", rc->wrong);
	else
		regconf_each_wrong(rc, policyread_host, r);
	regconf_unref(rc);
	criod__boot_imaged__free_unpacked(b, NULL);
	return result;
}

static const struct {
	const char *kind;
	int (*fn)(struct policyread *r, struct cerr *err);
} policyread_kinds[] = {
	{ "policy", policyread_policy },
	{ "sources", policyread_sources },
	{ "registries", policyread_registries },
};

/* Whole or not at all: what a wrong file said first is dropped. */
static void
policyread_answer(struct policyread *r, size_t kind)
{
	char *text = NULL;
	size_t len = 0;
	struct cerr err;

	r->answer = open_memstream(&text, &len);
	if (r->answer == NULL)
		fatal("open_memstream");
	(void)fputs("OK\n", r->answer);
	if (policyread_kinds[kind].fn(r, &err) == -1) {
		rewind(r->answer);
		(void)fprintf(r->answer, "NO\n%s\n", err.text);
	}
	if (fclose(r->answer) != 0)
		fatal("fclose");
	if (fdio_write_all(POLICYREAD_TELL_FD, text, len) == -1)
		fatal("answer");
	free(text);
}

static unsigned int
policyread_number(const char *s)
{
	if (*s == '\0' || strlen(s) > 9 || strspn(s, "0123456789") != strlen(s))
		fatalx("not a number: %s", s);
	return (unsigned int)strtoul(s, NULL, 10);
}

/* policyread KIND UID GID */
int
main(int argc, char **argv)
{
	size_t kind = 0,
	       n = sizeof(policyread_kinds) / sizeof(policyread_kinds[0]);
	struct policyread r = { 0 };
	struct cerr err;

	log_init("policyread");
	while (argc == 4 && kind < n &&
	       strcmp(policyread_kinds[kind].kind, argv[1]) != 0)
		kind++;
	if (argc != 4 || kind == n)
		fatalx("bad arguments");
	if (fdio_expect_only(POLICYREAD_TELL_FD) == -1)
		fatalx("descriptors at start are not exactly 0 to %d",
		    POLICYREAD_TELL_FD);
	json_init();
	if (confine_enter(&policyread_confine, -1, policyread_number(argv[2]),
		policyread_number(argv[3]), &err) == -1)
		fatalx("confinement: %s", err.text);
	if (fdio_memfd_read(POLICYREAD_TEXT_FD, POLICYREAD_MAX, &r.text,
		&r.len) == -1)
		fatal("text");
	policyread_answer(&r, kind);
	free(r.text);
	return 0;
}
