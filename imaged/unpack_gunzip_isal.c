#include <isa-l/igzip_lib.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "imaged/unpack_gunzip.h"

/*
 * The header is read by its own function, which keeps what it has seen of one
 * that comes in pieces; isal_inflate alone would not.
 */
struct gunzip {
	struct inflate_state z;
	struct isal_gzip_header header;
	bool in_header;
	bool ended; /* a member did, and no byte of the next was seen */
	/* What the decoder had read ahead when a member ended. */
	uint8_t ahead[sizeof(uint64_t)];
	size_t nahead;
};

static void
gunzip_begin(struct gunzip *g)
{
	isal_inflate_reset(&g->z);
	isal_gzip_header_init(&g->header);
	g->z.crc_flag = ISAL_GZIP_NO_HDR_VER; /* what follows the header */
	g->in_header = true;
	g->ended = false;
}

struct gunzip *
gunzip_new(void)
{
	struct gunzip *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	isal_inflate_init(&g->z);
	gunzip_begin(g);
	return g;
}

void
gunzip_free(struct gunzip *g)
{
	free(g);
}

bool
gunzip_at_end(const struct gunzip *g)
{
	return g->ended && g->nahead == 0;
}

/* Whole bytes of the bit buffer are the next member's. */
static void
gunzip_end(struct gunzip *g)
{
	uint64_t bits = g->z.read_in >> (g->z.read_in_length % 8);

	g->nahead = (size_t)g->z.read_in_length / 8;
	for (size_t i = 0; i < g->nahead; i++)
		g->ahead[i] = (uint8_t)(bits >> (8 * i));
	g->ended = true;
}

/* Lets the decoder have buf; the count that it used, or -1. */
static ssize_t
gunzip_feed(struct gunzip *g, const uint8_t *buf, uint32_t len)
{
	uint8_t *mine;

	/* It does not write there, but takes no pointer to const. */
	memcpy(&mine, &buf, sizeof(mine));
	g->z.next_in = mine;
	g->z.avail_in = len;
	if (g->in_header) {
		int rc = isal_read_gzip_header(&g->z, &g->header);

		if (rc != ISAL_DECOMP_OK && rc != ISAL_END_INPUT)
			return -1;
		g->in_header = rc == ISAL_END_INPUT;
	}
	if (!g->in_header) {
		if (isal_inflate(&g->z) < 0)
			return -1;
		if (g->z.block_state == ISAL_BLOCK_FINISH)
			gunzip_end(g);
	}
	g->z.next_in = NULL;
	return (ssize_t)(len - g->z.avail_in);
}

/* Eight bytes are no member, nor all of a header: they are used up. */
static int
gunzip_feed_ahead(struct gunzip *g)
{
	uint32_t len = (uint32_t)g->nahead;

	g->nahead = 0;
	return gunzip_feed(g, g->ahead, len) == (ssize_t)len ? 0 : -1;
}

int
gunzip_step(struct gunzip *g, const uint8_t **in, size_t *in_len, uint8_t *out,
    size_t *out_len)
{
	uint32_t give = *in_len < INT_MAX ? (uint32_t)*in_len : INT_MAX;
	uint32_t room = *out_len < INT_MAX ? (uint32_t)*out_len : INT_MAX;
	ssize_t used;

	*out_len = 0;
	if (gunzip_at_end(g) && give == 0)
		return 0;
	if (g->ended)
		gunzip_begin(g);
	g->z.next_out = out;
	g->z.avail_out = room;
	if (g->nahead > 0 && gunzip_feed_ahead(g) == -1)
		return -1;
	used = gunzip_feed(g, *in, give);
	if (used == -1)
		return -1;
	*in += used;
	*in_len -= (size_t)used;
	*out_len = room - g->z.avail_out;
	return 0;
}
