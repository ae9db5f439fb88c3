#ifndef CRIOD_EXECD_MONITOR_LINE_H
#define CRIOD_EXECD_MONITOR_LINE_H

/*
 * A container's output, cut into the lines of a CRI log:
 *
 *	2026-01-02T03:04:05.678901234Z stdout F text
 *
 * P says that the next piece of the stream continues this line, F that this
 * piece ends it.  A line is cut into P pieces of LINE_MAX_TEXT bytes.  What a
 * stream leaves unended at its end is F, because nothing will follow it:
 * whoever joins pieces would otherwise wait for ever.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MAX_TEXT 8192
/* "2026-01-02T03:04:05.678901234Z stdout F ", with the NUL. */
#define LINE_PREFIX_SIZE 41

struct line_piece {
	const uint8_t *text;
	size_t len; /* the newline included, if has_nl */
	bool full;  /* F, not P */
	bool has_nl;
};

/*
 * The first piece of buf.  Returns how many bytes it takes; 0 if nothing can
 * be cut yet.  end: nothing will follow buf.
 */
size_t line_cut(const uint8_t *buf, size_t len, bool end,
    struct line_piece *piece);

/* stream is "stdout" or "stderr". */
void line_prefix(char out[LINE_PREFIX_SIZE], int64_t wall_ns,
    const char *stream, bool full);

#endif
