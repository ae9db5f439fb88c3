#ifndef CRIOD_IMAGED_IMAGES_H
#define CRIOD_IMAGED_IMAGES_H

/*
 * The requests that the store answers: IMG_LIST, IMG_STATUS, IMG_REMOVE and
 * IMG_FSINFO of front, LEASE_GET, LEASE_PUT and LEASE_HAVE of execd.  All are
 * link_handler_fn, whose ctx must begin like struct images_ctx.
 */

#include "imsg/link.h"

struct helper;
struct regconf;
struct store;
struct judge;

struct images_ctx {
	struct helper *helper;
	struct store *store;
	const struct regconf *registries; /* what short names mean */
	struct judge *judge;
};

void images_list(void *ctx, struct link_call *call, struct link_msg *m);
void images_status(void *ctx, struct link_call *call, struct link_msg *m);
void images_remove(void *ctx, struct link_call *call, struct link_msg *m);
void images_fsinfo(void *ctx, struct link_call *call, struct link_msg *m);
void images_lease_get(void *ctx, struct link_call *call, struct link_msg *m);
void images_lease_put(void *ctx, struct link_call *call, struct link_msg *m);
void images_lease_have(void *ctx, struct link_call *call, struct link_msg *m);

struct store_image;

/* A name in whatever form a client writes it, or an id. */
const struct store_image *images_find(const struct images_ctx *c,
    const char *what);

/* execd's link got its socket (helper_def.attached). */
void images_execd_attached(void *ctx);

#endif
