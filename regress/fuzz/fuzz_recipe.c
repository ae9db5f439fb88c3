/* A layer's recipe, damaged on disk; its frame is whole, or nothing would get
 * past the sum. */
#include <sys/mman.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#include "imaged/recipe.h"
#include "imaged/repack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t made;

static int
fuzz_put(void *arg, const void *buf, size_t len, struct cerr *err)
{
	volatile uint8_t sum = 0;

	(void)arg;
	for (size_t i = 0; i < len; i++)
		sum ^= ((const uint8_t *)buf)[i];
	made += len;
	return made < 1 << 20 ? 0 : cerr_set(err, CERR_RESOURCE_EXHAUSTED, "");
}

static void
fuzz_frame(int fd, const uint8_t *data, size_t size)
{
	size_t room = ZSTD_compressBound(size);
	void *out = malloc(room);
	size_t n = ZSTD_compress(out, room, data, size, 1);

	if (ZSTD_isError(n) || ftruncate(fd, 0) == -1 ||
	    pwrite(fd, out, n, 0) != (ssize_t)n)
		abort();
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1, root = -1;
	struct repack_facts facts;
	struct repack *r;
	struct cerr err;

	if (fd == -1) {
		fd = memfd_create("recipe", MFD_CLOEXEC);
		root = open("/usr/share/doc/base-files",
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd == -1 || root == -1)
			abort();
	}
	fuzz_frame(fd, data, size);
	r = repack_new(fd, root, &facts, &err);
	if (r == NULL)
		return 0;
	made = 0;
	(void)!repack_run(r, fuzz_put, NULL, &err);
	repack_free(r);
	return 0;
}
