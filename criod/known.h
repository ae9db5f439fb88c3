#ifndef CRIOD_CRIOD_KNOWN_H
#define CRIOD_CRIOD_KNOWN_H

/*
 * The images, and what they take, as imaged told last (IMG_NEWS).  What is
 * known outlives imaged: a new one tells everything again.
 */

#include <stdbool.h>
#include <stddef.h>

#include "imsg/link.h"
#include "proto/msg.pb-c.h"

struct known {
	Runtime__V1__Image **images; /* in order of id */
	size_t n, room;
	size_t bytes;			      /* of images, packed */
	bool complete;			      /* else imaged must be asked */
	Runtime__V1__ImageFsInfoResponse *fs; /* NULL: imaged must be asked */
};

/* More than this, packed, is not kept. */
#define KNOWN_BYTES_MAX (64U * 1024 * 1024)

/* A link_handler_fn of the front. */
void known_handle_news(void *ctx, struct link_call *call, struct link_msg *m);

/* For units: what the above does, and forgetting everything. */
void known_take(struct known *k, const Criod__ImgNews *news);
void known_forget(struct known *k);

#endif
