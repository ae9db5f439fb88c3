#ifndef CRIOD_IMAGED_REGCONF_H
#define CRIOD_IMAGED_REGCONF_H

/*
 * What the configuration says of registries: criod.conf, registries.conf and
 * its drop-ins, directories of certificates and of hosts.toml.  Each comes as
 * it was read; all are parsed here, where nothing has privilege.
 */

#include <stdbool.h>
#include <stddef.h>

#include "imaged/hosts.h"
#include "imaged/trust.h"
#include "lib/cerr.h"

struct Criod__BootImaged;

#define REGCONF_REGISTRIES_MAX 2048
#define REGCONF_MIRRORS_MAX    16 /* of one registry */
#define REGCONF_SEARCH_MAX     16
#define REGCONF_ALIASES_MAX    4096

enum regconf_when {
	REGCONF_ALL = 0,
	REGCONF_DIGEST, /* references with a digest */
	REGCONF_TAG,	/* references without */
};

struct regconf_mirror {
	char *location; /* HOST[:PORT][/PATH] */
	bool insecure;
	enum regconf_when when;
};

struct regconf_registry {
	char *prefix;	/* HOST[:PORT][/PATH[:TAG]], or "*.DOMAIN" */
	char *location; /* what stands for prefix; NULL: itself */
	struct regconf_mirror mirrors[REGCONF_MIRRORS_MAX];
	size_t nmirrors;
	bool insecure, blocked;
	const char *origin;	  /* the file that says so; borrowed */
	struct trust trust;	  /* only criod.conf has any, and this: */
	const char *token_server; /* borrowed; NULL */
};

struct regconf_alias {
	char *name;  /* without tag and digest */
	char *image; /* likewise; "": it is none */
};

enum regconf_mode {
	REGCONF_ENFORCING = 0,
	REGCONF_PERMISSIVE,
	REGCONF_DISABLED,
};

/* Of a directory HOST[:PORT]; what is wrong with it stops that host alone. */
struct regconf_certs {
	char *host;
	struct trust trust;
	char *wrong; /* NULL */
};

struct regconf_hosts {
	char *host; /* "_default": of all others */
	struct hosts hosts;
	char *wrong; /* NULL */
};

struct regconf {
	unsigned int refs;
	char *wrong; /* why nothing can be pulled; NULL */
	struct regconf_registry *registries;
	size_t nregistries;
	char *search[REGCONF_SEARCH_MAX];
	size_t nsearch;
	bool search_said;	   /* if only that there are none */
	const char *search_origin; /* for errors; borrowed */
	enum regconf_mode mode;
	struct regconf_alias *aliases;
	size_t naliases;
	struct regconf_certs *certs;
	size_t ncerts;
	struct regconf_hosts *hosts;
	size_t nhosts;
};

/*
 * Never NULL; what is wrong is kept.  What b points to must outlive it, but for
 * files of directories.
 */
struct regconf *regconf_new(const struct Criod__BootImaged *b);
struct regconf *regconf_ref(struct regconf *rc); /* NULL is fine */
void regconf_unref(struct regconf *rc);		 /* likewise */
/* What stops the pulls from some host alone. */
void regconf_each_wrong(const struct regconf *rc,
    void (*fn)(void *arg, const char *why), void *arg);

/* For who fills it; the later replaces what has the same name. */
struct regconf_registry *regconf_registry(struct regconf *rc,
    const char *prefix, const char *origin, struct cerr *err);
/* NULL: what the reference says. */
int regconf_location(struct regconf_registry *r, const char *location,
    struct cerr *err) __attribute__((warn_unused_result));
int regconf_mirror(struct regconf_registry *r, const char *location,
    bool insecure, enum regconf_when when, struct cerr *err)
    __attribute__((warn_unused_result));
int regconf_alias(struct regconf *rc, const char *name, const char *image,
    struct cerr *err) __attribute__((warn_unused_result));
/* Forgets those that were said before. */
void regconf_search_clear(struct regconf *rc, const char *origin);
int regconf_search(struct regconf *rc, const char *host, struct cerr *err)
    __attribute__((warn_unused_result));

/* A registries.conf or drop-in.  INVALID_ARGUMENT, "NAME:LINE: ...". */
int regconf_read(struct regconf *rc, const char *name, const char *buf,
    size_t len, struct cerr *err) __attribute__((warn_unused_result));

/* What is known of a host; NULL if nothing is. */
const struct regconf_certs *regconf_find_certs(const struct regconf *rc,
    const char *host);
const struct regconf_hosts *regconf_find_hosts(const struct regconf *rc,
    const char *host);

#endif
