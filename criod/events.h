#ifndef CRIOD_CRIOD_EVENTS_H
#define CRIOD_CRIOD_EVENTS_H

/*
 * What happened to pods and containers, told to every client of
 * GetContainerEvents: in order, each with its pod and the pod's containers as
 * they are after it.  Only what clients can see is told.  A client that lags
 * by more than EVENTS_BACKLOG_MAX loses its stream (RESOURCE_EXHAUSTED), and
 * so knows that it has to list anew; nobody else waits for it.
 */

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

struct ctr;
struct events_client;
struct front;
struct pod;

#define EVENTS_CLIENTS_MAX 32
#define EVENTS_BACKLOG_MAX (2U * 1024 * 1024) /* unsent bytes of a client */

struct events {
	TAILQ_HEAD(, events_client) clients;
	size_t nclients;
	int64_t last; /* time of the newest */
};

void events_init(struct events *e);
/* Wall time, but later than what it said before. */
int64_t events_now(struct events *e);

/* It became visible: created, and started at the same time. */
void events_pod_created(struct pod *pod);
void events_pod_stopped(struct pod *pod);
/* Before it is freed; it counts as gone already. */
void events_pod_deleted(struct pod *pod);

/* It became visible; that it has ended meanwhile is told too. */
void events_ctr_created(struct ctr *c);
void events_ctr_started(struct ctr *c);
/* If it ran and nobody was told, that is told first. */
void events_ctr_stopped(struct ctr *c);
/* As events_pod_deleted. */
void events_ctr_deleted(struct ctr *c);

#endif
