#ifndef CRIOD_EXECD_CTR_H
#define CRIOD_EXECD_CTR_H

/*
 * Containers.  Each has a directory of its id with config.json, the "state"
 * record (criod.ExecdCtr) written before and after each step, and what its
 * monitor puts there.
 */

#include "execd/execd.h"

#define CTR_CONFIG_FILE	 "config.json"
#define CTR_PROCESS_FILE "process.json" /* its process, for execs */
#define CTR_SANDBOX_FILE "sandbox.json" /* its pod's, for a shim */
#define CTR_STATE_FILE	 "state"

struct ctr_create;
struct stats;
struct event;

enum ctr_state {
	CTR_CREATING = 0,
	CTR_CREATED = 1,
	CTR_STARTING = 2,
	CTR_RUNNING = 3,
	CTR_EXITED = 4,
	CTR_REMOVING = 5,
};

/* The steps of an undo, which is also the removal. */
enum ctr_undo {
	CTR_UNDO_NONE,
	CTR_UNDO_DELETE,
	CTR_UNDO_QUIT,
	CTR_UNDO_ROOTFS,
};

struct ctr_end {
	bool set;
	uint32_t code;
	int64_t finished_at;
	bool oom, unknown;
};

struct ctr {
	LIST_ENTRY(ctr) entry;
	struct execd *x;
	char id[ID_SIZE], pod[ID_SIZE];
	enum ctr_state state;
	char *image;	/* id; NULL before the lease is there */
	char **volumes; /* ids of the images it mounts */
	size_t nvolumes;
	uint32_t runtime;
	uint32_t pid;
	uint64_t start_time;
	int64_t started_at;
	char *log_dir, *log_name; /* empty: no log */
	struct ctr_end end;
	struct ctr_create *create; /* while it is being made */
	struct link_call *failed;  /* hears why, once it is undone */
	struct cerr *failed_why;
	struct link_call *start;     /* who waits for CTR_STARTED */
	struct execd_waits removals; /* who waits for CTR_REMOVED */
	enum ctr_undo undo;
	struct event *retry;
	/* the monitor: mon.c */
	struct execd_waits reopens; /* MON_LOG in flight */
	struct link *mon;
	struct event *mon_timer;
	unsigned int mon_tries;
	uint32_t mon_version; /* 0: not told yet */
	uint64_t log_lost;    /* lines, as its monitor said last */
	bool frozen;	      /* a checkpoint is under way */
	bool orphan;	      /* no monitor, and not reported yet */
	bool foreign;	      /* a newer version's: not ours to touch */
	struct stats *stats;  /* NULL before anybody asked */
};

/* What an answer of the launcher is for: the container may be gone by then. */
struct ctr_ref {
	struct execd *x;
	char id[ID_SIZE];
	struct link_call *call;
};
struct ctr_ref *ctr_ref_new(struct ctr *c, struct link_call *call);

struct ctr *ctr_find(struct execd *x, const char *id);
/* NULL with err: INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION. */
struct ctr *ctr_find_or(struct execd *x, const char *id, struct cerr *err);
/* True while a process of a container of that pod may be there. */
bool ctr_any_alive(struct execd *x, const char *pod);
bool ctr_alive(const struct ctr *c);

struct ctr *ctr_new(struct execd *x, const char *id, const char *pod);
void ctr_free(struct ctr *c);
/* Logs, and writes the record.  -1 with err: the record could not be made. */
int ctr_set_state(struct ctr *c, enum ctr_state state, struct cerr *err)
    __attribute__((warn_unused_result));
int ctr_open_dir(struct ctr *c); /* -1 with errno */

/* It ended: kept, recorded and told to front, once. */
void ctr_ended(struct ctr *c, const struct ctr_end *end);

/* ctr_remove.c */
void ctr_remove(struct ctr *c);
void ctr_take_remove(void *ctx, struct link_call *call, struct link_msg *m);

/* ctr_create.c */
void ctr_take_create(void *ctx, struct link_call *call, struct link_msg *m);

/* ctr_ops.c */
void ctr_take_start(void *ctx, struct link_call *call, struct link_msg *m);
void ctr_take_signal(void *ctx, struct link_call *call, struct link_msg *m);
void ctr_take_reopen(void *ctx, struct link_call *call, struct link_msg *m);
void ctr_take_list(void *ctx, struct link_call *call, struct link_msg *m);
/* ctr_dirs.c: what earlier boots left in CONTAINER. */
void ctr_take_dirs(void *ctx, struct link_call *call, struct link_msg *m);
void ctr_start_again(struct ctr *c);

/* ctr_update.c */
void ctr_take_update(void *ctx, struct link_call *call, struct link_msg *m);

/* ctr_checkpoint.c */
void ctr_take_checkpoint(void *ctx, struct link_call *call, struct link_msg *m);
/* One that a launcher which is no more had begun: it goes on. */
void ctr_checkpoint_end(struct ctr *c);

/* ctr_restore.c */
void ctr_adopt(struct execd *x, const char *id);
/* The launcher, or imaged, is back. */
void ctr_resume(struct execd *x);
void ctr_announce(struct execd *x);

#endif
