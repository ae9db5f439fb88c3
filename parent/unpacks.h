#ifndef CRIOD_PARENT_UNPACKS_H
#define CRIOD_PARENT_UNPACKS_H

/*
 * The unpack and pack processes: one for each layer that imaged writes,
 * removes or reads.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct link_call;
struct parent;
struct plan;
struct roles_info;
struct unpacks;

#define UNPACKS_MAX 64

enum unpacks_program {
	UNPACKS_UNPACK = 0,
	UNPACKS_PACK,
	UNPACKS_SIGCHECK,
	UNPACKS_SHELF,
	UNPACKS_PROGRAMS,
};

extern const struct roles_info *const unpacks_roles[UNPACKS_PROGRAMS];

/* Fatal without memory. */
struct unpacks *unpacks_new(struct parent *parent);
void unpacks_free(struct unpacks *u);
/* Takes plan. */
void unpacks_set_plan(struct unpacks *u, enum unpacks_program program,
    struct plan *plan);

/* Answers call by UNPACK_LINK or a refusal.  op is UNPACK_SPAWN's. */
void unpacks_spawn(struct unpacks *u, struct link_call *call, uint64_t layer,
    uint32_t op);
void unpacks_kill(struct unpacks *u, const char *why);
bool unpacks_reaped(struct unpacks *u, pid_t pid, int status);
size_t unpacks_alive(const struct unpacks *u);
/* Sends the parent's metrics of all. */
void unpacks_metrics(const struct unpacks *u);

#endif
