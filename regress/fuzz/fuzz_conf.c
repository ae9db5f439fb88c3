#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/conf.h"
#include "parent/conf_parse.h"

/* Every include leads to the same few lines, with another include. */
static int
fuzz_read(const char *path, char **buf, size_t *len, struct cerr *err)
{
	static const char text[] = "x = $x\ninclude \"y\"\nlog to $x";

	(void)path;
	(void)err;
	*buf = strdup(text);
	*len = sizeof(text) - 1;
	return *buf == NULL ? -1 : 0;
}

static void
fuzz_report(void *arg, const char *line)
{
	*(size_t *)arg += strlen(line);
}

static char *
fuzz_print(const struct conf *c)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	conf_print(out, c);
	fclose(out);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses is printed, parses again, and prints the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t told = 0;
	struct conf_source src = { fuzz_read, fuzz_report, &told, NULL };
	struct conf *c = conf_new(), *again = conf_new();
	char *first, *second;

	if (conf_parse(c, "dir/fuzz", (const char *)data, size, &src) == 0) {
		first = fuzz_print(c);
		if (conf_parse(again, "again", first, strlen(first), &src) ==
		    -1)
			abort();
		second = fuzz_print(again);
		if (strcmp(first, second) != 0)
			abort();
		free(first);
		free(second);
	}
	conf_free(c);
	conf_free(again);
	return 0;
}
