#include <string.h>

#include "imaged/imgconf.h"
#include "imaged/item.h"
#include "lib/mono.h"

char *
item_str(const char *s)
{
	char *p;

	memcpy(&p, &s, sizeof(p));
	return p;
}

static char **
item_strs(const char *const *s)
{
	char **p;

	memcpy(&p, &s, sizeof(p));
	return p;
}

/*
 * A user that is neither number nor name goes out as it is: a kubelet that
 * wants proof of a user other than root then finds none.
 */
static void
item_image_user(struct item_image *it, const char *user)
{
	uint32_t uid;

	switch (imgconf_user_parse(user, &uid, it->user, sizeof(it->user))) {
	case IMGCONF_USER_UID:
		it->uid.value = uid;
		it->image.uid = &it->uid;
		break;
	case IMGCONF_USER_NAME:
		it->image.username = it->user;
		break;
	case IMGCONF_USER_BAD:
		it->image.username = item_str(user);
		break;
	case IMGCONF_USER_NONE:
	default:
		break;
	}
}

void
item_image_fill(struct item_image *it, const struct store_image *im)
{
	runtime__v1__image__init(&it->image);
	runtime__v1__int64_value__init(&it->uid);
	it->image.id = item_str(im->id);
	it->image.repo_tags = item_strs(im->tags);
	it->image.n_repo_tags = im->ntags;
	it->image.repo_digests = item_strs(im->digests);
	it->image.n_repo_digests = im->ndigests;
	it->image.size = im->size;
	it->image.pinned = im->pinned;
	item_image_user(it, im->user);
}

void
item_fs_fill(struct item_fs *it, struct store *s)
{
	struct store_usage usage;

	store_usage(s, &usage);
	runtime__v1__image_fs_info_response__init(&it->body);
	runtime__v1__filesystem_usage__init(&it->fs);
	runtime__v1__filesystem_identifier__init(&it->id);
	runtime__v1__uint64_value__init(&it->bytes);
	runtime__v1__uint64_value__init(&it->inodes);
	it->id.mountpoint = item_str(usage.directory);
	it->bytes.value = usage.bytes;
	it->inodes.value = usage.inodes;
	it->fs.timestamp = wall_now_ns();
	it->fs.fs_id = &it->id;
	it->fs.used_bytes = &it->bytes;
	it->fs.inodes_used = &it->inodes;
	/* The same twice: a kubelet takes different ones for a split disk. */
	it->all[0] = &it->fs;
	it->body.image_filesystems = it->all;
	it->body.n_image_filesystems = 1;
	it->body.container_filesystems = it->all;
	it->body.n_container_filesystems = 1;
}
