#include <string.h>

#include "execd/monitor_line.h"

#define LINE_NS_PER_S  INT64_C(1000000000)
#define LINE_S_PER_DAY 86400

size_t
line_cut(const uint8_t *buf, size_t len, bool end, struct line_piece *piece)
{
	size_t look = len < LINE_MAX_TEXT + 1 ? len : LINE_MAX_TEXT + 1;
	const uint8_t *nl = look == 0 ? NULL : memchr(buf, '\n', look);

	*piece = (struct line_piece){ .text = buf, .full = true };
	if (nl != NULL) {
		piece->len = (size_t)(nl - buf) + 1;
		piece->has_nl = true;
	} else if (len >= LINE_MAX_TEXT) {
		piece->len = LINE_MAX_TEXT;
		piece->full = end && len == LINE_MAX_TEXT;
	} else if (end)
		piece->len = len;
	return piece->len;
}

static char *
line_digits(char *p, int64_t value, int width)
{
	for (int i = width - 1; i >= 0; i--, value /= 10)
		p[i] = (char)('0' + value % 10);
	return p + width;
}

/*
 * The civil date of a day since 1970-01-01: eras of 400 years counted from 1
 * March 0000, so that the leap day ends a year.
 */
static char *
line_date(char *p, int64_t days)
{
	int64_t z = days + 719468; /* days from 0000-03-01 to 1970-01-01 */
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153; /* 0: March */
	int64_t month = mp < 10 ? mp + 3 : mp - 9;

	p = line_digits(p, yoe + era * 400 + (month <= 2 ? 1 : 0), 4);
	*p++ = '-';
	p = line_digits(p, month, 2);
	*p++ = '-';
	return line_digits(p, doy - (153 * mp + 2) / 5 + 1, 2);
}

static char *
line_time(char *p, int64_t second)
{
	p = line_digits(p, second / 3600, 2);
	*p++ = ':';
	p = line_digits(p, second / 60 % 60, 2);
	*p++ = ':';
	return line_digits(p, second % 60, 2);
}

void
line_prefix(char out[LINE_PREFIX_SIZE], int64_t wall_ns, const char *stream,
    bool full)
{
	int64_t ns = wall_ns < 0 ? 0 : wall_ns;
	int64_t second = ns / LINE_NS_PER_S;
	char *p = line_date(out, second / LINE_S_PER_DAY);

	*p++ = 'T';
	p = line_time(p, second % LINE_S_PER_DAY);
	*p++ = '.';
	p = line_digits(p, ns % LINE_NS_PER_S, 9);
	memcpy(p, "Z ", 2);
	memcpy(p + 2, stream, 6);
	memcpy(p + 8, full ? " F " : " P ", 4);
}
