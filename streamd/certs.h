#ifndef CRIOD_STREAMD_CERTS_H
#define CRIOD_STREAMD_CERTS_H

/*
 * The files that TLS needs, as the parent passes them one by one: at the
 * start and again at each reload.  They take effect together.
 */

#include <stdbool.h>

#include "lib/cerr.h"

struct tls;

enum certs_kind {
	CERTS_CERT,
	CERTS_KEY,
	CERTS_CA,
	CERTS_NKINDS,
};

struct certs;

/* Never NULL (fatal). */
struct certs *certs_new(bool client_ca);
/*
 * Reads fd (borrowed).  When all files of a round have come: 1, with a new
 * context that the caller owns in *tls; 0 before that; -1 with err if they are
 * of no use, and the next round begins.
 */
int certs_take(struct certs *c, enum certs_kind kind, int fd, struct tls **tls,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
