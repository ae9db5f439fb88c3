#include <limits.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "imaged/unpack_gunzip.h"

#define GUNZIP_BITS (15 + 16) /* zlib: the gzip format only */

struct gunzip {
	z_stream z;
	bool whole; /* at the end of a member */
};

struct gunzip *
gunzip_new(void)
{
	struct gunzip *g = calloc(1, sizeof(*g));

	if (g != NULL && inflateInit2(&g->z, GUNZIP_BITS) != Z_OK) {
		free(g);
		return NULL;
	}
	return g;
}

void
gunzip_free(struct gunzip *g)
{
	if (g == NULL)
		return;
	(void)inflateEnd(&g->z);
	free(g);
}

bool
gunzip_at_end(const struct gunzip *g)
{
	return g->whole;
}

int
gunzip_step(struct gunzip *g, const uint8_t **in, size_t *in_len, uint8_t *out,
    size_t *out_len)
{
	uInt give = *in_len < UINT_MAX ? (uInt)*in_len : UINT_MAX;
	uInt room = *out_len < UINT_MAX ? (uInt)*out_len : UINT_MAX;
	int rc;

	*out_len = 0;
	if (g->whole && give == 0)
		return 0;
	if (g->whole && inflateReset(&g->z) != Z_OK)
		return -1;
	g->z.next_in = *in;
	g->z.avail_in = give;
	g->z.next_out = out;
	g->z.avail_out = room;
	rc = inflate(&g->z, Z_NO_FLUSH);
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return -1;
	*in += give - g->z.avail_in;
	*in_len -= give - g->z.avail_in;
	*out_len = room - g->z.avail_out;
	g->whole = rc == Z_STREAM_END;
	return 0;
}
