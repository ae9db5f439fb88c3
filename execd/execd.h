#ifndef CRIOD_EXECD_EXECD_H
#define CRIOD_EXECD_EXECD_H

/* execd's control half: what its files share. */

#include <sys/queue.h>

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "execd/policy.h"
#include "imsg/helper.h"
#include "lib/id.h"
#include "proto/msg.pb-c.h"

struct ctr;
struct exec;
struct guard;
struct hooks;
struct pod;
struct runtime;
struct stream;
struct stats_state;

LIST_HEAD(ctr_list, ctr);
LIST_HEAD(exec_list, exec);
LIST_HEAD(pod_list, pod);
LIST_HEAD(stream_list, stream);

/* Answers of several callers at once. */
struct execd_wait {
	SIMPLEQ_ENTRY(execd_wait) entry;
	struct link_call *call;
};
SIMPLEQ_HEAD(execd_waits, execd_wait);

struct execd {
	struct helper *helper; /* first: see helper_link_lost */
	const Criod__BootExecd *boot;
	int root; /* its root directory: bundles */
	unsigned int cpus;
	unsigned int kernel[2];		/* its version */
	char hostname[POLICY_HOSTNAME]; /* the host's */
	struct ctr_list ctrs;
	struct pod_list pods;
	struct exec_list execs;
	struct stream_list streams;
	size_t exec_bytes; /* output that all execs hold */
	bool exec_full;	   /* said so */
	struct hooks *hooks;
	struct guard *guard;
	struct runtime *runtimes;
	size_t nruntimes;
	bool launcher_away;
	struct execd_waits runtime_waits;
	struct stats_state *stats;
};

/* Deadlines of our own requests. */
#define EXECD_LEASE_MS	 60000
#define EXECD_STEP_MS	 120000
#define EXECD_CREATE_MS	 240000
#define EXECD_MONITOR_MS 10000

struct link *execd_front(struct execd *x);
struct link *execd_imaged(struct execd *x);
struct link *execd_launcher(struct execd *x);
struct link *execd_nrid(struct execd *x);

/* A deep copy of a protobuf message, owned; fatal without memory. */
void *execd_copy(const void *message);
#define EXECD_FREE(m)                                                          \
	protobuf_c_message_free_unpacked((ProtobufCMessage *)(m), NULL)

/* calloc, strdup that end the process if there is no memory. */
void *execd_alloc(size_t n, size_t size);
char *execd_strdup(const char *s);
/* By what name an image was asked for, which may be its id; borrowed. */
char *execd_image_asked(const Runtime__V1__ImageSpec *spec);

/* Packs message into the record dir/name; sync is not needed on a tmpfs. */
int execd_record_write(int dirfd, const char *name, const char *owner,
    const void *message, struct cerr *err) __attribute__((warn_unused_result));
/* Owned; NULL with err. */
void *execd_record_read(int dirfd, const char *name, const char *owner,
    const ProtobufCMessageDescriptor *d, struct cerr *err);
/* What can be understood of one that a newer version wrote; or NULL. */
void *execd_record_read_newer(int dirfd, const char *name,
    const ProtobufCMessageDescriptor *d);

/* Opens root/name; -1 with errno. */
int execd_open_dir(struct execd *x, const char *name);
/* Removes root/name and the files in it; whatever else is in it stays. */
int execd_remove_dir(struct execd *x, const char *name, struct cerr *err)
    __attribute__((warn_unused_result));

void execd_wait_add(struct execd_waits *w, struct link_call *call);
/* err NULL: reply with type and an empty body. */
void execd_wait_end(struct execd_waits *w, enum msg_type type,
    const struct cerr *err);

#endif
