#ifndef CRIOD_IMAGED_UNPACK_PATH_H
#define CRIOD_IMAGED_UNPACK_PATH_H

/*
 * The names in a layer: bytes, of no character set, that may mean harm.
 */

#include <stddef.h>

#include "lib/cerr.h"

#define UNPACK_PATH_MAX	     4096 /* NUL included, as in the kernel */
#define UNPACK_COMPONENT_MAX 255

enum unpack_name {
	UNPACK_NAME_PLAIN,    /* an object of the layer */
	UNPACK_NAME_WHITEOUT, /* hides target, a name in the same directory */
	UNPACK_NAME_OPAQUE,   /* hides what lower layers have in parent */
	UNPACK_NAME_IGNORED,  /* aufs's own bookkeeping */
};

struct unpack_path {
	enum unpack_name kind;
	/* Relative to the layer, without "." and empty components; "" is the
	 * layer's root itself. */
	char full[UNPACK_PATH_MAX];
	const char *base;   /* the last component, in full */
	size_t parent_len;  /* bytes of full before base and its slash */
	const char *target; /* of a whiteout: in full */
};

/*
 * An entry's name.  Leading slashes are dropped.  INVALID_ARGUMENT for a ".."
 * component, for what is too long, and for a whiteout that names nothing or
 * stands in the middle of a path.
 */
int unpack_path_parse(const char *name, struct unpack_path *p, struct cerr *err)
    __attribute__((warn_unused_result));

/* name for an error's text: printable ASCII, at most size - 1 bytes. */
const char *unpack_path_print(const char *name, char *buf, size_t size);

#endif
