#ifndef CRIOD_IMAGED_JUDGE_H
#define CRIOD_IMAGED_JUDGE_H

/*
 * Whether the policy in force accepts an image, by the name it goes by and
 * the signatures that were found with it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaged/ref.h"
#include "lib/cerr.h"

struct Criod__BootTrust;
struct event_base;
struct link;
struct sigset;
struct judge;
struct judge_check;

/* Policies and keys of BOOT (NULL: none).  NULL with err, which names the file.
 */
struct judge *judge_new(struct event_base *base, struct link *parent,
    const struct Criod__BootTrust *boot, struct cerr *err)
    __attribute__((warn_unused_result));
void judge_free(struct judge *t); /* NULL is fine */

/*
 * What the policy of a namespace ("" or one without a policy of its own: the
 * one for all) says of a name before signatures are looked at; ref NULL: an
 * image without a name.
 */
enum judge_verdict {
	JUDGE_ACCEPT = 0,
	JUDGE_REJECT,
	JUDGE_SIGNATURE, /* judge_start decides */
};
enum judge_verdict judge_ask(const struct judge *t, const char *ns,
    const struct ref *ref);

/* Where signatures are; see containers-registries.d(5). */
struct judge_source {
	const char *lookaside; /* URL or "" */
	uint32_t index;	       /* which of BOOT's the URL is of */
	bool attachments;      /* sigstore's, in the registry */
};
void judge_source(const struct judge *t, const struct ref *ref,
    struct judge_source *s);

/* The link to the parent. */
struct link *judge_parent(const struct judge *t);

/* err is NULL, or says why the image is refused (PERMISSION_DENIED). */
typedef void (*judge_fn)(void *arg, const struct cerr *err);

/*
 * Decides by signatures; sigs must live until the end.  fn is called once,
 * from the loop, unless cancelled.  Never NULL.
 */
struct judge_check *judge_start(struct judge *t, const char *ns,
    const struct ref *ref, const struct sigset *sigs, judge_fn fn, void *arg);
void judge_cancel(struct judge_check *c); /* NULL is fine */

/* What a kubelet knows a refusal by, and the code that goes with it. */
#define JUDGE_PREFIX   "SignatureValidationFailed: "
#define JUDGE_REJECTED "the policy rejects it"

#endif
