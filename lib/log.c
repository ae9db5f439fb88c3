#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

#define LOG_LINE_MAX 2048
#define LOG_FACILITY 24 /* LOG_DAEMON: facility 3, times 8 (RFC 3164 4.1.1) */

static struct {
	const char *role;
	enum log_level level;
	enum log_format format;
} log_state = { "criod", LOG_LVL_INFO, LOG_FMT_TEXT };

static const struct {
	const char *name;
	int severity;
} log_levels[] = {
	[LOG_LVL_ERROR] = { "error", 3 },
	[LOG_LVL_WARN] = { "warn", 4 },
	[LOG_LVL_INFO] = { "info", 6 },
	[LOG_LVL_DEBUG] = { "debug", 7 },
};

void
log_init(const char *role)
{
	log_state.role = role;
	/* gmtime_r reads the zone file at its first call: not once confined. */
	tzset();
}

void
log_configure(enum log_level level, enum log_format format)
{
	log_state.level = level;
	log_state.format = format;
}

/* Escapes what could break the line or its JSON string; returns the length. */
static size_t
log_escape(char *dst, size_t size, const char *src)
{
	size_t n = 0;
	bool json = log_state.format == LOG_FMT_JSON;

	for (; *src != '\0' && n + 7 < size; src++) {
		unsigned char c = (unsigned char)*src;

		if (json && (c == '"' || c == '\\')) {
			dst[n++] = '\\';
			dst[n++] = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			n += (size_t)snprintf(dst + n, size - n,
			    json ? "\\u%04x" : "\\x%02x", c);
		} else
			dst[n++] = (char)c;
	}
	dst[n] = '\0';
	return n;
}

static int
log_prefix(char *line, size_t size, enum log_level level)
{
	char stamp[32];
	struct timespec now;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	switch (log_state.format) {
	case LOG_FMT_SYSLOG:
		return snprintf(line, size, "<%d>criod-%s[%d]: %s: ",
		    LOG_FACILITY + log_levels[level].severity, log_state.role,
		    (int)getpid(), log_levels[level].name);
	case LOG_FMT_JSON:
		return snprintf(line, size,
		    "{\"time\":\"%s.%03ldZ\",\"role\":\"%s\",\"pid\":%d,"
		    "\"level\":\"%s\",\"msg\":\"",
		    stamp, now.tv_nsec / 1000000, log_state.role, (int)getpid(),
		    log_levels[level].name);
	case LOG_FMT_TEXT:
	default:
		return snprintf(line, size, "%s.%03ldZ %s[%d]: %s: ", stamp,
		    now.tv_nsec / 1000000, log_state.role, (int)getpid(),
		    log_levels[level].name);
	}
}

static void __attribute__((format(printf, 3, 0)))
log_emit(enum log_level level, int num, const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX / 2], line[LOG_LINE_MAX];
	int saved = errno;
	size_t n, used;

	if (level > log_state.level)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	if (num != 0) {
		used = strlen(text);
		(void)snprintf(text + used, sizeof(text) - used, ": %s",
		    strerror(num));
	}
	n = (size_t)log_prefix(line, sizeof(line), level);
	n += log_escape(line + n, sizeof(line) - n - 4, text);
	if (log_state.format == LOG_FMT_JSON) {
		line[n++] = '"';
		line[n++] = '}';
	}
	if (log_state.format != LOG_FMT_SYSLOG)
		line[n++] = '\n';
	/* A log that cannot be written has nowhere to say so. */
	if (write(STDERR_FILENO, line, n) == -1)
		errno = 0;
	errno = saved;
}

#define LOG_BODY(level)                                                        \
	va_list ap;                                                            \
	va_start(ap, fmt);                                                     \
	log_emit(level, 0, fmt, ap);                                           \
	va_end(ap)

void
log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_LVL_DEBUG);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_LVL_INFO);
}

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_LVL_WARN);
}

void
log_error(const char *fmt, ...)
{
	LOG_BODY(LOG_LVL_ERROR);
}

void
fatal(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	log_emit(LOG_LVL_ERROR, saved, fmt, ap);
	va_end(ap);
	_exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_emit(LOG_LVL_ERROR, 0, fmt, ap);
	va_end(ap);
	_exit(1);
}
