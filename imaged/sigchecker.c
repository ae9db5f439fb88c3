#include <sys/mman.h>

#include <event2/event.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/fixed.h"
#include "imsg/link.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/mono.h"

#include "imaged/payload.h"
#include "imaged/policy.h"
#include "imaged/sigchecker.h"
#include "imaged/unpacker.h"

#define SIGCHECKER_SPAWN_MS (30 * 1000)
#define SIGCHECKER_WORK_MS  (20 * 1000)

struct sigchecker {
	struct event_base *base;
	struct link *parent;
	sigchecker_fn fn;
	void *arg;
	int fds[3];	/* keys and message, until they are sent; text */
	uint32_t spawn; /* request to the parent; 0: answered */
	struct link *link;
	struct event *end; /* a link must not be freed in its own callback */
	uint8_t *text;
	size_t len;
	bool failed;
	struct cerr err;
};

static const struct link_def sigchecker_link = {
	.self = ROLE_IMAGED,
	.peer = ROLE_SIGCHECK,
};

static void
sigchecker_end(evutil_socket_t fd, short what, void *arg)
{
	struct sigchecker *s = arg;

	(void)fd;
	(void)what;
	link_free(s->link);
	s->link = NULL;
	if (s->fn != NULL)
		s->fn(s->arg, s->text, s->len, s->failed ? &s->err : NULL);
	event_free(s->end);
	fdio_close(&s->fds[0]);
	fdio_close(&s->fds[1]);
	fdio_close(&s->fds[2]);
	free(s->text);
	free(s);
}

static void
sigchecker_finish(struct sigchecker *s, const struct cerr *err)
{
	s->failed = err != NULL;
	if (err != NULL)
		s->err = *err;
	event_active(s->end, EV_TIMEOUT, 0);
}

/* Into memory before anything looks at it. */
static int
sigchecker_read(struct sigchecker *s, size_t len, struct cerr *err)
{
	if (len > PAYLOAD_MAX)
		return cerr_set(err, CERR_PERMISSION_DENIED,
		    "it signs too much");
	s->text = malloc(len + 1);
	if (s->text == NULL)
		fatal("sigchecker: malloc");
	if (pread(s->fds[2], s->text, len, 0) != (ssize_t)len)
		return cerr_set(err, CERR_INTERNAL, "what was signed");
	s->text[len] = '\0';
	s->len = len;
	return 0;
}

/* Ended without an answer: killed by a limit or by its filter. */
static void
sigchecker_answered(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct sigchecker *s = arg;
	const struct fixed_sig_checked *done;
	struct cerr why;

	if (m == NULL) {
		if (err->code == CERR_UNAVAILABLE) {
			(void)cerr_set(&why, CERR_PERMISSION_DENIED,
			    "the process that verifies it ended early");
			err = &why;
		}
		sigchecker_finish(s, err);
		return;
	}
	done = m->body;
	if (sigchecker_read(s, done->len, &why) == -1) {
		sigchecker_finish(s, &why);
	} else {
		log_debug("a signature of key %s", done->fingerprint);
		sigchecker_finish(s, NULL);
	}
}

static void
sigchecker_spawned(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct sigchecker *s = arg;
	struct fixed_none none = { 0 };
	int fds[3];

	s->spawn = 0;
	if (m == NULL) {
		sigchecker_finish(s, err);
		return;
	}
	s->link = link_new(s->base, &sigchecker_link, s);
	link_attach(s->link, link_take_fd(m, 0));
	fds[0] = s->fds[0];
	fds[1] = s->fds[1];
	fds[2] = fcntl(s->fds[2], F_DUPFD_CLOEXEC, 0);
	(void)link_request(s->link, MSG_SIG_CHECK, &none, fds, 3,
	    mono_after_ms(SIGCHECKER_WORK_MS), sigchecker_answered, s);
	s->fds[0] = -1;
	s->fds[1] = -1;
}

/* One keyring behind the other, each behind its length. */
static int
sigchecker_keys(const struct policy_keys *keys)
{
	uint8_t *buf, *p;
	size_t n = 0;
	int fd;

	for (size_t i = 0; i < keys->n; i++)
		n += 4 + keys->list[i].len;
	buf = malloc(n);
	if (buf == NULL)
		fatal("sigchecker: malloc");
	p = buf;
	for (size_t i = 0; i < keys->n; i++) {
		for (unsigned int k = 0; k < 4; k++)
			*p++ = (uint8_t)(keys->list[i].len >> 8 * k);
		memcpy(p, keys->list[i].data, keys->list[i].len);
		p += keys->list[i].len;
	}
	fd = fdio_memfd_sealed("keys", buf, n);
	free(buf);
	return fd;
}

struct sigchecker *
sigchecker_start(struct event_base *base, struct link *parent,
    const struct policy_keys *keys, const uint8_t *msg, size_t len,
    sigchecker_fn fn, void *arg)
{
	struct sigchecker *s = calloc(1, sizeof(*s));
	struct fixed_unpack_spawn spawn = { 0, UNPACKER_SIGCHECK };
	struct cerr err;

	if (s == NULL)
		fatal("sigchecker: calloc");
	s->base = base;
	s->parent = parent;
	s->fn = fn;
	s->arg = arg;
	s->end = event_new(base, -1, 0, sigchecker_end, s);
	if (s->end == NULL)
		fatalx("sigchecker: event_new");
	s->fds[0] = sigchecker_keys(keys);
	s->fds[1] = fdio_memfd_sealed("signature", msg, len);
	s->fds[2] = memfd_create("text", MFD_CLOEXEC);
	if (s->fds[0] == -1 || s->fds[1] == -1 || s->fds[2] == -1) {
		(void)cerr_errno(&err, "a signature");
		sigchecker_finish(s, &err);
		return s;
	}
	s->spawn = link_request(parent, MSG_UNPACK_SPAWN, &spawn, NULL, 0,
	    mono_after_ms(SIGCHECKER_SPAWN_MS), sigchecker_spawned, s);
	return s;
}

void
sigchecker_cancel(struct sigchecker *s)
{
	if (s->spawn != 0)
		link_cancel(s->parent, s->spawn);
	s->spawn = 0;
	s->fn = NULL;
	event_active(s->end, EV_TIMEOUT, 0);
}
