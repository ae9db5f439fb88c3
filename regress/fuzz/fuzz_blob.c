/* A layer's blob, plain, gzip, zstd or a file, as unpack reads it. */
#include <sys/mman.h>

#include <stdlib.h>
#include <unistd.h>

#include "imaged/unpack_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST (1U << 20)

static int
fuzz_wait(void *arg, uint64_t *have, struct cerr *err)
{
	(void)err;
	*have = *(const uint64_t *)arg;
	return 0;
}

static int
fuzz_check(void *arg, struct cerr *err)
{
	(void)arg;
	(void)err;
	return 0;
}

static void
fuzz_read(const struct unpack_stream_def *def)
{
	struct unpack_stream *s;
	char digest[DIGEST_SIZE];
	struct cerr err;
	const uint8_t *p;
	uint64_t all = 0;
	volatile uint8_t sum = 0;
	ssize_t n;

	s = unpack_stream_new(def, &err);
	if (s == NULL)
		abort();
	while ((n = unpack_stream_get(s, &p, 10000, &err)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum ^= p[i];
		all += (uint64_t)n;
	}
	if (all > MOST)
		abort();
	if (n == 0)
		unpack_stream_digest(s, digest);
	unpack_stream_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct unpack_stream_def def = { .max = MOST,
		.name = "etc/file",
		.wait = fuzz_wait,
		.check = fuzz_check,
		.arg = &def.size };

	if (size < 2)
		return 0;
	if (fd == -1)
		fd = memfd_create("blob", MFD_CLOEXEC);
	if (ftruncate(fd, 0) == -1 ||
	    pwrite(fd, data + 2, size - 2, 0) != (ssize_t)size - 2)
		abort();
	def.fd = fd;
	def.compression = data[0] % 4;
	def.size = size - 2;
	def.have = def.size * data[1] / 255;
	fuzz_read(&def);
	return 0;
}
