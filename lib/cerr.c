#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/cerr.h"

static const char *const cerr_names[] = {
	[CERR_OK] = "OK",
	[CERR_CANCELLED] = "CANCELLED",
	[CERR_UNKNOWN] = "UNKNOWN",
	[CERR_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
	[CERR_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
	[CERR_NOT_FOUND] = "NOT_FOUND",
	[CERR_ALREADY_EXISTS] = "ALREADY_EXISTS",
	[CERR_PERMISSION_DENIED] = "PERMISSION_DENIED",
	[CERR_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
	[CERR_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
	[CERR_ABORTED] = "ABORTED",
	[CERR_OUT_OF_RANGE] = "OUT_OF_RANGE",
	[CERR_UNIMPLEMENTED] = "UNIMPLEMENTED",
	[CERR_INTERNAL] = "INTERNAL",
	[CERR_UNAVAILABLE] = "UNAVAILABLE",
	[CERR_DATA_LOSS] = "DATA_LOSS",
	[CERR_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

#define CERR_NCODES (sizeof(cerr_names) / sizeof(cerr_names[0]))

static enum cerr_code
cerr_from_errno(int num)
{
	switch (num) {
	case ENOSPC:
	case EDQUOT:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN: /* no process can be had */
		return CERR_RESOURCE_EXHAUSTED;
	default:
		return CERR_INTERNAL;
	}
}

static void
cerr_one_line(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	}
}

int
cerr_set(struct cerr *err, enum cerr_code code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return -1;
	err->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	cerr_one_line(err->text);
	return -1;
}

int
cerr_errno(struct cerr *err, const char *fmt, ...)
{
	int saved = errno;
	size_t used;
	va_list ap;

	if (err == NULL)
		return -1;
	err->code = cerr_from_errno(saved);
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s",
	    strerror(saved));
	cerr_one_line(err->text);
	errno = saved;
	return -1;
}

const char *
cerr_name(enum cerr_code code)
{
	return cerr_names[cerr_code_from((unsigned int)code)];
}

enum cerr_code
cerr_code_from(unsigned int number)
{
	return number < CERR_NCODES ? (enum cerr_code)number : CERR_UNKNOWN;
}
