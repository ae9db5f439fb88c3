#ifndef CRIOD_PARENT_PLUGINS_H
#define CRIOD_PARENT_PLUGINS_H

/*
 * NRI plugins that the administrator installed: started when nrid is ready,
 * with one end of a socket whose other end nrid gets.  The parent reads
 * nothing of theirs.  One that ends is not started again before nrid is.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

struct link;
struct parent;
struct plugins;

#define PLUGINS_MAX 32

/* Fatal without memory. */
struct plugins *plugins_new(struct parent *parent);
void plugins_free(struct plugins *g);

/* nrid says that it is ready. */
void plugins_start(struct plugins *g, struct link *nrid);
void plugins_kill(struct plugins *g, const char *why);
bool plugins_reaped(struct plugins *g, pid_t pid, int status);
size_t plugins_alive(const struct plugins *g);

#endif
