#ifndef CRIOD_IMAGED_DIGEST_H
#define CRIOD_IMAGED_DIGEST_H

/*
 * Content digests.  One grammar, "sha256:" and 64 lower-case hexadecimal
 * digits: a string that passes digest_valid is safe in a path and in a URL.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_PREFIX	  "sha256:"
#define DIGEST_PREFIX_LEN 7
#define DIGEST_HEX_LEN	  64
#define DIGEST_LEN	  (DIGEST_PREFIX_LEN + DIGEST_HEX_LEN)
#define DIGEST_SIZE	  (DIGEST_LEN + 1)

struct digest; /* one being computed */

/* Once, before confinement: libcrypto then reads no configuration file. */
void digest_init(void);
/* The same, and libcrypto makes what it makes at the first use. */
void digest_warm(void);

bool digest_valid(const char *s);

struct digest *digest_new(void); /* never NULL (fatal) */
void digest_update(struct digest *d, const void *buf, size_t len);
/* Writes "sha256:HEX"; d can only be freed or reset then. */
void digest_final(struct digest *d, char out[DIGEST_SIZE]);
/* Likewise, the 32 bytes themselves. */
void digest_final_raw(struct digest *d, uint8_t out[DIGEST_HEX_LEN / 2]);
void digest_reset(struct digest *d);
void digest_free(struct digest *d);

void digest_of(const void *buf, size_t len, char out[DIGEST_SIZE]);

#endif
