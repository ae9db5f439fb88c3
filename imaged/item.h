#ifndef CRIOD_IMAGED_ITEM_H
#define CRIOD_IMAGED_ITEM_H

/* What the store knows, as the CRI has it.  All is borrowed from the store. */

#include "imaged/store.h"
#include "proto/msg.pb-c.h"

#define ITEM_USER_MAX 256

struct item_image {
	Runtime__V1__Image image;
	Runtime__V1__Int64Value uid;
	char user[ITEM_USER_MAX];
};

void item_image_fill(struct item_image *it, const struct store_image *im);

struct item_fs {
	Runtime__V1__ImageFsInfoResponse body;
	Runtime__V1__FilesystemUsage fs, *all[1];
	Runtime__V1__FilesystemIdentifier id;
	Runtime__V1__UInt64Value bytes, inodes;
};

/* As of now. */
void item_fs_fill(struct item_fs *it, struct store *s);

/* protobuf-c's bodies are not const, but packing only reads them. */
char *item_str(const char *s);

#endif
