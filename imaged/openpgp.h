#ifndef CRIOD_IMAGED_OPENPGP_H
#define CRIOD_IMAGED_OPENPGP_H

/* Signed OpenPGP messages, by librnp, as simple signing needs them. */

#include <stddef.h>
#include <stdint.h>

#include "lib/cerr.h"

#define OPENPGP_KEYS_MAX    (4U * 1024 * 1024) /* all keyrings together */
#define OPENPGP_MESSAGE_MAX (256U * 1024)
#define OPENPGP_TEXT_MAX    (64U * 1024) /* what was signed */

struct openpgp;

struct openpgp_message {
	uint8_t *text;
	size_t len;
	char fingerprint[65]; /* of the key, or subkey, that signed it */
};

/* To be called before confinement.  Never NULL (fatal). */
struct openpgp *openpgp_new(void);
void openpgp_free(struct openpgp *pgp);

/*
 * keys is a list: each keyring, binary or armoured, behind its length (4
 * bytes, little-endian).  0 if msg is a signed message (not a detached, nor a
 * cleartext signature) with exactly one signature, which is good, not expired,
 * and by a key for signing that is among keys and neither expired nor revoked,
 * nor is its primary key.  PERMISSION_DENIED if not.
 */
int openpgp_verify(struct openpgp *pgp, const uint8_t *keys, size_t nkeys,
    const uint8_t *msg, size_t nmsg, struct openpgp_message *out,
    struct cerr *err) __attribute__((warn_unused_result));
void openpgp_message_clear(struct openpgp_message *m);

#endif
