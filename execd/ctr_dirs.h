#ifndef CRIOD_EXECD_CTR_DIRS_H
#define CRIOD_EXECD_CTR_DIRS_H

/*
 * What L_CTR_DIRS_ARE brings: names of directories in CONTAINER that look
 * like a container's, each followed by a newline; the first so many.
 */

#include "lib/id.h"

#define CTR_DIRS_MAX   16384U
#define CTR_DIRS_BYTES ((size_t)CTR_DIRS_MAX * ID_SIZE)

#endif
