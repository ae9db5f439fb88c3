#ifndef CRIOD_LIB_LOG_H
#define CRIOD_LIB_LOG_H

/*
 * Log lines go to descriptor 2, whatever the parent put there: a terminal,
 * the journal, a file opened for append or a connected syslog socket.  No
 * role opens anything to log.  One line is one write(2).  Control bytes in
 * the text are written as \xNN, so that no client can forge a line.
 */

enum log_level {
	LOG_LVL_ERROR = 0,
	LOG_LVL_WARN = 1,
	LOG_LVL_INFO = 2,
	LOG_LVL_DEBUG = 3,
};

enum log_format {
	LOG_FMT_TEXT = 0,   /* "2026-01-02T03:04:05.678Z imaged[12]: warn: x" */
	LOG_FMT_SYSLOG = 1, /* RFC 3164, for a /dev/log datagram socket */
	LOG_FMT_JSON = 2,   /* one JSON object a line */
};

/* Borrows role, which must stay valid.  Level INFO, TEXT until set. */
void log_init(const char *role);
void log_configure(enum log_level level, enum log_format format);

void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Logs at error level and exits with status 1.  Only before READY, when
 * memory is gone or an invariant is broken.  fatal adds ": strerror" of
 * errno if it is not 0; fatalx does not.
 */
void fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));
void fatalx(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

#endif
