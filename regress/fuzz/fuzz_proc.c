/* Texts of /proc, and of a checkpoint, that the launcher's side reads. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ctr_flags.h"
#include "execd/launch_proc.h"
#include "execd/launch_restore.h"
#include "imaged/unarchive_fds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
mounts(const char *text)
{
	struct restore_mount m;
	struct cerr err;
	char *half = strdup(text), *sep = strchr(half, '\1');

	for (int i = 0; i < 8 && restore_mount_get(text, i, &m); i++)
		assert(strlen(m.at) < sizeof(m.at) &&
		       strlen(m.root) < sizeof(m.root));
	if (sep != NULL) {
		*sep = '\0';
		(void)!restore_mounts(half, sep + 1, &err);
	} else {
		(void)!restore_mounts(half, half, &err);
	}
	free(half);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct proc_status status;
	struct proc_stat stat;

	memcpy(text, data, size);
	text[size] = '\0';
	(void)!proc_stat_parse(text, &stat);
	(void)!proc_status_parse(text, &status);
	mounts(text);
	text = realloc(text, size == 0 ? 1 : size);
	(void)unarchive_fds_valid(text, size);
	free(text);
	return 0;
}
