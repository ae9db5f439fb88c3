#ifndef CRIOD_IMAGED_ADMIN_H
#define CRIOD_IMAGED_ADMIN_H

/*
 * What criodctl asks of the store: IMG_DETAILS and IMG_READ.  Both are
 * link_handler_fn, whose ctx must begin like struct images_ctx.
 */

#include "imsg/link.h"

void admin_details(void *ctx, struct link_call *call, struct link_msg *m);
void admin_read(void *ctx, struct link_call *call, struct link_msg *m);

#endif
