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
#include "imaged/nsauth.h"

#define NSAUTH_MS 10000

struct nsauth {
	struct link *parent;
	uint32_t id;
	char namespace[64];
	nsauth_done_fn done;
	void *arg;
};

/* *f stays NULL without a descriptor. */
static int
nsauth_read(const struct nsauth *a, int fd, struct authfile **f,
    struct cerr *err)
{
	CLEANUP_FREE char *buf = NULL;
	char name[128];
	ssize_t n;

	if (fd == -1)
		return 0;
	(void)snprintf(name, sizeof(name), "credentials of namespace %s",
	    a->namespace);
	buf = malloc(AUTHFILE_MAX + 1);
	if (buf == NULL)
		return cerr_errno(err, "%s", name);
	n = fdio_read_upto(fd, buf, AUTHFILE_MAX + 1);
	if (n == -1)
		return cerr_errno(err, "%s", name);
	*f = authfile_parse(name, buf, (size_t)n, err);
	explicit_bzero(buf, (size_t)n);
	return *f == NULL ? -1 : 0;
}

static void
nsauth_reply(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct nsauth *a = arg;
	CLEANUP_FD int fd = m == NULL || m->nfds == 0 ? -1 : link_take_fd(m, 0);
	struct authfile *f = NULL;
	struct cerr why;

	if (err != NULL || nsauth_read(a, fd, &f, &why) == -1)
		a->done(a->arg, NULL, err != NULL ? err : &why);
	else
		a->done(a->arg, f, NULL);
	free(a);
}

struct nsauth *
nsauth_ask(struct link *parent, const char *namespace, const char *name,
    nsauth_done_fn done, void *arg)
{
	struct nsauth *a = calloc(1, sizeof(*a));
	struct fixed_auth_take body = { .digest = "" };
	char digest[DIGEST_SIZE];

	if (a == NULL)
		fatal("nsauth: calloc");
	a->parent = parent;
	a->done = done;
	a->arg = arg;
	(void)snprintf(a->namespace, sizeof(a->namespace), "%s", namespace);
	(void)snprintf(body.namespace, sizeof(body.namespace), "%s", namespace);
	digest_of(name, strlen(name), digest);
	(void)snprintf(body.digest, sizeof(body.digest), "%s",
	    digest + DIGEST_PREFIX_LEN);
	a->id = link_request(parent, MSG_AUTH_TAKE, &body, NULL, 0,
	    mono_after_ms(NSAUTH_MS), nsauth_reply, a);
	return a;
}

void
nsauth_cancel(struct nsauth *a)
{
	if (a == NULL)
		return;
	link_cancel(a->parent, a->id);
	free(a);
}
