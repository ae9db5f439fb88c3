#ifndef CRIOD_IMAGED_SIGSET_H
#define CRIOD_IMAGED_SIGSET_H

/*
 * The signatures of one image from one repository, unverified: as they were
 * found at a pull, and as they are kept for later decisions.
 */

#include <stddef.h>
#include <stdint.h>

#include "imaged/digest.h"
#include "lib/cerr.h"

#define SIGSET_MAX	 128		    /* signatures */
#define SIGSET_PART_MAX	 (256U * 1024)	    /* bytes of one part */
#define SIGSET_BYTES_MAX (4U * 1024 * 1024) /* of all parts together */

enum sig_kind {
	SIG_SIMPLE = 1, /* simple signing: SIG_BODY is an OpenPGP message */
	SIG_SIGSTORE,	/* cosign's: SIG_BODY is the payload */
	SIG_DSSE,	/* of a sigstore bundle: SIG_BODY is the envelope's */
};

enum sig_part {
	SIG_BODY = 0,
	SIG_SIGNATURE,	 /* the rest is sigstore's: base64 */
	SIG_CERTIFICATE, /* PEM */
	SIG_CHAIN,	 /* PEM */
	SIG_BUNDLE,	 /* JSON of the transparency log */
	SIG_NPARTS,
};

struct sig {
	enum sig_kind kind;
	char digest[DIGEST_SIZE]; /* of the manifest it was found with */
	struct {
		uint8_t *data; /* with a NUL behind it; NULL if absent */
		size_t len;
	} part[SIG_NPARTS];
};

struct sigset {
	struct sig *sigs;
	size_t n, bytes;
};

void sigset_clear(struct sigset *set);
/* A new one without parts; NULL with err (RESOURCE_EXHAUSTED). */
struct sig *sigset_add(struct sigset *set, enum sig_kind kind,
    const char *digest, struct cerr *err);
/* Copies; sig is of set. */
int sigset_put(struct sigset *set, struct sig *sig, enum sig_part part,
    const void *buf, size_t len, struct cerr *err)
    __attribute__((warn_unused_result));

/* For the catalogue; *buf is owned by the caller. */
void sigset_pack(const struct sigset *set, uint8_t **buf, size_t *len);
/* Adds what was packed to set.  DATA_LOSS if it is damaged. */
int sigset_unpack(struct sigset *set, const uint8_t *buf, size_t len,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
