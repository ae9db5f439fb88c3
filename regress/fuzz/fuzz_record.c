/* A file of state, as it may be found after a crash: as it is, and with a
 * header that fits, as a pod's network. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/log.h"
#include "lib/record.h"
#include "netd/cache.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define POD "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int dir = -1;
static char dirname[] = "/dev/shm/fuzz_record.XXXXXX";

static void
fuzz_clean(void)
{
	(void)unlinkat(dir, POD, 0);
	(void)rmdir(dirname);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz");
	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	json_init();
	if (mkdtemp(dirname) == NULL)
		abort();
	dir = open(dirname, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)atexit(fuzz_clean);
	return 0;
}

static void
fuzz_put(const uint8_t *header, const uint8_t *data, size_t size)
{
	int fd =
	    openat(dir, POD, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd == -1 ||
	    (header != NULL &&
		write(fd, header, RECORD_HEADER) != RECORD_HEADER) ||
	    write(fd, data, size) != (ssize_t)size)
		abort();
	(void)close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t header[RECORD_HEADER], *buf;
	struct attachment *a;
	struct cerr err;
	size_t len;

	fuzz_put(NULL, data, size);
	if (record_read(dir, POD, POD, &buf, &len, &err) == 0) {
		if (len + RECORD_HEADER != size ||
		    memcmp(buf, data + RECORD_HEADER, len) != 0)
			abort();
		free(buf);
	}
	record_header(header, POD, data, size);
	fuzz_put(header, data, size);
	a = cache_read(dir, POD, &err);
	if (a != NULL) {
		if (cache_write(dir, a, false, &err) == -1)
			abort();
		attachment_free(a);
	}
	return 0;
}
