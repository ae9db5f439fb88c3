#ifndef CRIOD_IMAGED_UNPACK_SPARSE_H
#define CRIOD_IMAGED_UNPACK_SPARSE_H

/* Where the pieces of a sparse file lie: GNU's old form, pax 0.1 and 1.0. */

#include "imaged/unpack_tar.h"

struct sparse {
	struct tar_segment *segments; /* owned by the caller, also on error */
	size_t n, room;
	uint64_t real_size;
};

/* The map itself may stand in the entry's data. */
struct sparse_source {
	tar_get_fn get;
	void *source;
	uint64_t *left; /* bytes of data not yet read */
};

/* b is the header; more of the map may follow it. */
int sparse_gnu(struct sparse *sp, const struct sparse_source *src,
    const uint8_t *b, struct cerr *err) __attribute__((warn_unused_result));
int sparse_pax_data(struct sparse *sp, const struct sparse_source *src,
    uint64_t real_size, struct cerr *err) __attribute__((warn_unused_result));
/* NULL or what is wrong. */
const char *sparse_pax_map(struct sparse *sp, const char *map,
    uint64_t real_size);

/* In order, within the file, and as long together as stored: else why not. */
const char *sparse_check(const struct sparse *sp, uint64_t stored);

#endif
