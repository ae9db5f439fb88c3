/*
 * sigcheck: verifies one OpenPGP message with the keys it is given, then ends.
 * OpenPGP is read here and nowhere else: by a process without files, network,
 * capabilities or anything worth having.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <linux/mount.h>

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "imaged/openpgp.h"
#include "imaged/worker.h"
#include "imsg/fixed.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/log.h"

#define SIGCHECK_MIB ((rlim_t)1024 * 1024)

extern const struct filter filter_sigcheck;

static const struct confine_limit sigcheck_limits[] = {
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_AS, 256 * SIGCHECK_MIB },
	{ RLIMIT_FSIZE, SIGCHECK_MIB },
	{ RLIMIT_NOFILE, 16 },
	{ RLIMIT_CPU, 10 },
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_MEMLOCK, 0 },
	{ -1, 0 },
};

static const struct confine sigcheck_confine = {
	.role = "sigcheck",
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
		     MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_NO_FILES,
	.limits = sigcheck_limits,
	.filter = &filter_sigcheck,
};

static struct openpgp *sigcheck_pgp;

/* What librnp makes once, while it may open files and lock memory. */
static void
sigcheck_warm(void)
{
	sigcheck_pgp = openpgp_new();
}

static int
sigcheck_message(const struct wire_msg *m, struct openpgp_message *msg,
    struct cerr *err)
{
	CLEANUP_FREE uint8_t *keys = NULL;
	CLEANUP_FREE uint8_t *sig = NULL;
	size_t nkeys, nsig;

	if (fdio_memfd_read(m->fds[0], OPENPGP_KEYS_MAX, &keys, &nkeys) == -1)
		return cerr_errno(err, "the keys");
	if (fdio_memfd_read(m->fds[1], OPENPGP_MESSAGE_MAX, &sig, &nsig) == -1)
		return cerr_errno(err, "the signature");
	return openpgp_verify(sigcheck_pgp, keys, nkeys, sig, nsig, msg, err);
}

static int
sigcheck_verify(struct wire_msg *m, void *body, struct cerr *err)
{
	struct fixed_sig_checked *done = body;
	struct openpgp_message msg;
	int rc;

	if (sigcheck_message(m, &msg, err) == -1)
		return -1;
	done->len = (uint32_t)msg.len;
	rc = FIXED_SET_STR(done->fingerprint, msg.fingerprint);
	if (rc == -1 || fdio_write_all(m->fds[2], msg.text, msg.len) == -1)
		rc = cerr_errno(err, "what was signed");
	openpgp_message_clear(&msg);
	return rc;
}

static const struct worker_request sigcheck_requests[] = {
	{ MSG_SIG_CHECK, MSG_SIG_CHECKED, sigcheck_verify },
};

static const struct worker sigcheck_worker = {
	.role = ROLE_SIGCHECK,
	.confine = &sigcheck_confine,
	.warm = sigcheck_warm,
	.requests = sigcheck_requests,
	.nrequests = sizeof(sigcheck_requests) / sizeof(sigcheck_requests[0]),
};

int
main(int argc, char **argv)
{
	worker_run(&sigcheck_worker, argc, argv);
}
