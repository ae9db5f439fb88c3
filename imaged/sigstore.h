#ifndef CRIOD_IMAGED_SIGSTORE_H
#define CRIOD_IMAGED_SIGSTORE_H

/*
 * sigstore's signatures, verified with what they carry and what the policy
 * says, without any network.
 */

#include <stdint.h>

#include "lib/cerr.h"

struct policy_req;
struct sig;

#define SIGSTORE_RSA_MIN   2048 /* bits of a key */
#define SIGSTORE_RSA_MAX   8192
#define SIGSTORE_CERTS_MAX 8 /* of a chain, or of roots */

/*
 * 0 if sig's body (SIG_SIGSTORE) was signed as req (POLICY_SIGSTORE) wants it:
 * by one of its keys, or by the key of a certificate that its roots vouch for
 * at the time of the log's entry, or now without a log.  What the body says is
 * not looked at.
 */
int sigstore_verify(const struct policy_req *req, const struct sig *sig,
    struct cerr *err) __attribute__((warn_unused_result));

#endif
