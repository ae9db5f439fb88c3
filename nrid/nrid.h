#ifndef CRIOD_NRID_NRID_H
#define CRIOD_NRID_NRID_H

/*
 * nrid's state: it serves NRI plugins, and is asked by the front and execd.
 * What plugins send is parsed here, in a process that holds nothing.
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"
#include "nrid/known.h"
#include "proto/msg.pb-c.h"

struct event_base;
struct evconnlistener;
struct helper;
struct job;
struct link;
struct pballoc;
struct plugin;

TAILQ_HEAD(plugin_list, plugin);
TAILQ_HEAD(job_list, job);

#define NRID_LISTENERS_MAX 4
#define NRID_PLUGINS_MAX   32
#define NRID_JOBS_MAX	   4096
/* For an update of a container, which the front has done. */
#define NRID_UPDATE_MS 30000

struct nrid_listener {
	struct nrid *nrid;
	struct event *event;
	int fd;
};

struct nrid {
	struct helper *helper; /* first: see helper_link_lost */
	const Criod__BootNrid *boot;
	struct event_base *base;
	struct link *front, *execd;
	struct known known;
	bool told_front, told_execd; /* what there is was told */
	bool listing;		     /* the front is about to */
	struct nrid_listener listeners[NRID_LISTENERS_MAX];
	size_t nlisteners;
	struct plugin_list plugins; /* by order */
	size_t nplugins;
	uint32_t seq; /* of the newest plugin */
	/*
	 * A plugin is synchronized while no job is under way: jobs that come
	 * meanwhile are held, so that it misses nothing.  They are also held
	 * until the installed plugins are there, or their time is over.
	 */
	struct job_list held;
	size_t njobs;	 /* under way or held */
	size_t nactive;	 /* under way */
	size_t nsyncing; /* plugins that are being synchronized */
};

/*
 * What a plugin sent, checked and decoded into mem; NULL if it is malformed or
 * more than mem has room for.
 */
void *nrid_decode(struct pballoc *mem, const ProtobufCMessageDescriptor *desc,
    const uint8_t *buf, size_t len);

/* calloc that ends the process if there is no memory. */
void *nrid_alloc(size_t n, size_t size);

#endif
