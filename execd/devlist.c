#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/devlist.h"
#include "lib/fdio.h"

static int
devlist_parse_line(struct devlist_entry *e, char *line)
{
	int at = 0;

	if (sscanf(line, "%c %9u %9u %6o %10u %10u %n", &e->type, &e->major,
		&e->minor, &e->mode, &e->uid, &e->gid, &at) != 6 ||
	    at == 0)
		return -1;
	e->path = line + at;
	if (strchr("bcp", e->type) == NULL || e->path[0] != '/')
		return -1;
	return 0;
}

int
devlist_parse(struct devlist *list, char *text, size_t len)
{
	char *line, *rest = text;

	*list = (struct devlist){ .text = text };
	if (len > DEVLIST_MAX || strlen(text) != len)
		goto fail;
	list->entries = calloc(DEVLIST_ENTRIES, sizeof(*list->entries));
	if (list->entries == NULL)
		goto fail;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		if (list->n >= DEVLIST_ENTRIES ||
		    devlist_parse_line(&list->entries[list->n++], line) == -1)
			goto fail;
	}
	return 0;
fail:
	devlist_clear(list);
	return -1;
}

int
devlist_read(struct devlist *list, int memfd, struct cerr *err)
{
	CLEANUP_FD int fd = memfd;
	uint8_t *text;
	size_t len;

	if (fdio_memfd_read(fd, DEVLIST_MAX, &text, &len) == -1)
		return cerr_errno(err, "list of devices");
	if (devlist_parse(list, (char *)text, len) == -1)
		return cerr_set(err, CERR_INTERNAL,
		    "list of devices: malformed");
	return 0;
}

void
devlist_clear(struct devlist *list)
{
	free(list->entries);
	free(list->text);
	*list = (struct devlist){ 0 };
}
