#ifndef CRIOD_LIB_CERR_H
#define CRIOD_LIB_CERR_H

/*
 * The error that travels from where a cause is known to the CRI client.
 *
 * Codes are the gRPC status codes (gRPC's doc/statuscodes.md), so that one
 * meaning holds in every process.  The text is set once, by the function
 * that knows the cause, and is shown to the client as it is.
 */

#include <stdbool.h>

enum cerr_code {
	CERR_OK = 0,
	CERR_CANCELLED = 1,
	CERR_UNKNOWN = 2,
	CERR_INVALID_ARGUMENT = 3,
	CERR_DEADLINE_EXCEEDED = 4,
	CERR_NOT_FOUND = 5,
	CERR_ALREADY_EXISTS = 6,
	CERR_PERMISSION_DENIED = 7,
	CERR_RESOURCE_EXHAUSTED = 8,
	CERR_FAILED_PRECONDITION = 9,
	CERR_ABORTED = 10,
	CERR_OUT_OF_RANGE = 11,
	CERR_UNIMPLEMENTED = 12,
	CERR_INTERNAL = 13,
	CERR_UNAVAILABLE = 14,
	CERR_DATA_LOSS = 15,
	CERR_UNAUTHENTICATED = 16,
};

#define CERR_TEXT_MAX 1024 /* bytes, the final NUL included */

struct cerr {
	enum cerr_code code;
	char text[CERR_TEXT_MAX];
};

/*
 * Both set *err (which may be NULL: the caller does not care) and return -1,
 * so that "return cerr_set(...)" is the whole error path.  cerr_errno adds
 * ": strerror" of errno and takes the code from it: ENOSPC, EDQUOT, EMFILE,
 * ENFILE, ENOMEM and EAGAIN are RESOURCE_EXHAUSTED, all else INTERNAL.
 * Text longer than CERR_TEXT_MAX is cut, and what would be more than one line
 * or speak to a terminal (control characters) is '?': texts quote what clients
 * and registries send.
 */
int cerr_set(struct cerr *err, enum cerr_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int cerr_errno(struct cerr *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The code's gRPC name ("NOT_FOUND"); "UNKNOWN" for a number out of range. */
const char *cerr_name(enum cerr_code code);

/* Makes any number from a peer a valid code (UNKNOWN if out of range). */
enum cerr_code cerr_code_from(unsigned int number);

#endif
