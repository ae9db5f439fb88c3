#ifndef CRIOD_IMSG_KEEP_H
#define CRIOD_IMSG_KEEP_H

/* What keeper has copies of; its directories.  In messages. */
enum keep_kind {
	KEEP_POD,
	KEEP_CTR,
	KEEP_KINDS,
};

/* Records that the front sends at most before it wants them synced. */
#define KEEP_BATCH 128

#endif
