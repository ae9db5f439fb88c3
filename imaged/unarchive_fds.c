#include <ctype.h>
#include <string.h>

#include "imaged/unarchive_fds.h"

#define FDS_COUNT 3

/* Of the names of pipes and of paths. */
static bool
fds_plain(char c)
{
	return isalnum((unsigned char)c) ||
	       (c != '\0' && strchr("/:[]()._ -", c) != NULL);
}

static bool
fds_char(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	(*p)++;
	return true;
}

static bool
fds_string(const char **p, const char *end)
{
	if (!fds_char(p, end, '"'))
		return false;
	while (*p != end && fds_plain(**p))
		(*p)++;
	return fds_char(p, end, '"');
}

bool
unarchive_fds_valid(const char *text, size_t len)
{
	const char *p = text, *end = text + len;

	for (int i = 0; i < FDS_COUNT; i++) {
		if (!fds_char(&p, end, i == 0 ? '[' : ',') ||
		    !fds_string(&p, end))
			return false;
	}
	return fds_char(&p, end, ']') && p == end;
}
