#ifndef CRIOD_IMAGED_DIGEST_H
#define CRIOD_IMAGED_DIGEST_H

/*
 * Content digests: "sha256:" and 64 lower-case hexadecimal digits, or "sha512:"
 * and 128.  A string that passes digest_valid is safe in a path and in a URL.
 * What others name by either is known here by its sha256: images, layers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_PREFIX	  "sha256:"
#define DIGEST_PREFIX_LEN 7
#define DIGEST_HEX_LEN	  64
#define DIGEST_LEN	  (DIGEST_PREFIX_LEN + DIGEST_HEX_LEN)
#define DIGEST_SIZE	  (7 + 128 + 1) /* any of them, and NUL */

struct digest; /* one being computed */

/* Once, before confinement: libcrypto then reads no configuration file. */
void digest_init(void);
/* The same, and libcrypto makes what it makes at the first use. */
void digest_warm(void);

bool digest_valid(const char *s);
bool digest_is_sha256(const char *s);
/* Why it is not valid (a constant string), or NULL. */
const char *digest_problem(const char *s);

/* sha256, or as other has it, if that is valid.  Never NULL (fatal). */
struct digest *digest_new(void);
struct digest *digest_new_like(const char *other);
void digest_update(struct digest *d, const void *buf, size_t len);
/* Writes "sha256:HEX"; d can only be freed or reset then. */
void digest_final(struct digest *d, char out[DIGEST_SIZE]);
/* Likewise, the 32 bytes themselves, of sha256. */
void digest_final_raw(struct digest *d, uint8_t out[DIGEST_HEX_LEN / 2]);
void digest_reset(struct digest *d);
void digest_free(struct digest *d);

void digest_of(const void *buf, size_t len, char out[DIGEST_SIZE]);
void digest_of_like(const void *buf, size_t len, const char *other,
    char out[DIGEST_SIZE]);

#endif
