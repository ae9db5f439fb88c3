#include "criod/check.h"
#include "criod/forward.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/known.h"
#include "criod/methods.h"
#include "criod/stream_list.h"
#include "proto/cri.pb-c.h"

/*
 * Image calls are imaged's: the front checks their form and passes them.  Lists
 * of all images are answered from what imaged told, whatever it does now.
 */

static bool
image_wants_all(const Runtime__V1__ImageFilter *f)
{
	return f == NULL || f->image == NULL ||
	       runtime__v1__image_spec__get_packed_size(f->image) == 0;
}

static void
image_reply_known(struct grpc_call *call, const struct known *k)
{
	Runtime__V1__ListImagesResponse resp =
	    RUNTIME__V1__LIST_IMAGES_RESPONSE__INIT;

	resp.images = k->images;
	resp.n_images = k->n;
	grpc_reply(call, &resp);
}

void
image_handle_list(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ListImagesRequest *r = request_;
	struct front *front = ctx;
	struct cerr err;

	if (check_image_filter(r->filter, &err) == -1)
		grpc_fail(call, &err);
	else if (image_wants_all(r->filter) && front->images.complete)
		image_reply_known(call, &front->images);
	else
		forward_call(call, front->imaged, MSG_IMG_LIST, r,
		    FRONT_QUERY_MS, forward_same);
}

static void
image_stream(struct grpc_call *call, const void *body)
{
	const Runtime__V1__ListImagesResponse *m = body;

	stream_list_items(call, (void *const *)m->images, m->n_images);
}

void
image_handle_stream(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__StreamImagesRequest *r = request_;
	Runtime__V1__ListImagesRequest list =
	    RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
	struct front *front = ctx;
	struct cerr err;

	list.filter = r->filter;
	if (check_image_filter(r->filter, &err) == -1)
		grpc_fail(call, &err);
	else if (image_wants_all(r->filter) && front->images.complete)
		stream_list_items(call, (void *const *)front->images.images,
		    front->images.n);
	else
		forward_call(call, front->imaged, MSG_IMG_LIST, &list,
		    FRONT_QUERY_MS, image_stream);
}

void
image_handle_status(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__ImageStatusRequest *r = request_;
	struct front *front = ctx;
	struct cerr err;

	if (check_image(r->image, "image", &err) == -1)
		grpc_fail(call, &err);
	else
		forward_call(call, front->imaged, MSG_IMG_STATUS, r,
		    FRONT_QUERY_MS, forward_same);
}

/* No deadline but the client's own: a pull lasts as long as it moves. */
void
image_handle_pull(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__PullImageRequest *r = request_;
	Runtime__V1__PullImageRequest pull =
	    RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;
	Runtime__V1__PodSandboxConfig config =
	    RUNTIME__V1__POD_SANDBOX_CONFIG__INIT;
	struct front *front = ctx;
	struct cerr err;

	if (check_pull(r, &err) == -1) {
		grpc_fail(call, &err);
		return;
	}
	pull.image = r->image;
	pull.auth = r->auth;
	if (r->sandbox_config != NULL) {
		config.metadata = r->sandbox_config->metadata;
		pull.sandbox_config = &config;
	}
	forward_call(call, front->imaged, MSG_IMG_PULL, &pull, 0, forward_same);
}

static void
image_removed(struct grpc_call *call, const void *body)
{
	Runtime__V1__RemoveImageResponse resp =
	    RUNTIME__V1__REMOVE_IMAGE_RESPONSE__INIT;

	(void)body;
	grpc_reply(call, &resp);
}

void
image_handle_remove(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__RemoveImageRequest *r = request_;
	struct front *front = ctx;
	struct cerr err;

	if (check_image(r->image, "image", &err) == -1)
		grpc_fail(call, &err);
	else
		forward_call(call, front->imaged, MSG_IMG_REMOVE, r,
		    FRONT_CTR_MS, image_removed);
}
