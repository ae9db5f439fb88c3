#ifndef CRIOD_NETD_CONFDIR_H
#define CRIOD_NETD_CONFDIR_H

/* The administrator's network configuration files, and which one is used. */

#include "lib/cerr.h"

struct conf;
struct confdir;

#define CONFDIR_FILES_MAX 64

/* Borrows default_network ("": first valid by name); takes embedded. */
struct confdir *confdir_new(const char *default_network, struct conf *embedded);
void confdir_free(struct confdir *cd);

/* The files as they are now: begin, add each, commit. */
void confdir_begin(struct confdir *cd);
/* Takes fd.  A file that cannot be used is remembered with its reason. */
void confdir_add(struct confdir *cd, const char *name, int fd);
void confdir_commit(struct confdir *cd);

/* The network for new pods, borrowed; NULL with FAILED_PRECONDITION. */
struct conf *confdir_choose(const struct confdir *cd, struct cerr *err);

#endif
