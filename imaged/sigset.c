#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#include "imaged/sigset.h"

#define SIGSET_VERSION 1
#define SIGSET_ABSENT  UINT32_MAX

void
sigset_clear(struct sigset *set)
{
	for (size_t i = 0; i < set->n; i++) {
		for (size_t k = 0; k < SIG_NPARTS; k++)
			free(set->sigs[i].part[k].data);
	}
	free(set->sigs);
	memset(set, 0, sizeof(*set));
}

struct sig *
sigset_add(struct sigset *set, enum sig_kind kind, const char *digest,
    struct cerr *err)
{
	struct sig *sig;

	if (set->n == SIGSET_MAX) {
		(void)cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "the image has more than %d signatures", SIGSET_MAX);
		return NULL;
	}
	if (set->sigs == NULL)
		set->sigs = calloc(SIGSET_MAX, sizeof(*set->sigs));
	if (set->sigs == NULL)
		fatal("sigset: calloc");
	sig = &set->sigs[set->n++];
	sig->kind = kind;
	memcpy(sig->digest, digest, strnlen(digest, DIGEST_LEN));
	return sig;
}

int
sigset_put(struct sigset *set, struct sig *sig, enum sig_part part,
    const void *buf, size_t len, struct cerr *err)
{
	uint8_t *copy;

	if (len > SIGSET_PART_MAX || set->bytes + len > SIGSET_BYTES_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "a signature over %u bytes, or all over %u",
		    SIGSET_PART_MAX, SIGSET_BYTES_MAX);
	copy = malloc(len + 1);
	if (copy == NULL)
		fatal("sigset: malloc");
	memcpy(copy, buf, len);
	copy[len] = '\0';
	set->bytes += len;
	free(sig->part[part].data);
	sig->part[part].data = copy;
	sig->part[part].len = len;
	return 0;
}

/* ---- kept ---- */

static void
sigset_write_number(uint8_t **at, uint32_t v)
{
	for (unsigned int i = 0; i < 4; i++)
		*(*at)++ = (uint8_t)(v >> 8 * i);
}

/* A kind, a digest, then each part behind its length. */
static size_t
sigset_packed_size(const struct sigset *set)
{
	return 1 + set->bytes + set->n * (1 + DIGEST_LEN + 4 * SIG_NPARTS);
}

void
sigset_pack(const struct sigset *set, uint8_t **buf, size_t *len)
{
	uint8_t *at = malloc(sigset_packed_size(set));

	if (at == NULL)
		fatal("sigset: malloc");
	*buf = at;
	*at++ = SIGSET_VERSION;
	for (size_t i = 0; i < set->n; i++) {
		const struct sig *sig = &set->sigs[i];

		*at++ = (uint8_t)sig->kind;
		memcpy(at, sig->digest, DIGEST_LEN);
		at += DIGEST_LEN;
		for (size_t k = 0; k < SIG_NPARTS; k++) {
			if (sig->part[k].data == NULL) {
				sigset_write_number(&at, SIGSET_ABSENT);
				continue;
			}
			sigset_write_number(&at, (uint32_t)sig->part[k].len);
			memcpy(at, sig->part[k].data, sig->part[k].len);
			at += sig->part[k].len;
		}
	}
	*len = (size_t)(at - *buf);
}

struct sigset_reader {
	const uint8_t *at, *end;
};

static const uint8_t *
sigset_read(struct sigset_reader *r, size_t n)
{
	const uint8_t *p = r->at;

	if ((size_t)(r->end - p) < n)
		return NULL;
	r->at += n;
	return p;
}

static int
sigset_read_part(struct sigset *set, struct sig *sig, enum sig_part part,
    struct sigset_reader *r)
{
	const uint8_t *p = sigset_read(r, 4);
	uint32_t len;

	if (p == NULL)
		return -1;
	len = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	      (uint32_t)p[3] << 24;
	if (len == SIGSET_ABSENT)
		return 0;
	p = sigset_read(r, len);
	return p == NULL ? -1 : sigset_put(set, sig, part, p, len, NULL);
}

static int
sigset_read_one(struct sigset *set, struct sigset_reader *r)
{
	const uint8_t *p = sigset_read(r, 1 + DIGEST_LEN);
	char digest[DIGEST_SIZE] = "";
	struct sig *sig;

	if (p == NULL || p[0] < SIG_SIMPLE || p[0] > SIG_DSSE)
		return -1;
	memcpy(digest, p + 1, DIGEST_LEN);
	if (!digest_is_sha256(digest))
		return -1;
	sig = sigset_add(set, (enum sig_kind)p[0], digest, NULL);
	if (sig == NULL)
		return -1;
	for (size_t k = 0; k < SIG_NPARTS; k++) {
		if (sigset_read_part(set, sig, (enum sig_part)k, r) == -1)
			return -1;
	}
	return 0;
}

int
sigset_unpack(struct sigset *set, const uint8_t *buf, size_t len,
    struct cerr *err)
{
	struct sigset_reader r = { buf, buf + len };
	const uint8_t *version = sigset_read(&r, 1);
	int rc = version != NULL && *version == SIGSET_VERSION ? 0 : -1;

	while (rc == 0 && r.at < r.end)
		rc = sigset_read_one(set, &r);
	return rc == 0 ? 0
		       : cerr_set(err, CERR_DATA_LOSS,
			     "the image's signatures are damaged");
}
