#ifndef CRIOD_CRIODCTL_CTL_H
#define CRIOD_CRIODCTL_CTL_H

/*
 * The control socket: one request at a time, blocking.  CRI methods are
 * called by their gRPC path, with protobuf-c messages.
 */

#include <sys/types.h>

#include <protobuf-c/protobuf-c.h>

#include <stdint.h>

#include "imsg/msg.h"
#include "lib/cerr.h"

struct ctl;

/* -1 with err set if nobody listens at path.  *ctl is owned by the caller. */
int ctl_connect(const char *path, struct ctl **ctl, struct cerr *err)
    __attribute__((warn_unused_result));
void ctl_free(struct ctl *ctl);
/* The process that made the socket: criod itself. */
pid_t ctl_server(const struct ctl *ctl);

/*
 * Calls "/runtime.v1.SERVICE/METHOD".  *response is of type desc, owned by
 * the caller (protobuf_c_message_free_unpacked).  May be NULL.
 */
int ctl_call(struct ctl *ctl, const char *method,
    const ProtobufCMessage *request, const ProtobufCMessageDescriptor *desc,
    ProtobufCMessage **response, struct cerr *err)
    __attribute__((warn_unused_result));

/* Gives a blob; takes fd. */
int ctl_blob(struct ctl *ctl, const char *digest, int fd, struct cerr *err)
    __attribute__((warn_unused_result));
/* Imports what the blobs given before make up; image_ref is owned. */
int ctl_import(struct ctl *ctl, const char *reference, const char *digest,
    char **image_ref, struct cerr *err) __attribute__((warn_unused_result));

/*
 * A request that imaged answers.  Takes fd (-1: none), borrows body; ctl_end
 * waits for the answer, which is the caller's (ctl_free_answer).
 */
int ctl_begin(struct ctl *ctl, enum msg_type type, const void *body, int fd,
    struct cerr *err) __attribute__((warn_unused_result));
int ctl_end(struct ctl *ctl, enum msg_type type, void **answer,
    struct cerr *err) __attribute__((warn_unused_result));
void ctl_free_answer(enum msg_type type, void *answer);

/* While calls last, fn is told twice a second what imaged is pulling. */
struct Criod__ImgTasksAre;
typedef void (*ctl_tasks_fn)(void *arg, const struct Criod__ImgTasksAre *tasks);
void ctl_watch(struct ctl *ctl, ctl_tasks_fn fn, void *arg);

#endif
