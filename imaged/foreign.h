#ifndef CRIOD_IMAGED_FOREIGN_H
#define CRIOD_IMAGED_FOREIGN_H

/*
 * Foreign (non-distributable) layers: their descriptors name URLs.  Which are
 * asked, and for whose images, is criod.conf's to say.
 */

#include <stddef.h>

#include "imaged/manifest.h"
#include "imaged/ref.h"
#include "lib/cerr.h"

#define FOREIGN_URLS_MAX 16 /* of one layer that are looked at */
#define FOREIGN_URL_MAX	 2048

/* REGISTRY[/PATH]=URL, or *=URL; borrowed. */
struct foreign_rules {
	const char *const *rules;
	size_t n;
};

/*
 * For each foreign layer of m, which buf is, the first of its URLs that a rule
 * allows for ref, to be freed; NULL for the others.  FAILED_PRECONDITION if
 * there is none for one of them; urls are all NULL then.
 */
int foreign_choose(const struct foreign_rules *f, const struct ref *ref,
    const struct manifest *m, const void *buf, size_t len,
    char *urls[MANIFEST_LAYERS_MAX], struct cerr *err)
    __attribute__((warn_unused_result));
void foreign_free(char *urls[MANIFEST_LAYERS_MAX]);

#endif
