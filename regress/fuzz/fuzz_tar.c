/* A layer's tar: the whole reader, its names included, without a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/unpack_path.h"
#include "imaged/unpack_tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	const uint8_t *p;
	size_t left;
};

static ssize_t
fuzz_get(void *source, const uint8_t **p, size_t max, struct cerr *err)
{
	struct fuzz *f = source;
	size_t n = f->left < max ? f->left : max;

	(void)err;
	if (n > 300) /* in pieces, as a decompressor gives them */
		n = 300;
	*p = f->p;
	f->p += n;
	f->left -= n;
	return (ssize_t)n;
}

static void
fuzz_entry(struct tar *t, const struct tar_entry *e)
{
	static struct unpack_path path;
	const uint8_t *p;
	struct cerr err;
	uint64_t at = 0, left = 0;
	volatile uint8_t sum = 0;

	(void)unpack_path_parse(e->path, &path, &err);
	(void)unpack_path_parse(e->link, &path, &err);
	for (size_t i = 0; i < e->nxattrs; i++)
		for (size_t k = 0; k < e->xattrs[i].len; k++)
			sum ^= e->xattrs[i].value[k];
	for (size_t i = 0; i < e->nsegments; i++) {
		if (e->segments[i].offset < at || e->segments[i].len > e->size)
			abort();
		at = e->segments[i].offset + e->segments[i].len;
		left += e->segments[i].len;
	}
	if (at > e->size)
		abort();
	while (left > 1) { /* the last byte is for tar_next to skip */
		ssize_t n = tar_data(t, &p, (size_t)left - 1, &err);

		if (n == -1)
			return;
		left -= (uint64_t)n;
	}
}

/* Else hardly anything would get past the sums.  What is no header stays. */
static void
fuzz_fix_sums(uint8_t *data, size_t size)
{
	for (; size >= TAR_BLOCK; data += TAR_BLOCK, size -= TAR_BLOCK) {
		unsigned int sum = 0;

		if (memcmp(data + 257, "ustar", 5) != 0)
			continue;
		memset(data + 148, ' ', 8);
		for (size_t i = 0; i < TAR_BLOCK; i++)
			sum += data[i];
		if (sum != 8 * ' ')
			(void)snprintf((char *)data + 148, 8, "%06o", sum);
		else
			memset(data + 148, 0, 8);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	uint8_t *data = malloc(size + 1);
	struct fuzz f = { data, size };
	struct tar *t = tar_new(fuzz_get, &f, 1000);
	const struct tar_entry *e;
	struct cerr err;

	memcpy(data, input, size);
	fuzz_fix_sums(data, size);
	while (tar_next(t, &e, &err) == 1)
		fuzz_entry(t, e);
	tar_free(t);
	free(data);
	return 0;
}
