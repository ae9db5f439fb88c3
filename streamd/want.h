#ifndef CRIOD_STREAMD_WANT_H
#define CRIOD_STREAMD_WANT_H

/* What a client may come for, as the front said. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WANT_ID_MAX    128
#define WANT_PORTS_MAX 64

enum want_kind {
	WANT_EXEC,
	WANT_ATTACH,
	WANT_PORT_FORWARD,
	WANT_NKINDS,
};

struct want {
	enum want_kind kind;
	uint64_t session;
	char id[WANT_ID_MAX]; /* of the container or pod, for the log */
	bool in, out, err, tty;
	uint16_t ports[WANT_PORTS_MAX];
	size_t nports;
};

#endif
