#ifndef CRIOD_EXECD_NRI_H
#define CRIOD_EXECD_NRI_H

/*
 * NRI plugins see the configuration of a container before it is made, and
 * may adjust it.  nrid, which speaks with them, is asked, and told of the
 * containers that there are when it starts.
 */

#include <jansson.h>

#include "execd/execd.h"

/* root is config.json's; fn as link_request's, for MSG_NRI_CREATED. */
void nri_ask(struct execd *x, const Criod__CtrCreate *request,
    const json_t *root, link_reply_fn fn, void *arg);

/* nrid is there, or back. */
void nri_announce(struct execd *x);

#endif
