/*
 * scribe: the audit log.  What others tell of calls and decisions becomes a
 * line each, in a file, syslog or stream that the parent has opened.  Nobody
 * waits for it: what cannot be written is lost, and counted.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "imsg/audit.h"
#include "imsg/codec.h"
#include "imsg/helper.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/log.h"
#include "lib/rule.h"
#include "proto/msg.pb-c.h"
#include "scribe/line.h"

extern const struct filter filter_scribe;

#define SCRIBE_EVERY_S	1 /* figures, at most so often */
#define SCRIBE_WARN_MS	60000
#define SCRIBE_PRIORITY 86 /* of syslog: authpriv, info */

struct scribe {
	struct helper *helper; /* first: see helper_link_lost */
	int fd;
	enum audit_to to;
	bool broken; /* the last line is not whole */
	struct mono warned;
	uint64_t written, lost;
	struct event *timer;
	bool waiting; /* the timer is set */
};

/* ---- figures ---- */

static void
scribe_tell(struct scribe *s)
{
	struct fixed_audit_figures body = { s->written, s->lost };

	(void)link_send(helper_link(s->helper, ROLE_STREAMD), MSG_AUDIT_FIGURES,
	    &body, NULL, 0);
}

static void
scribe_late(evutil_socket_t fd, short what, void *arg)
{
	struct scribe *s = arg;

	(void)fd;
	(void)what;
	s->waiting = false;
	scribe_tell(s);
}

static void
scribe_changed(struct scribe *s)
{
	struct timeval tv = { SCRIBE_EVERY_S, 0 };

	if (s->waiting)
		return;
	s->waiting = true;
	(void)evtimer_add(s->timer, &tv);
}

/* ---- output ---- */

static void
scribe_failed(struct scribe *s, const char *why)
{
	s->lost++;
	if (mono_is_set(s->warned) && !mono_passed(s->warned))
		return;
	s->warned = mono_after_ms(SCRIBE_WARN_MS);
	log_warn("audit log: %s; %llu records lost", why,
	    (unsigned long long)s->lost);
}

/* A line is less than PIPE_BUF: a pipe that is ready takes all of it. */
static bool
scribe_would_block(const struct scribe *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };

	return s->to != AUDIT_TO_FILE &&
	       (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0);
}

static void
scribe_syslog(struct scribe *s, const struct line *l)
{
	char packet[LINE_MAX_BYTES + 64];
	int n = snprintf(packet, sizeof(packet), "<%d>criod-audit[%d]: %.*s",
	    SCRIBE_PRIORITY, (int)getpid(), (int)l->len - 1, l->text);

	if (send(s->fd, packet, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		scribe_failed(s, strerror(errno));
	else
		s->written++;
}

/* What a full disk cut short is ended before the next line. */
static void
scribe_stream(struct scribe *s, const struct line *l)
{
	char text[LINE_MAX_BYTES + 2];
	size_t n = 0;
	ssize_t done;

	if (s->broken)
		text[n++] = '\n';
	memcpy(text + n, l->text, l->len);
	n += l->len;
	done = write(s->fd, text, n);
	if (done == (ssize_t)n)
		s->written++;
	else
		scribe_failed(s, done == -1 ? strerror(errno) : "no space");
	if (done > 0)
		s->broken = done != (ssize_t)n && text[done - 1] != '\n';
}

static void
scribe_write(struct scribe *s, struct line *l)
{
	line_end(l);
	if (s->fd == -1)
		scribe_failed(s, "it was not opened");
	else if (scribe_would_block(s))
		scribe_failed(s, "its reader does not keep up");
	else if (s->to == AUDIT_TO_SYSLOG)
		scribe_syslog(s, l);
	else
		scribe_stream(s, l);
	scribe_changed(s);
}

/* ---- records ---- */

static void
scribe_lost(struct scribe *s, const char *by, uint64_t lost)
{
	struct line l;

	if (lost == 0)
		return;
	s->lost += lost;
	line_begin(&l, "lost", by);
	line_number(&l, "count", lost);
	scribe_write(s, &l);
}

static void
scribe_take_call(void *ctx, struct link_call *call, struct link_msg *m)
{
	const struct fixed_audit_call *c = m->body;
	struct scribe *s = ctx;
	struct line l;

	(void)call;
	scribe_lost(s, role_name(ROLE_FRONT), c->lost);
	line_begin(&l, "call", role_name(ROLE_FRONT));
	line_number(&l, "uid", c->uid);
	line_number(&l, "pid", c->pid);
	line_millis(&l, "ms", c->took_us);
	line_string(&l, "code",
	    c->code == CERR_OK ? "OK" : cerr_name(cerr_code_from(c->code)));
	if (c->flags & AUDIT_CALL_GONE)
		line_true(&l, "gone");
	if (c->flags & AUDIT_CALL_CTL)
		line_true(&l, "criodctl");
	line_string(&l, "method", c->method);
	line_string(&l, "pod", c->pod);
	line_string(&l, "container", c->ctr);
	line_string(&l, "namespace", c->namespace);
	line_string(&l, "name", c->name);
	line_string(&l, "image", c->image);
	scribe_write(s, &l);
}

static void
scribe_rule(struct scribe *s, enum role by, const struct fixed_audit_rule *r)
{
	const char *what = rule_name(r->what);
	struct line l;

	scribe_lost(s, role_name(by), r->lost);
	line_begin(&l, "decision", role_name(by));
	line_string(&l, "verdict", r->allow != 0 ? "allow" : "deny");
	line_string(&l, "what", what != NULL ? what : "unknown");
	line_string(&l, "pod", r->pod);
	line_string(&l, "container", r->ctr);
	line_string(&l, "namespace", r->namespace);
	line_string(&l, "value", r->value);
	line_string(&l, "rule", r->rule);
	scribe_write(s, &l);
}

static void
scribe_take_execd(void *ctx, struct link_call *call, struct link_msg *m)
{
	(void)call;
	scribe_rule(ctx, ROLE_EXECD, m->body);
}

static void
scribe_take_netd(void *ctx, struct link_call *call, struct link_msg *m)
{
	(void)call;
	scribe_rule(ctx, ROLE_NETD, m->body);
}

static void
scribe_take_imaged(void *ctx, struct link_call *call, struct link_msg *m)
{
	(void)call;
	scribe_rule(ctx, ROLE_IMAGED, m->body);
}

/* ---- parent ---- */

static void
scribe_take_file(void *ctx, struct link_call *call, struct link_msg *m)
{
	const struct fixed_audit_file *f = m->body;
	struct scribe *s = ctx;
	struct line l;

	(void)call;
	fdio_close(&s->fd);
	s->fd = link_take_fd(m, 0);
	s->to = f->to < AUDIT_TO_COUNT ? (enum audit_to)f->to : AUDIT_TO_STDERR;
	s->broken = false;
	line_begin(&l, "open", role_name(ROLE_SCRIBE));
	scribe_write(s, &l);
}

static void
scribe_attached(void *ctx, enum role peer)
{
	if (peer == ROLE_STREAMD)
		scribe_tell(ctx);
}

static const struct link_handler scribe_handlers[] = {
	{ MSG_AUDIT_FILE, scribe_take_file },
};

static const struct link_handler scribe_front_handlers[] = {
	{ MSG_AUDIT_CALL, scribe_take_call },
};

static const struct link_handler scribe_execd_handlers[] = {
	{ MSG_AUDIT_RULE, scribe_take_execd },
};

static const struct link_handler scribe_netd_handlers[] = {
	{ MSG_AUDIT_RULE, scribe_take_netd },
};

static const struct link_handler scribe_imaged_handlers[] = {
	{ MSG_AUDIT_RULE, scribe_take_imaged },
};

/* Fixed messages only. */
#define SCRIBE_LINK(role, table)                                               \
	{                                                                      \
		.self = ROLE_SCRIBE, .peer = (role), .handlers = (table),      \
		.nhandlers = 1, .lost = helper_link_lost,                      \
	}

static const struct link_def scribe_links[] = {
	SCRIBE_LINK(ROLE_FRONT, scribe_front_handlers),
	SCRIBE_LINK(ROLE_EXECD, scribe_execd_handlers),
	SCRIBE_LINK(ROLE_NETD, scribe_netd_handlers),
	SCRIBE_LINK(ROLE_IMAGED, scribe_imaged_handlers),
	{
	    .self = ROLE_SCRIBE,
	    .peer = ROLE_STREAMD,
	    .lost = helper_link_lost,
	},
};

/* No limit of a file's size: the log's is the administrator's business. */
static const struct confine_limit scribe_limits[] = {
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_NOFILE, 64 },
	{ RLIMIT_AS, 256UL * 1024 * 1024 },
	{ RLIMIT_MEMLOCK, 0 },
	{ RLIMIT_CORE, 0 },
	{ -1, 0 },
};

static const struct confine scribe_confine = {
	.role = "scribe",
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID |
		     MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_NO_FILES,
	.limits = scribe_limits,
	.filter = &filter_scribe,
};

static const struct helper_def scribe_def = {
	.role = ROLE_SCRIBE,
	.pb = &codec_pb,
	.confine = &scribe_confine,
	.links = scribe_links,
	.nlinks = sizeof(scribe_links) / sizeof(scribe_links[0]),
	.handlers = scribe_handlers,
	.nhandlers = 1,
	.attached = scribe_attached,
};

int
main(void)
{
	static struct scribe s = { .fd = -1 };

	s.helper = helper_new(&scribe_def, &s, HELPER_PARENT_FD);
	s.timer = evtimer_new(helper_base(s.helper), scribe_late, &s);
	if (s.timer == NULL)
		fatalx("evtimer_new");
	helper_boot_run(s.helper);
}
