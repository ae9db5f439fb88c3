#ifndef CRIOD_NETD_OP_INT_H
#define CRIOD_NETD_OP_INT_H

/* Between op.c and op_add.c only. */

#include <sys/queue.h>

#include <jansson.h>

#include <stdbool.h>

#include "lib/cerr.h"
#include "lib/id.h"
#include "netd/plugin.h"

struct attachment;
struct chain;
struct link_call;
struct netd;
struct result_ips;

#define OP_ADD_MS   (5 * 60 * 1000)
#define OP_OTHER_MS (60 * 1000) /* DEL, CHECK, and undoing an ADD */

enum op_kind {
	OP_ADD,
	OP_DEL,
	OP_CHECK,
};

struct op_pod;

struct op {
	TAILQ_ENTRY(op) entry; /* of its pod */
	TAILQ_ENTRY(op) held_entry;
	struct ops *ops;
	struct op_pod *pod;
	enum op_kind kind;
	struct link_call *call; /* or fn */
	void (*fn)(void *, const struct cerr *);
	void *fn_arg;
	struct attachment *a;
	char args[PLUGIN_ARGS_MAX + 1];
	json_t *capabilities;
	struct chain *chain; /* of an ADD, for a caller who leaves */
	struct cerr fail;    /* why an ADD is being undone */
};

/* Exists while it has operations. */
struct op_pod {
	LIST_ENTRY(op_pod) entry;
	char id[ID_SIZE];
	TAILQ_HEAD(, op) queue; /* the first one runs */
};

struct ops {
	struct netd *netd;
	LIST_HEAD(, op_pod) pods;
	TAILQ_HEAD(, op) held; /* ADDs that wait for ops_release */
	bool hold;
};

/* Each ends the operation. */
void op_fail(struct op *op, const struct cerr *err);
void op_added(struct op *op);

/* The addresses that op->a gives the pod; none is an error. */
int op_ips(const struct op *op, struct result_ips *ips, struct cerr *err)
    __attribute__((warn_unused_result));
/* Undoes op->a; then an ADD ends with op->fail, a DEL with success. */
void op_undo(struct op *op);
/* The record is damaged (err says how): goes on with today's configuration. */
void op_damaged(struct op *op, const struct cerr *err);

/* op_add.c */
void op_add_begin(struct op *op);
/* op->a is what an earlier ADD left: it is undone, then the ADD begins. */
void op_add_clean(struct op *op);
/* The configuration is fresh; or an ADD that was held may go on. */
void op_add_scanned(void *arg);
/* link_call_on_cancel of an ADD. */
void op_add_cancel(void *arg);

#endif
