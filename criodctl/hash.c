#include <openssl/evp.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"

#include "criodctl/hash.h"

static EVP_MD_CTX *
hash_new(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		fatalx("sha256");
	return ctx;
}

static void
hash_end(EVP_MD_CTX *ctx, char out[HASH_SIZE])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	size_t at = (size_t)snprintf(out, HASH_SIZE, "sha256:");

	if (EVP_DigestFinal_ex(ctx, md, &n) != 1)
		fatalx("sha256");
	for (unsigned int i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, HASH_SIZE - at, "%02x", md[i]);
	EVP_MD_CTX_free(ctx);
}

int
hash_fd(int fd, char out[HASH_SIZE], struct cerr *err)
{
	EVP_MD_CTX *ctx = hash_new();
	CLEANUP_FREE uint8_t *buf = malloc(1024 * 1024);
	off_t at = 0;
	ssize_t n = -1;

	while (buf != NULL && (n = pread(fd, buf, 1024 * 1024, at)) > 0) {
		if (EVP_DigestUpdate(ctx, buf, (size_t)n) != 1)
			fatalx("sha256");
		at += n;
	}
	hash_end(ctx, out);
	return n == -1 ? cerr_errno(err, "read") : 0;
}

void
hash_buf(const void *buf, size_t len, char out[HASH_SIZE])
{
	EVP_MD_CTX *ctx = hash_new();

	if (EVP_DigestUpdate(ctx, buf, len) != 1)
		fatalx("sha256");
	hash_end(ctx, out);
}
