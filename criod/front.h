#ifndef CRIOD_CRIOD_FRONT_H
#define CRIOD_CRIOD_FRONT_H

/* The front's state: what its handlers get as ctx. */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "criod/control.h"
#include "criod/events.h"
#include "criod/foreign.h"
#include "criod/keep.h"
#include "criod/known.h"
#include "criod/serve.h"
#include "criod/session.h"
#include "criod/store.h"
#include "lib/cerr.h"
#include "proto/msg.pb-c.h"

struct event_base;
struct figures;
struct grpc_server;
struct helper;
struct link;
struct ctr;
struct orphan;
struct pod;

TAILQ_HEAD(pod_list, pod);
TAILQ_HEAD(ctr_list, ctr);
LIST_HEAD(exec_list, exec);
LIST_HEAD(orphan_list, orphan);

#define FRONT_LISTENERS_MAX 16
#define FRONT_PODS_MAX	    4096
#define FRONT_CTRS_MAX	    16384

/* How long execd, netd and imaged may take for what a client waits for. */
#define FRONT_POD_MS	 (480 * 1000)
#define FRONT_CTR_MS	 (240 * 1000)
#define FRONT_NET_DEL_MS (90 * 1000)
#define FRONT_QUERY_MS	 (30 * 1000)
/* A result that no caller took is kept so long for a retry. */
#ifndef FRONT_PARK_S
#define FRONT_PARK_S 120
#endif

struct front {
	struct helper *helper; /* first: see helper_link_lost */
	const Criod__BootFront *boot;
	struct event_base *base;
	struct grpc_server *grpc;
	struct audit *audit; /* NULL: nothing is recorded */
	struct link *imaged, *netd, *execd, *nrid, *streamd, *keeper;
	struct store store;
	struct keep keep;
	struct events events;
	struct pod_list pods;
	struct ctr_list ctrs;
	struct orphan_list orphans;
	struct foreign_list foreigns;
	size_t npods, nctrs;
	uint64_t seq;	  /* of the newest pod or container */
	bool facts_asked; /* and not answered yet */
	struct event *facts_timer;
	bool started, serving;
	bool gc_done;
	bool dirs_done, dirs_asked; /* CONTAINER is compared */
	struct serve_listener listeners[FRONT_LISTENERS_MAX];
	size_t nlisteners;
	struct control control;
	Criod__RuntimeFacts *runtimes; /* NULL until execd said */
	struct figures *figures;
	struct node_net *net;
	struct exec_list execs; /* ExecSync in flight, or being killed */
	size_t nexecs;
	struct session_table sessions;
	struct known images;
};

/* Code UNAVAILABLE if the peer is not there now. */
int front_need(const struct link *link, struct cerr *err)
    __attribute__((warn_unused_result));

#endif
