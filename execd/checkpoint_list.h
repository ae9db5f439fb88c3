#ifndef CRIOD_EXECD_CHECKPOINT_LIST_H
#define CRIOD_EXECD_CHECKPOINT_LIST_H

/*
 * What the file of L_CHECKPOINT holds: one of these for each container, then
 * the texts of config.dump and spec.dump of each, in the same order.
 */

#include <stdint.h>

#include "lib/id.h"

#define CHECKPOINT_MAX	    64
#define CHECKPOINT_NAME_MAX 256
#define CHECKPOINT_LIST_MAX (64U * 1024 * 1024)

/* What the launcher knows of CRIU. */
enum launch_criu {
	LAUNCH_CRIU_OFF, /* it is not to be used */
	LAUNCH_CRIU_WORKS,
	LAUNCH_CRIU_ABSENT,
	LAUNCH_CRIU_FAILS, /* "criu check" does, on this kernel */
};

struct checkpoint_item {
	char ctr[ID_SIZE];
	char file[CHECKPOINT_NAME_MAX]; /* of the archive; ends with NUL */
	uint32_t runtime;
	uint32_t config_len, spec_len;
};

#endif
