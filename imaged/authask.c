#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imsg/fixed.h"
#include "imsg/link.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/mono.h"

#include "imaged/authfile.h"
#include "imaged/digest.h"
#include "imaged/authask.h"

#define AUTHASK_MS 10000

struct authask {
	struct authask_def def;
	char label[256];
	uint32_t id;
};

/* *f stays NULL without a descriptor. */
static int
authask_read(const struct authask *a, int fd, struct authfile **f,
    struct cerr *err)
{
	CLEANUP_FREE char *buf = NULL;
	ssize_t n;

	if (fd == -1)
		return 0;
	buf = malloc(AUTHFILE_MAX + 1);
	if (buf == NULL)
		return cerr_errno(err, "%s", a->label);
	n = fdio_read_upto(fd, buf, AUTHFILE_MAX + 1);
	if (n == -1)
		return cerr_errno(err, "%s", a->label);
	*f = authfile_parse(a->label, buf, (size_t)n, err);
	explicit_bzero(buf, (size_t)n);
	return *f == NULL ? -1 : 0;
}

static void
authask_reply(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct authask *a = arg;
	CLEANUP_FD int fd = m == NULL || m->nfds == 0 ? -1 : link_take_fd(m, 0);
	struct authfile *f = NULL;
	struct cerr why;

	if (err == NULL && authask_read(a, fd, &f, &why) == -1)
		err = &why;
	a->def.done(a->def.arg, f, err);
	free(a);
}

struct authask *
authask_start(const struct authask_def *def)
{
	struct authask *a = calloc(1, sizeof(*a));
	struct fixed_auth_take body = { .digest = "" };
	char digest[DIGEST_SIZE];

	if (a == NULL)
		fatal("authask: calloc");
	a->def = *def;
	(void)snprintf(a->label, sizeof(a->label), "%s", def->label);
	(void)snprintf(body.namespace, sizeof(body.namespace), "%s",
	    def->namespace);
	digest_of(def->name, strlen(def->name), digest);
	(void)snprintf(body.digest, sizeof(body.digest), "%.*s", DIGEST_HEX_LEN,
	    digest + DIGEST_PREFIX_LEN);
	a->id = link_request(def->parent, MSG_AUTH_TAKE, &body, NULL, 0,
	    mono_after_ms(AUTHASK_MS), authask_reply, a);
	return a;
}

void
authask_cancel(struct authask *a)
{
	if (a == NULL)
		return;
	link_cancel(a->def.parent, a->id);
	free(a);
}
