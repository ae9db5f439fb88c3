#include <string.h>

#include "lib/pattern.h"

bool
pattern_match(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	if (len > 1 && pattern[0] == '*' && pattern[len - 1] == '*')
		return len == 2 ||
		       memmem(name, strlen(name), pattern + 1, len - 2) != NULL;
	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(name, pattern, len - 1) == 0;
	return strcmp(name, pattern) == 0;
}
