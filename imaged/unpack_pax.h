#ifndef CRIOD_IMAGED_UNPACK_PAX_H
#define CRIOD_IMAGED_UNPACK_PAX_H

/* The parts of a tar that are text: pax records, numbers, sparse maps. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/unpack_tar.h"

/* What an extended header said.  Strings point into its buffer. */
struct pax {
	const char *path, *link; /* NULL: not said */
	bool has_size, has_uid, has_gid, has_mtime;
	uint64_t size;
	uint32_t uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
	struct tar_xattr xattrs[TAR_XATTRS_MAX];
	size_t nxattrs;
	/* GNU sparse, 0.1 and 1.0 */
	const char *sparse_name, *sparse_map;
	bool sparse_in_data; /* 1.0: the map stands before the data */
	bool has_real_size;
	uint64_t real_size;
};

/*
 * Reads records from buf, which is changed (names and values get their NUL) and
 * must have one byte behind len.  What *p had before stays unless said again.
 * NULL, or what is wrong: a constant string.
 */
const char *pax_parse(struct pax *p, uint8_t *buf, size_t len);

/*
 * A field of a header: octal, blanks around, or base-256.  -1 if it is not one,
 * is negative or does not fit.
 */
int pax_field(const uint8_t *field, size_t size, uint64_t *value)
    __attribute__((warn_unused_result));
/* The same for times, which may be negative in base-256. */
int pax_field_time(const uint8_t *field, size_t size, int64_t *value)
    __attribute__((warn_unused_result));

/* Decimal digits only, all of s. */
int pax_decimal(const char *s, uint64_t *value)
    __attribute__((warn_unused_result));

/* Reads decimal digits at *s up to, and over, one stop character or the end. */
int pax_number(const char **s, char stop, uint64_t *value)
    __attribute__((warn_unused_result));

#endif
