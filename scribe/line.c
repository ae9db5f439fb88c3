#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "scribe/line.h"

#define LINE_SPARE 256 /* for numbers, which come first, and the end */

static void __attribute__((format(printf, 2, 3)))
line_put(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(l->text) - l->len)
		l->len += (size_t)n;
	else
		l->cut = true;
}

void
line_begin(struct line *l, const char *event, const char *by)
{
	char stamp[32];
	struct timespec now;
	struct tm tm;

	l->len = 0;
	l->cut = false;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	line_put(l, "{\"time\":\"%s.%06ldZ\",\"event\":\"%s\",\"by\":\"%s\"",
	    stamp, now.tv_nsec / 1000, event, by);
}

/* How long the UTF-8 sequence at s is; 0: it is none (RFC 3629). */
static size_t
line_sequence(const unsigned char *s)
{
	static const struct {
		unsigned char first, last; /* of the first byte */
		unsigned char low, high;   /* of the second */
		size_t len;
	} kinds[] = {
		{ 0x00, 0x7f, 0, 0, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i = 0, n = 1;

	while (i < sizeof(kinds) / sizeof(kinds[0]) &&
	       (s[0] < kinds[i].first || s[0] > kinds[i].last))
		i++;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return 0;
	if (kinds[i].len > 1 && (s[1] < kinds[i].low || s[1] > kinds[i].high))
		return 0;
	for (n = 2; n < kinds[i].len; n++) {
		if (s[n] < 0x80 || s[n] > 0xbf)
			return 0;
	}
	return kinds[i].len;
}

/* One character, escaped if need be; how many bytes of s it was. */
static size_t
line_char(struct line *l, const unsigned char *s)
{
	size_t n = line_sequence(s);

	if (n == 0) {
		line_put(l, "\\ufffd");
		return 1;
	}
	if (*s == '"' || *s == '\\')
		line_put(l, "\\%c", *s);
	else if (*s < 0x20 || *s == 0x7f)
		line_put(l, "\\u%04x", *s);
	else
		line_put(l, "%.*s", (int)n, (const char *)s);
	return n;
}

void
line_string(struct line *l, const char *name, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;

	if (value[0] == '\0')
		return;
	if (l->len + LINE_SPARE > LINE_MAX_BYTES) {
		l->cut = true;
		return;
	}
	line_put(l, ",\"%s\":\"", name);
	while (*s != '\0' && l->len + LINE_SPARE / 2 < LINE_MAX_BYTES)
		s += line_char(l, s);
	l->cut = l->cut || *s != '\0';
	line_put(l, "\"");
}

void
line_number(struct line *l, const char *name, uint64_t value)
{
	line_put(l, ",\"%s\":%" PRIu64, name, value);
}

void
line_millis(struct line *l, const char *name, uint64_t us)
{
	line_put(l, ",\"%s\":%" PRIu64 ".%03" PRIu64, name, us / 1000,
	    us % 1000);
}

void
line_true(struct line *l, const char *name)
{
	line_put(l, ",\"%s\":true", name);
}

void
line_end(struct line *l)
{
	if (l->cut)
		line_true(l, "cut");
	line_put(l, "}\n");
}
