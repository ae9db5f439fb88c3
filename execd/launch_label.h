#ifndef CRIOD_EXECD_LAUNCH_LABEL_H
#define CRIOD_EXECD_LAUNCH_LABEL_H

/*
 * Labels of the security modules, AppArmor and SELinux: is there such a one,
 * and does a process have it?
 */

#include <sys/types.h>

#include "execd/launch.h"

#define LABEL_MAX 512

/*
 * Looks for the labels of c, before anything is made, and puts them into r as
 * the kernel spells them.
 */
int label_check(const struct fixed_ctr_create *c, struct fixed_launch_rec *r,
    struct cerr *err) __attribute__((warn_unused_result));

/* The file that a process runs; ino 0: not known. */
struct label_program {
	dev_t dev;
	ino_t ino;
};
void label_program_read(pid_t pid, struct label_program *p);

/* Has a container that was started, and ran before until then, them? */
int label_verify(const struct fixed_launch_rec *r,
    const struct label_program *before, struct cerr *err)
    __attribute__((warn_unused_result));

/* "", or what may stand in quotes in a mount's options. */
bool label_valid(const char *label);
/* The same, and the policy has such a one. */
int label_check_files(const char *label, struct cerr *err)
    __attribute__((warn_unused_result));
/* "" or ",context=LABEL" as a mount takes it. */
const char *label_option(const char *label, char buf[LABEL_MAX + 32]);

/* Loads criod's own AppArmor profile, or logs why it cannot be. */
void label_load_default(const struct launch *l);

/* The part that takes what was read: "NAME (MODE)" a line. */
bool label_listed(const char *profiles, const char *name);

#endif
