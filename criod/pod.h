#ifndef CRIOD_CRIOD_POD_H
#define CRIOD_CRIOD_POD_H

/* Pod sandboxes: what is known of each, and the work on them. */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "criod/wait.h"
#include "lib/cerr.h"
#include "lib/id.h"
#include "lib/mono.h"
#include "proto/cri.pb-c.h"

struct event;
struct front;
struct grpc_call;
struct op;

/* In records: never renumber. */
enum pod_state {
	POD_NEW = 1, /* being made, or being undone */
	POD_READY = 2,
	POD_NOTREADY = 3,
	POD_GONE = 4, /* removed but for its network */
};

struct pod {
	TAILQ_ENTRY(pod) entry;
	struct front *front;
	uint64_t seq;
	char id[ID_SIZE];
	enum pod_state state;
	Runtime__V1__PodSandboxConfig *config;
	char *runtime; /* handler, as asked for */
	int64_t created_at;
	char **ips;
	size_t nips;
	bool net_done;	/* nothing of CNI's is left */
	bool net_dirty; /* DEL goes on in the background */
	bool ns_gone;	/* execd has nothing of it any more */
	bool released;	/* its making failed: the name is free */
	unsigned int net_fails;
	bool parked;	/* made, but no caller took the id */
	bool restoring; /* RestorePod makes it: no other caller takes it */
	bool lost;	/* before anybody had it: it is not to be had */
	bool asked;	/* settled when execd was asked for all it knows */
	bool kept;	/* keeper has the record as it is */
	struct event *park_timer;
	struct op *create, *stop, *remove, *net;
	struct wait_list create_waits, stop_waits, remove_waits;
	/* For the steps that wait for containers. */
	size_t pending;
	bool pending_failed;
	struct cerr pending_err;
};

/* Visible to clients: neither half-made nor parked nor gone. */
bool pod_visible(const struct pod *pod);
bool pod_host_network(const struct pod *pod);
bool pod_privileged(const struct pod *pod);
/* NULL if it has none. */
const Runtime__V1__NamespaceOption *pod_namespaces(const struct pod *pod);

/* Owns config afterwards; adds the pod to front, in state POD_NEW. */
struct pod *pod_new(struct front *front, const char *id,
    Runtime__V1__PodSandboxConfig *config, const char *runtime);
/* Takes it out of front too.  Nothing may be under way. */
void pod_free(struct pod *pod);
void pod_set_state(struct pod *pod, enum pod_state state);
void pod_set_ips(struct pod *pod, char *const *ips, size_t n);
/* Writes the record, or logs why not. */
void pod_save(struct pod *pod);

/* pod_forward.c: may its ports be reached now? */
int pod_may_forward(const struct pod *pod, struct cerr *err)
    __attribute__((warn_unused_result));

/* Any pod by its full id, also one that clients do not see. */
struct pod *pod_by_id(struct front *front, const char *id);
/*
 * A visible pod by id or unambiguous prefix.  NULL with NOT_FOUND, or
 * INVALID_ARGUMENT for an empty id or an ambiguous prefix.
 */
struct pod *pod_find(struct front *front, const char *id, struct cerr *err);

/* Creation's steps, also for undoing what a former front left half-made. */
void pod_undo(struct pod *pod);
void pod_unpark(struct pod *pod);
/*
 * Begins to make one, for RestorePod: create_waits tells when it is there.
 * r as for RunPodSandbox.  NULL with err: it may not be made.
 */
struct pod *pod_run_restoring(struct front *front,
    const Runtime__V1__RunPodSandboxRequest *r, struct cerr *err);

/* pod_restore.c: removes what a former front had half restored. */
void pod_restore_undo(struct pod *pod);
/* fn is called when the pod is removed (or not). */
void pod_remove(struct pod *pod, wait_fn fn, void *arg);

/* fn is called when the pod is stopped (or not). */
void pod_stop(struct pod *pod, wait_fn fn, void *arg);
/* Goes on with a DEL that could not be done so far. */
void pod_net_retry(struct pod *pod);
/* execd or netd is back. */
void pod_hurry(struct pod *pod);
/* It is of an earlier boot. */
void pod_rebooted(struct pod *pod);

#endif
