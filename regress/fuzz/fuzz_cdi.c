#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/cdi.h"
#include "execd/cdi_list.h"
#include "lib/fdio.h"
#include "lib/json.h"
#include "lib/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz");
	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	return 0;
}

/* As the launcher sends it: the file, and one after it. */
static char *
fuzz_list(const uint8_t *data, size_t len, size_t *total)
{
	char *text = malloc(len + 128);
	int n;

	if (text == NULL)
		return NULL;
	n = sprintf(text, "%zu /d/a.json\n", len);
	memcpy(text + n, data, len);
	*total = (size_t)n + len;
	*total += (size_t)sprintf(text + *total, "\n! /d/b.yaml: no\n");
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct user user = { .uid = 1 };
	struct cdi_how how = { &user, true, (len & 1) != 0 };
	struct cdi c = { .wanted = json_pack("[s]", "a.com/b=x") };
	CLEANUP_FREE char *text = NULL;
	json_t *spec = json_pack("{s:{s:[s]}, s:[{s:s}]}", "process", "env",
	    "A=b", "mounts", "destination", "/usr");
	struct cerr err;
	size_t total;

	if (len <= CDI_FILE_MAX)
		text = fuzz_list(data, len, &total);
	if (text != NULL && spec != NULL && c.wanted != NULL &&
	    cdi_find(&c, text, total, &err) == 0)
		(void)(cdi_apply(&c, &how, spec, &err) == 0);
	json_decref(spec);
	cdi_clear(&c);
	/* A list of any form, too. */
	c = (struct cdi){ .wanted = json_pack("[s]", "a.com/b=x") };
	if (c.wanted != NULL)
		(void)(cdi_find(&c, (const char *)data, len, &err) == 0);
	cdi_clear(&c);
	return 0;
}
