#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "imsg/codec.h"
#include "proto/msg.pb-c.h"
#include "parent/conf.h"
#include "parent/plan.h"
#include "parent/roles.h"

void
plan_add(struct plan_args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->argc == PLAN_ARGS_MAX - 1)
		fatalx("too many arguments");
	va_start(ap, fmt);
	if (vasprintf(&a->argv[a->argc], fmt, ap) == -1)
		fatal("vasprintf");
	va_end(ap);
	a->argc++;
}

void
plan_args_clear(struct plan_args *a)
{
	for (size_t i = 0; i < a->argc; i++)
		free(a->argv[i]);
	memset(a, 0, sizeof(*a));
}

static int
plan_boot(struct plan *p, const struct roles_info *r,
    const struct plan_facts *f, struct cerr *err)
{
	Criod__Boot *boot = malloc(sizeof(*boot));

	if (boot == NULL)
		fatal("malloc");
	criod__boot__init(boot);
	p->boot = boot;
	boot->log_level = f->log_level;
	boot->log_format = f->log_format;
	boot->uid = f->ids[r->account].uid;
	boot->gid = f->ids[r->account].gid;
	if (r->boot(boot, f, err) == -1)
		return -1;
	if (codec_pack(&codec_pb, MSG_BOOT, boot, &p->packed, &p->npacked) ==
	    -1)
		fatal("BOOT");
	if (p->npacked > msg_info(MSG_BOOT)->max)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "the configuration of %s is longer than %zu bytes",
		    role_name(r->role), msg_info(MSG_BOOT)->max);
	return 0;
}

struct plan *
plan_new(const struct roles_info *r, const struct plan_facts *f,
    struct cerr *err)
{
	struct plan *p = calloc(1, sizeof(*p));

	if (p == NULL || asprintf(&p->path, "%s/%s",
			     f->conf->text[CONF_PROGRAM], r->program) == -1)
		fatal("plan");
	plan_add(&p->args, "%s", r->program);
	if (r->args != NULL) {
		r->args(&p->args, f);
		plan_add(&p->args, "-v");
		plan_add(&p->args, "%u", f->log_level);
		plan_add(&p->args, "-w");
		plan_add(&p->args, "%u", f->log_format);
	}
	if (r->boot != NULL && plan_boot(p, r, f, err) == -1) {
		plan_free(p);
		return NULL;
	}
	return p;
}

void
plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	plan_args_clear(&p->args);
	if (p->boot != NULL)
		criod__boot__free_unpacked(p->boot, NULL);
	free(p->packed);
	free(p->path);
	free(p);
}

bool
plan_equal(const struct plan *a, const struct plan *b)
{
	if (strcmp(a->path, b->path) != 0 || a->args.argc != b->args.argc ||
	    a->npacked != b->npacked)
		return false;
	for (size_t i = 0; i < a->args.argc; i++) {
		if (strcmp(a->args.argv[i], b->args.argv[i]) != 0)
			return false;
	}
	return a->npacked == 0 || memcmp(a->packed, b->packed, a->npacked) == 0;
}
