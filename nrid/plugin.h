#ifndef CRIOD_NRID_PLUGIN_H
#define CRIOD_NRID_PLUGIN_H

/*
 * One plugin's connection: it registers, is configured, waits until it can be
 * synchronized, and then is asked, one job at a time, in the order of the
 * plugins' indices.  One that breaks the protocol or does not answer in time
 * is dropped; the jobs that waited for it go on without it.
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ttrpc.h"
#include "nrid/mux.h"
#include "nrid/nrid.h"

#define PLUGIN_NAME_MAX 64
#define PLUGIN_CONF_MAX (1024U * 1024)

#define PLUGIN_SERVICE	   "nri.pkg.api.v1alpha1.Plugin"
#define PLUGIN_RUNTIME	   "nri.pkg.api.v1alpha1.Runtime"
#define PLUGIN_NRI_VERSION "v0.12.0"
#define PLUGIN_EVENTS	   ((1U << (NRI__EVENT__LAST - 1)) - 1)
#define PLUGIN_EVENT(e)	   (1U << ((unsigned int)(e)-1))

enum plugin_state {
	PLUGIN_NEW,	    /* it must register */
	PLUGIN_CONFIGURING, /* Configure is under way */
	PLUGIN_WAITING,	    /* for its synchronization */
	PLUGIN_SYNCING,
	PLUGIN_ACTIVE,
	PLUGIN_DEAD, /* about to be freed */
	PLUGIN_NSTATES,
};

struct ask;
struct event;
struct evbuffer;

LIST_HEAD(ask_list, ask);

struct plugin {
	TAILQ_ENTRY(plugin) entry;
	struct nrid *nrid;
	enum plugin_state state;
	char name[PLUGIN_NAME_MAX + 8]; /* "10-logger"; then its parts */
	char base[PLUGIN_NAME_MAX], idx[3];
	bool preset;	     /* it was started for us: its name is given */
	char *conf;	     /* what Configure tells it, or NULL */
	uint64_t order;	     /* by index, then age */
	unsigned int events; /* bits by PLUGIN_EVENT */
	bool legacy;	     /* hears of events by StateChange only */
	int fd;
	struct event *readable, *writable, *timer, *reap;
	struct evbuffer *out;
	struct mux mux;
	struct ttrpc *client; /* to what it serves */
	struct ttrpc *server; /* for what it asks of us */
	struct mono registration;
	struct job *busy;	 /* whose answer is awaited */
	struct job_list waiting; /* for their turn */
	struct sync *sync;
	struct ask_list asks; /* of its own, under way */
	size_t nasks;
};

/* Takes fd and conf.  name NULL: the plugin tells its own. */
void plugin_new(struct nrid *n, int fd, const char *idx, const char *name,
    char *conf);
/* From anywhere: it is freed by the event loop. */
void plugin_drop(struct plugin *p, const char *why);
/* Its answers are awaited until the request timeout. */
int plugin_call(struct plugin *p, const char *method, const void *message,
    ttrpc_reply_fn fn, void *arg, struct cerr *err)
    __attribute__((warn_unused_result));
int plugin_call_bytes(struct plugin *p, const char *method,
    const uint8_t *payload, size_t len, ttrpc_reply_fn fn, void *arg,
    struct cerr *err) __attribute__((warn_unused_result));
/* The next in the order after order that wants the event; NULL: none. */
struct plugin *plugin_next(struct nrid *n, uint64_t order, Nri__Event event);
/* It said who it is. */
void plugin_name(struct plugin *p, const char *idx, const char *name);
void plugin_set_state(struct plugin *p, enum plugin_state state);

#endif
