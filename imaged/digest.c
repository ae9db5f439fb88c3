#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#include "imaged/digest.h"

static const struct digest_kind {
	const char *prefix;
	size_t hex;
	const EVP_MD *(*md)(void);
} digest_kinds[] = {
	{ DIGEST_PREFIX, DIGEST_HEX_LEN, EVP_sha256 },
	{ "sha512:", 128, EVP_sha512 },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct digest {
	const struct digest_kind *kind;
	EVP_MD_CTX *ctx;
};

void
digest_init(void)
{
	const uint64_t flags =
	    OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT;

	if (OPENSSL_init_crypto(flags, NULL) != 1)
		fatalx("OPENSSL_init_crypto");
}

void
digest_warm(void)
{
	char digest[DIGEST_SIZE];

	digest_init();
	digest_of("", 0, digest);
}

/* By its prefix; NULL if that is of no algorithm known here. */
static const struct digest_kind *
digest_kind(const char *s)
{
	for (size_t i = 0; i < COUNT(digest_kinds); i++) {
		if (strncmp(s, digest_kinds[i].prefix,
			strlen(digest_kinds[i].prefix)) == 0)
			return &digest_kinds[i];
	}
	return NULL;
}

const char *
digest_problem(const char *s)
{
	const struct digest_kind *k = digest_kind(s);
	const char *hex;

	if (k == NULL)
		return "the digest is neither sha256: nor sha512:";
	hex = s + strlen(k->prefix);
	if (strlen(hex) != k->hex || strspn(hex, "0123456789abcdef") != k->hex)
		return "the digest is not sha256: and 64, or sha512: and 128 "
		       "hexadecimal digits";
	return NULL;
}

bool
digest_valid(const char *s)
{
	return digest_problem(s) == NULL;
}

bool
digest_is_sha256(const char *s)
{
	return digest_valid(s) && digest_kind(s) == &digest_kinds[0];
}

void
digest_reset(struct digest *d)
{
	if (EVP_DigestInit_ex(d->ctx, d->kind->md(), NULL) != 1)
		fatalx("EVP_DigestInit_ex");
}

static struct digest *
digest_new_kind(const struct digest_kind *kind)
{
	struct digest *d = calloc(1, sizeof(*d));

	if (d == NULL || (d->ctx = EVP_MD_CTX_new()) == NULL)
		fatalx("digest_new: no memory");
	d->kind = kind;
	digest_reset(d);
	return d;
}

struct digest *
digest_new(void)
{
	return digest_new_kind(&digest_kinds[0]);
}

struct digest *
digest_new_like(const char *other)
{
	const struct digest_kind *k = digest_kind(other);

	return digest_new_kind(k != NULL ? k : &digest_kinds[0]);
}

void
digest_update(struct digest *d, const void *buf, size_t len)
{
	if (EVP_DigestUpdate(d->ctx, buf, len) != 1)
		fatalx("EVP_DigestUpdate");
}

static void
digest_end(struct digest *d, unsigned char md[EVP_MAX_MD_SIZE])
{
	unsigned int n = 0;

	if (EVP_DigestFinal_ex(d->ctx, md, &n) != 1 || n != d->kind->hex / 2)
		fatalx("EVP_DigestFinal_ex");
}

void
digest_final_raw(struct digest *d, uint8_t out[DIGEST_HEX_LEN / 2])
{
	unsigned char md[EVP_MAX_MD_SIZE];

	if (d->kind != &digest_kinds[0])
		fatalx("digest_final_raw: not sha256");
	digest_end(d, md);
	memcpy(out, md, DIGEST_HEX_LEN / 2);
}

void
digest_final(struct digest *d, char out[DIGEST_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];
	char *p = out + strlen(d->kind->prefix);

	digest_end(d, md);
	memcpy(out, d->kind->prefix, strlen(d->kind->prefix));
	for (size_t i = 0; i < d->kind->hex / 2; i++) {
		*p++ = hex[md[i] >> 4];
		*p++ = hex[md[i] & 15];
	}
	*p = '\0';
}

void
digest_free(struct digest *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

void
digest_of_like(const void *buf, size_t len, const char *other,
    char out[DIGEST_SIZE])
{
	struct digest *d = digest_new_like(other);

	digest_update(d, buf, len);
	digest_final(d, out);
	digest_free(d);
}

void
digest_of(const void *buf, size_t len, char out[DIGEST_SIZE])
{
	digest_of_like(buf, len, DIGEST_PREFIX, out);
}
