#ifndef CRIOD_SCRIBE_LINE_H
#define CRIOD_SCRIBE_LINE_H

/*
 * One record of the audit log as a line of JSON.  A line is never longer than
 * what a pipe takes whole; strings that do not fit are cut, and "cut" says so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MAX_BYTES 4000 /* less than PIPE_BUF, with a prefix */

struct line {
	char text[LINE_MAX_BYTES + 1];
	size_t len;
	bool cut;
};

/* Begins with the time, what happened, and who says so. */
void line_begin(struct line *l, const char *event, const char *by);
/* Left out if value is "".  Whatever is not UTF-8 becomes U+FFFD. */
void line_string(struct line *l, const char *name, const char *value);
void line_number(struct line *l, const char *name, uint64_t value);
void line_millis(struct line *l, const char *name, uint64_t us);
void line_true(struct line *l, const char *name);
/* Ends it with a newline. */
void line_end(struct line *l);

#endif
