#ifndef CRIOD_NETD_CONF_H
#define CRIOD_NETD_CONF_H

/* One network configuration list (CNI specification, section 1). */

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

#include "lib/cerr.h"

#define CONF_SIZE_MAX	 (1024U * 1024)
#define CONF_PLUGINS_MAX 32

/* Immutable once made; shared by count. */
struct conf {
	unsigned int refs;
	json_t *doc; /* what the two below point into */
	const char *name;
	const char *version; /* the highest that both sides know */
	json_t *plugins;     /* array of objects, each with a valid type */
	bool disable_check, disable_gc;
};

/*
 * A list, or a single plugin's configuration, from outside.  what names it
 * in errors.  NULL with INVALID_ARGUMENT.
 */
struct conf *conf_parse(const char *what, const void *buf, size_t len,
    struct cerr *err) __attribute__((warn_unused_result));
/* The same of a document; takes doc, also on failure. */
struct conf *conf_from_json(const char *what, json_t *doc, struct cerr *err)
    __attribute__((warn_unused_result));

struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c); /* NULL is fine */

size_t conf_count(const struct conf *c);
const char *conf_type(const struct conf *c, size_t i);
/* The plugin that plugin i delegates addresses to; NULL if none. */
const char *conf_ipam(const struct conf *c, size_t i);
/* True if c speaks at least MAJOR.MINOR.0. */
bool conf_speaks(const struct conf *c, int major, int minor);

#endif
