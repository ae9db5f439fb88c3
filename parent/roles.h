#ifndef CRIOD_PARENT_ROLES_H
#define CRIOD_PARENT_ROLES_H

/*
 * Who is started, as whom, where, and who may talk to whom: the table that
 * docs/internals.md section 1 shows, and nothing else decides.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "imsg/role.h"
#include "parent/account.h"
#include "parent/dirs.h"

struct Criod__Boot;
struct conf;
struct plan_facts;
struct plan_args;

#define ROLES_LISTENER(kind) (1U << (kind))
#define ROLES_FILE(kind)     (1U << (kind))

struct roles_info {
	enum role role;
	const char *program; /* below the program directory */
	enum account account;
	enum dirs_root root; /* sent with BOOT */
	unsigned int links;  /* ROLE_* bits of its peers */
	unsigned int listeners;
	unsigned int files; /* bits of criod.File.Kind */
	/* Whether conf wants it to run; NULL: always. */
	bool (*wanted)(const struct conf *c);
	/* Inherited by what launchers start, so theirs is the usual one. */
	mode_t umask;
	/* One of the two: arguments, or a part of BOOT. */
	void (*args)(struct plan_args *a, const struct plan_facts *f);
	int (*boot)(struct Criod__Boot *boot, const struct plan_facts *f,
	    struct cerr *err);
};

/* In the order of starting; the first is the first to be stopped. */
extern const struct roles_info roles_table[];
extern const size_t roles_count;

/* unpack: not supervised, one for each layer, linked to imaged alone. */
/* Of each layer that is worked on: writing or removing it, reading it. */
extern const struct roles_info roles_unpack, roles_pack, roles_sigcheck;
/* Of an additional store, when its catalogue is read. */
extern const struct roles_info roles_shelf;

/* NULL if there is none. */
const struct roles_info *roles_find(unsigned int role);

#endif
