#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criodctl/logtail.h"

struct logtail {
	char *path;
	FILE *file;
	char *line;
	size_t size;
};

struct logtail *
logtail_new(const char *path)
{
	struct logtail *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->path = strdup(path);
	if (t->path == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void
logtail_free(struct logtail *t)
{
	if (t == NULL)
		return;
	if (t->file != NULL)
		(void)fclose(t->file);
	free(t->path);
	free(t->line);
	free(t);
}

/* line ends with a newline; len counts it. */
static void
logtail_print(const char *line, size_t len)
{
	const char *end = line + len;
	const char *stream = memchr(line, ' ', len), *tag, *text;
	FILE *out;

	if (stream == NULL)
		return;
	stream++;
	tag = memchr(stream, ' ', (size_t)(end - stream));
	if (tag == NULL)
		return;
	tag++;
	text = memchr(tag, ' ', (size_t)(end - tag));
	if (text == NULL)
		return;
	text++;
	out = strncmp(stream, "stderr ", 7) == 0 ? stderr : stdout;
	/* A partial line's newline is the log's, not the container's. */
	(void)fwrite(text, 1, (size_t)(end - text) - (*tag == 'P'), out);
	(void)fflush(out);
}

void
logtail_poll(struct logtail *t)
{
	if (t->file == NULL)
		t->file = fopen(t->path, "re");
	if (t->file == NULL)
		return;
	clearerr(t->file);
	for (;;) {
		ssize_t n;
		long at = ftell(t->file);

		n = getline(&t->line, &t->size, t->file);
		if (n <= 0)
			return;
		if (t->line[n - 1] != '\n') {
			/* The rest is still to come. */
			(void)fseek(t->file, at, SEEK_SET);
			return;
		}
		logtail_print(t->line, (size_t)n);
	}
}
