#ifndef CRIOD_EXECD_POD_H
#define CRIOD_EXECD_POD_H

/* Pods: their namespaces and files, which the launcher makes. */

#include "execd/execd.h"
#include "execd/selinux.h"

enum pod_state {
	POD_NEW = 0, /* being made, or left over from that */
	POD_READY = 1,
	POD_REMOVING = 2,
};

#define POD_NAMESPACE 64 /* a name of Kubernetes, with its NUL */

struct stats;

struct pod {
	LIST_ENTRY(pod) entry;
	struct execd *x;
	char id[ID_SIZE];
	enum pod_state state;
	struct policy_pod facts;
	char hostname[POLICY_HOSTNAME];
	char selinux_level[SELINUX_LEVEL]; /* "" without SELinux */
	char namespace[POD_NAMESPACE];	   /* what the front said at first */
	uint32_t runtime;
	struct pod_make *make;	  /* while it is being made */
	struct link_call *failed; /* hears why, once it is undone */
	struct cerr *failed_why;
	struct execd_waits removals; /* callers of POD_REMOVE */
	bool removing;		     /* asked the launcher */
	struct event *retry;
	struct event *pause; /* watches it; NULL: none, or not yet */
	int pause_fd;
	uint32_t pause_asked; /* request for it; 0: none */
	bool lost;	      /* pause ended, and its PID namespace */
	struct stats *stats;  /* NULL before anybody asked */
};

struct pod *pod_find(struct execd *x, const char *id);
/* One that containers may be made in; NULL with err. */
struct pod *pod_find_ready(struct execd *x, const char *id, struct cerr *err);

void pod_take_create(void *ctx, struct link_call *call, struct link_msg *m);
void pod_take_remove(void *ctx, struct link_call *call, struct link_msg *m);

/* At start: adopts what the directory "@ID" says. */
void pod_adopt(struct execd *x, const char *id);
/* The launcher is back: what was interrupted goes on. */
void pod_resume(struct execd *x);

#endif
