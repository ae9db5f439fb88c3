#include <stdlib.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/pb.h"
#include "criod/stats.h"
#include "imsg/link.h"

/*
 * imaged says what images take.  Where writable layers are on a file system of
 * their own, a kubelet wants to know of that too: execd has counted them.
 */
struct fs_info {
	struct front *front;
	struct grpc_call *call;
	Runtime__V1__ImageFsInfoResponse *images;
	struct link *link; /* whom is asked */
	uint32_t request;
};

static void
fs_info_free(struct fs_info *f)
{
	pb_free(f->images);
	free(f);
}

static void
fs_info_fail(struct fs_info *f, const struct cerr *err)
{
	grpc_on_cancel(f->call, NULL, NULL);
	grpc_fail(f->call, err);
	fs_info_free(f);
}

static void
fs_info_left(void *arg)
{
	struct fs_info *f = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	link_cancel(f->link, f->request);
	grpc_fail(f->call, &err);
	fs_info_free(f);
}

static void
fs_info_layers(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct fs_info *f = arg;
	Runtime__V1__FilesystemUsage fs = RUNTIME__V1__FILESYSTEM_USAGE__INIT;
	Runtime__V1__FilesystemIdentifier id =
	    RUNTIME__V1__FILESYSTEM_IDENTIFIER__INIT;
	Runtime__V1__UInt64Value bytes = RUNTIME__V1__UINT64_VALUE__INIT;
	Runtime__V1__UInt64Value inodes = RUNTIME__V1__UINT64_VALUE__INIT;
	Runtime__V1__FilesystemUsage *list[] = { &fs };
	Runtime__V1__ImageFsInfoResponse resp =
	    RUNTIME__V1__IMAGE_FS_INFO_RESPONSE__INIT;
	const Criod__Stats *body;

	if (err != NULL) {
		fs_info_fail(f, err);
		return;
	}
	body = m->body;
	for (size_t i = 0; i < body->n_containers; i++) {
		const Runtime__V1__FilesystemUsage *u =
		    body->containers[i]->writable_layer;

		if (u == NULL || u->used_bytes == NULL ||
		    u->inodes_used == NULL)
			continue;
		bytes.value += u->used_bytes->value;
		inodes.value += u->inodes_used->value;
	}
	id.mountpoint = f->front->boot->container_directory;
	fs.timestamp = wall_now_ns();
	fs.fs_id = &id;
	fs.used_bytes = &bytes;
	fs.inodes_used = &inodes;
	resp.image_filesystems = f->images->image_filesystems;
	resp.n_image_filesystems = f->images->n_image_filesystems;
	resp.container_filesystems = list;
	resp.n_container_filesystems = 1;
	grpc_on_cancel(f->call, NULL, NULL);
	grpc_reply(f->call, &resp);
	fs_info_free(f);
}

static void
fs_info_ask_layers(struct fs_info *f)
{
	Criod__StatsGet get = CRIOD__STATS_GET__INIT;
	const struct ctr *c;

	get.layers = true;
	TAILQ_FOREACH(c, &f->front->ctrs, entry) {
		if (ctr_visible(c))
			stats_want_ctr(&get, c);
	}
	f->link = f->front->execd;
	f->request = link_request(f->link, MSG_STATS_GET, &get, NULL, 0,
	    mono_after_ms(FRONT_QUERY_MS), fs_info_layers, f);
	free(get.containers);
}

/* body is what images take. */
static void
fs_info_have(struct fs_info *f, const void *body)
{
	if (f->front->boot->split_disk) {
		f->images = pb_copy(body);
		fs_info_ask_layers(f);
	} else {
		grpc_on_cancel(f->call, NULL, NULL);
		grpc_reply(f->call, body);
		fs_info_free(f);
	}
}

static void
fs_info_images(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct fs_info *f = arg;

	if (err != NULL)
		fs_info_fail(f, err);
	else
		fs_info_have(f, m->body);
}

static void
fs_info_known(struct fs_info *f)
{
	Runtime__V1__ImageFsInfoResponse *fs = f->front->images.fs;

	for (size_t i = 0; i < fs->n_image_filesystems; i++)
		fs->image_filesystems[i]->timestamp = wall_now_ns();
	for (size_t i = 0; i < fs->n_container_filesystems; i++)
		fs->container_filesystems[i]->timestamp = wall_now_ns();
	fs_info_have(f, fs);
}

static void
fs_info_ask_images(struct fs_info *f)
{
	Criod__Empty none = CRIOD__EMPTY__INIT;

	f->link = f->front->imaged;
	f->request = link_request(f->link, MSG_IMG_FSINFO, &none, NULL, 0,
	    mono_after_ms(FRONT_QUERY_MS), fs_info_images, f);
}

void
image_handle_fs_info(void *ctx, struct grpc_call *call, const void *request_)
{
	struct fs_info *f = pb_calloc(1, sizeof(*f));

	(void)request_;
	f->front = ctx;
	f->call = call;
	grpc_on_cancel(call, fs_info_left, f);
	if (f->front->images.fs != NULL)
		fs_info_known(f);
	else
		fs_info_ask_images(f);
}
