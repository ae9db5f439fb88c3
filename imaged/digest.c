#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#include "imaged/digest.h"

struct digest {
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

bool
digest_valid(const char *s)
{
	return strncmp(s, DIGEST_PREFIX, DIGEST_PREFIX_LEN) == 0 &&
	       strlen(s) == DIGEST_LEN &&
	       strspn(s + DIGEST_PREFIX_LEN, "0123456789abcdef") ==
		   DIGEST_HEX_LEN;
}

void
digest_reset(struct digest *d)
{
	if (EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1)
		fatalx("EVP_DigestInit_ex");
}

struct digest *
digest_new(void)
{
	struct digest *d = calloc(1, sizeof(*d));

	if (d == NULL || (d->ctx = EVP_MD_CTX_new()) == NULL)
		fatalx("digest_new: no memory");
	digest_reset(d);
	return d;
}

void
digest_update(struct digest *d, const void *buf, size_t len)
{
	if (EVP_DigestUpdate(d->ctx, buf, len) != 1)
		fatalx("EVP_DigestUpdate");
}

void
digest_final_raw(struct digest *d, uint8_t out[DIGEST_HEX_LEN / 2])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (EVP_DigestFinal_ex(d->ctx, md, &n) != 1 || n != DIGEST_HEX_LEN / 2)
		fatalx("EVP_DigestFinal_ex");
	memcpy(out, md, n);
}

void
digest_final(struct digest *d, char out[DIGEST_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t md[DIGEST_HEX_LEN / 2];
	char *p = out + DIGEST_PREFIX_LEN;

	digest_final_raw(d, md);
	memcpy(out, DIGEST_PREFIX, DIGEST_PREFIX_LEN);
	for (size_t i = 0; i < sizeof(md); i++) {
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
digest_of(const void *buf, size_t len, char out[DIGEST_SIZE])
{
	struct digest *d = digest_new();

	digest_update(d, buf, len);
	digest_final(d, out);
	digest_free(d);
}
