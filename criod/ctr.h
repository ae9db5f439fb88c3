#ifndef CRIOD_CRIOD_CTR_H
#define CRIOD_CRIOD_CTR_H

/* Containers: what is known of each, and the work on them. */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "criod/stop.h"
#include "criod/wait.h"
#include "lib/cerr.h"
#include "lib/id.h"
#include "proto/cri.pb-c.h"
#include "proto/msg.pb-c.h"

struct event;
struct front;
struct link_call;
struct link_msg;
struct op;
struct pod;

struct ctr_update;
TAILQ_HEAD(ctr_updates, ctr_update);

/* In records: never renumber. */
enum ctr_state {
	CTR_NEW = 1, /* being made, or being undone */
	CTR_CREATED = 2,
	CTR_RUNNING = 3,
	CTR_EXITED = 4,
};

struct ctr {
	TAILQ_ENTRY(ctr) entry;
	struct front *front;
	struct pod *pod; /* NULL once the pod is removed (state CTR_NEW) */
	uint64_t seq;
	char id[ID_SIZE];
	char pod_id[ID_SIZE];
	enum ctr_state state;
	Runtime__V1__ContainerConfig *config;
	Criod__CtrCreated *made; /* NULL until execd answered */
	char *image_name;	 /* as status shows it */
	char *image_id;		 /* during creation */
	char *checkpoint;	 /* host path, or NULL: it is made new */
	char *target_id;	 /* of a TARGET pid namespace, or NULL */
	int64_t created_at, started_at, finished_at;
	int32_t exit_code;
	char *reason, *message;
	bool released;	/* its making failed: the name is free */
	bool restoring; /* by RestorePod, whose caller takes it */
	bool parked;	/* made, but no caller took the id */
	bool starting;
	bool start_told; /* that it runs, as an event */
	bool start_lost; /* execd went away over it: it may yet start */
	bool asked;	 /* settled when execd was asked for all it knows */
	bool kept;	 /* keeper has the record as it is */
	struct event *park_timer;
	struct op *create, *remove;
	struct wait_list create_waits, start_waits, stop_waits, remove_waits;
	struct stop_plan plan;
	struct event *stop_timer;
	uint32_t signal_request; /* in flight, or 0 */
	bool signal_is_term;
	struct ctr_updates updates; /* of limits; the first is under way */
	size_t nupdates;
};

bool ctr_visible(const struct ctr *c);

/* Owns config afterwards; adds the container to front, in state CTR_NEW. */
struct ctr *ctr_new(struct front *front, const char *id, struct pod *pod,
    Runtime__V1__ContainerConfig *config);
/* Takes it out of front too.  Nothing may be under way. */
void ctr_free(struct ctr *c);
void ctr_set_state(struct ctr *c, enum ctr_state state);
void ctr_set_text(char **where, const char *text);
/* Writes the record, or logs why not. */
void ctr_save(struct ctr *c);

/* As pod_by_id and pod_find. */
struct ctr *ctr_by_id(struct front *front, const char *id);
struct ctr *ctr_find(struct front *front, const char *id, struct cerr *err);

/* ctr_exec.c: is there a command, of bounded size; may one be run now? */
int ctr_check_cmd(char *const *cmd, size_t n, const ProtobufCMessage *request,
    struct cerr *err) __attribute__((warn_unused_result));
int ctr_may_exec(const struct ctr *c, struct cerr *err)
    __attribute__((warn_unused_result));
/* ctr_stream.c */
int ctr_may_attach(const struct ctr *c, struct cerr *err)
    __attribute__((warn_unused_result));

/*
 * Begins to make one of the pod from a checkpoint's archive, for RestorePod:
 * create_waits tells when it is there.  NULL with err: it may not be made.
 */
struct ctr *ctr_restore(struct pod *pod,
    const Runtime__V1__ContainerConfig *config, const char *checkpoint,
    struct cerr *err);

/* Undoes what a former front left half-made, or what nobody took. */
void ctr_undo(struct ctr *c);
/* Its pod goes away: stop making it. */
void ctr_abort(struct ctr *c);

/* fn, if not NULL, is called when the container has exited. */
void ctr_stop(struct ctr *c, int64_t grace_ms, wait_fn fn, void *arg);
/* Its start failed: whatever may be left in its cgroup goes. */
void ctr_kill_rest(struct ctr *c);
/* execd is back. */
void ctr_hurry(struct ctr *c);
/* Steps of removal that undo creation, too: execd's part; the record. */
void ctr_step_remove(void *ctx, struct op *op);
void ctr_step_forget(void *ctx, struct op *op);
/* fn, if not NULL, is called when the container is removed (or not). */
void ctr_remove(struct ctr *c, wait_fn fn, void *arg);

/* It goes: ends what waits to change its limits. */
void ctr_update_drop(struct ctr *c);

/* nrid's NRI_UPDATE. */
void ctr_nri_update(void *ctx, struct link_call *call, struct link_msg *m);

/* It ended: the first report counts and is never changed. */
void ctr_exited(struct ctr *c, const Criod__CtrExited *e);
/* It is over, but execd does not know how. */
void ctr_lost(struct ctr *c, const char *why);
/* It is of an earlier boot. */
void ctr_rebooted(struct ctr *c);
/* Its process never ran: start failed. */
void ctr_start_failed(struct ctr *c, const struct cerr *err);

#endif
