#include <sys/socket.h>
#include <sys/wait.h>

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "imsg/codec.h"
#include "imsg/fixed.h"
#include "imsg/link.h"
#include "proto/msg.pb-c.h"
#include "parent/conf.h"
#include "parent/dirs.h"
#include "parent/files.h"
#include "parent/lookaside.h"
#include "parent/metrics.h"
#include "parent/parent.h"
#include "parent/plugins.h"
#include "parent/proc.h"
#include "parent/regfiles.h"
#include "parent/roles.h"
#include "parent/spawn.h"
#include "parent/unpacks.h"

#define PROC_BACKOFF_MS	    50
#define PROC_BACKOFF_MAX_MS 5000
#ifndef PROC_STEADY_MS
#define PROC_STEADY_MS 30000 /* lived so long: the back-off is reset */
#endif
#define PROC_READY_MS	 60000
#define PROC_STOP_MS	 4000
#define PROC_GONE_MS	 1000 /* its link ended, and it should, too */
#define PROC_LINKED_MS	 1000 /* until its links have reached all peers */
#define PROC_FIRST_TRIES 5    /* before criod was ever ready */

enum proc_state {
	PROC_DOWN,     /* no process; a timer may start one */
	PROC_BOOTING,  /* READY has not come */
	PROC_RUNNING,  /* READY came */
	PROC_STOPPING, /* STOP was sent, or its link ended */
	PROC_DYING,    /* SIGKILL was sent */
	PROC_NSTATES,
};

static const char *const proc_state_names[] = {
	[PROC_DOWN] = "down",
	[PROC_BOOTING] = "booting",
	[PROC_RUNNING] = "running",
	[PROC_STOPPING] = "stopping",
	[PROC_DYING] = "dying",
};

/* Row: from; column: to. */
static const bool proc_transitions[PROC_NSTATES][PROC_NSTATES] = {
	[PROC_DOWN] = { [PROC_BOOTING] = true },
	[PROC_BOOTING] = { [PROC_RUNNING] = true,
	    [PROC_STOPPING] = true,
	    [PROC_DYING] = true,
	    [PROC_DOWN] = true },
	[PROC_RUNNING] = { [PROC_STOPPING] = true,
	    [PROC_DYING] = true,
	    [PROC_DOWN] = true },
	[PROC_STOPPING] = { [PROC_DYING] = true, [PROC_DOWN] = true },
	[PROC_DYING] = { [PROC_DOWN] = true },
};

struct proc {
	struct parent *parent;
	const struct roles_info *info;
	struct plan *plan;
	enum proc_state state;
	pid_t pid;
	struct link_def def;
	struct link *link;
	struct event *timer; /* one at a time, by state */
	struct mono started;
	int64_t backoff_ms;
	bool expected; /* it was told to stop */
	unsigned int tries;
	uint64_t restarts, violations;
	bool asked;  /* PING was sent, PONG has not come */
	bool silent; /* and it was named for that */
	struct mono asked_at;
};

static void proc_timer(evutil_socket_t fd, short what, void *arg);

static const char *
proc_name(const struct proc *p)
{
	return p->info->program;
}

static void
proc_set_state(struct proc *p, enum proc_state state)
{
	if (p->state == state)
		return;
	if (!proc_transitions[p->state][state])
		fatalx("%s: from %s to %s", proc_name(p),
		    proc_state_names[p->state], proc_state_names[state]);
	log_debug("%s: %s, was %s", proc_name(p), proc_state_names[state],
	    proc_state_names[p->state]);
	p->state = state;
}

static bool
proc_wanted(const struct proc *p)
{
	return p->info->wanted == NULL || p->info->wanted(p->parent->conf);
}

static void
proc_set_timer(struct proc *p, int64_t ms)
{
	struct timeval tv = { ms / 1000, (ms % 1000) * 1000 };

	(void)evtimer_del(p->timer);
	if (ms > 0 && evtimer_add(p->timer, &tv) == -1)
		fatalx("evtimer_add");
}

/*
 * By pid is safe here: p->pid is a child of ours that is not reaped yet, so
 * the number cannot be another's.
 */
void
proc_kill(struct proc *p, const char *why)
{
	if (p->state == PROC_DOWN || p->state == PROC_DYING)
		return;
	log_warn("killing %s[%d]: %s", proc_name(p), (int)p->pid, why);
	if (kill(p->pid, SIGKILL) == -1)
		log_error("kill %s: %s", proc_name(p), strerror(errno));
	proc_set_state(p, PROC_DYING);
	proc_set_timer(p, 0);
}

void
proc_tell_figures(const struct proc *p)
{
	struct metrics_figures f = { p->restarts, p->violations, p->silent };

	metrics_send(p->parent, proc_name(p), &f);
}

/* ---- what helpers send ---- */

static void
proc_take_ready(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct proc *p = ctx;

	(void)call;
	(void)m;
	if (p->state == PROC_RUNNING) {
		proc_kill(p, "sent READY again");
		return;
	}
	if (p->state != PROC_BOOTING)
		return;
	proc_set_state(p, PROC_RUNNING);
	proc_set_timer(p, 0);
	p->tries = 0;
	log_debug("%s[%d] is ready", proc_name(p), (int)p->pid);
	if (p->info->role == ROLE_NRID)
		plugins_start(p->parent->plugins, p->link);
	parent_review(p->parent);
}

static void
proc_take_peer_bad(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct proc *p = ctx;
	const struct fixed_peer_bad *bad = m->body;
	struct proc *peer = proc_find(p->parent, bad->role);
	const char *peer_name = role_name((enum role)bad->role);

	(void)call;
	if ((bad->role == ROLE_UNPACK || bad->role == ROLE_PACK) &&
	    p->info->role == ROLE_IMAGED) {
		unpacks_kill(p->parent->unpacks, "one broke the protocol");
		return;
	}
	if (peer == NULL || (p->info->links & bad->role) == 0) {
		log_info("%s says of %s that it broke the protocol",
		    proc_name(p), peer_name);
		return;
	}
	log_warn("%s says of %s that it broke the protocol", proc_name(p),
	    peer_name);
	proc_kill(peer, "a peer complained");
}

/* By death or not: who lives and has not its links is of no use. */
static void
proc_take_peer_gone(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct proc *p = ctx;
	const struct fixed_peer_bad *gone = m->body;
	struct proc *peer = proc_find(p->parent, gone->role);

	(void)call;
	if (peer == NULL || (p->info->links & gone->role) == 0 ||
	    peer->state != PROC_RUNNING ||
	    mono_now().ns - peer->started.ns < PROC_LINKED_MS * MONO_NS_PER_MS)
		return;
	log_warn("%s has no link with %s any more", proc_name(p),
	    proc_name(peer));
	proc_kill(peer, "closed a link");
}

static void
proc_take_scan(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct proc *p = ctx;
	const struct fixed_scan *scan = m->body;
	struct fixed_none none = { 0 };
	struct cerr err;

	if (p->state == PROC_DYING || scan->kind >= FILES_KINDS ||
	    (p->info->files & ROLES_FILE(scan->kind)) == 0) {
		(void)cerr_set(&err, CERR_PERMISSION_DENIED,
		    "not a file of this role's");
		link_refuse(call, &err);
		return;
	}
	files_send(p->link, p->parent->conf, scan->kind, true);
	link_reply(call, MSG_SCANNED, &none, NULL, 0);
	if (link_waiting(p->link) > FILES_WAITING_MAX)
		proc_kill(p, "does not read what it asks for");
}

static void
proc_take_unpack(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct proc *p = ctx;
	const struct fixed_unpack_spawn *u = m->body;

	unpacks_spawn(p->parent->unpacks, call, u->layer, u->op);
	if (link_waiting(p->link) > FILES_WAITING_MAX)
		proc_kill(p, "does not read what it asks for");
}

static void
proc_take_auth(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct proc *p = ctx;
	const struct fixed_auth_take *a = m->body;
	struct fixed_none none = { 0 };
	struct cerr err;
	int fd;

	if (regfiles_take(p->parent->conf, a->namespace, a->digest, &fd,
		&err) == -1)
		link_refuse(call, &err);
	else
		link_reply(call, MSG_AUTH_TAKEN, &none, &fd, fd == -1 ? 0 : 1);
	if (link_waiting(p->link) > FILES_WAITING_MAX)
		proc_kill(p, "does not read what it asks for");
}

static void
proc_take_registries(void *ctx, struct link_call *call, struct link_msg *m)
{
	Criod__RegistryFiles *files = malloc(sizeof(*files));
	struct proc *p = ctx;
	struct cerr err;

	(void)m;
	if (files == NULL)
		fatal("malloc");
	criod__registry_files__init(files);
	if (regfiles_now(files, p->parent->conf, &err) == -1)
		link_refuse(call, &err);
	else
		link_reply(call, MSG_REG_TAKEN, files, NULL, 0);
	criod__registry_files__free_unpacked(files, NULL);
	if (link_waiting(p->link) > FILES_WAITING_MAX)
		proc_kill(p, "does not read what it asks for");
}

static void
proc_take_sig_file(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct proc *p = ctx;
	struct fixed_none none = { 0 };
	struct cerr err;
	int fd = lookaside_open(p->plan->boot->imaged->trust, m->body, &err);

	if (fd == -1)
		link_refuse(call, &err);
	else
		link_reply(call, MSG_SIG_FILE_IS, &none, &fd, 1);
	if (link_waiting(p->link) > FILES_WAITING_MAX)
		proc_kill(p, "does not read what it asks for");
}

/* The message table says who may send which. */
static const struct link_handler proc_handlers[] = {
	{ MSG_READY, proc_take_ready },
	{ MSG_PEER_BAD, proc_take_peer_bad },
	{ MSG_PEER_GONE, proc_take_peer_gone },
	{ MSG_SCAN, proc_take_scan },
	{ MSG_UNPACK_SPAWN, proc_take_unpack },
	{ MSG_SIG_FILE, proc_take_sig_file },
	{ MSG_AUTH_TAKE, proc_take_auth },
	{ MSG_REG_TAKE, proc_take_registries },
};

/*
 * A breach costs the helper its life.  An end of file is mostly the first
 * news of its death, whose cause SIGCHLD brings; it has a moment for that.
 */
static void
proc_link_lost(void *ctx, struct link *link, const char *breach)
{
	struct proc *p = ctx;

	(void)link;
	if (breach != NULL) {
		proc_kill(p, breach);
		return;
	}
	if (p->state == PROC_BOOTING || p->state == PROC_RUNNING) {
		proc_set_state(p, PROC_STOPPING);
		proc_set_timer(p, PROC_GONE_MS);
	}
}

/*
 * The parent packs protobuf and never unpacks any: what a helper sends it is
 * of fixed size.
 */
static void *
proc_unpack_nothing(enum msg_type type, const uint8_t *data, size_t len)
{
	(void)type;
	(void)data;
	(void)len;
	return NULL;
}

static struct codec_pb proc_pb;

struct proc *
proc_new(struct parent *parent, const struct roles_info *info,
    struct plan *plan)
{
	struct proc *p = calloc(1, sizeof(*p));

	if (p == NULL)
		fatal("calloc");
	proc_pb = codec_pb;
	proc_pb.unpack = proc_unpack_nothing;
	p->parent = parent;
	p->info = info;
	p->plan = plan;
	p->def = (struct link_def){
		.self = ROLE_PARENT,
		.peer = info->role,
		.handlers = proc_handlers,
		.nhandlers = sizeof(proc_handlers) / sizeof(proc_handlers[0]),
		.lost = proc_link_lost,
		.pb = &proc_pb,
	};
	p->timer = evtimer_new(parent->base, proc_timer, p);
	if (p->timer == NULL)
		fatalx("evtimer_new");
	return p;
}

void
proc_free(struct proc *p)
{
	if (p == NULL)
		return;
	link_free(p->link);
	event_free(p->timer);
	plan_free(p->plan);
	free(p);
}

/* ---- starting ---- */

/* Both ends are the helpers'; the parent keeps none. */
static void
proc_link_peer(struct proc *a, struct proc *b)
{
	struct fixed_link to_a = { b->info->role };
	struct fixed_link to_b = { a->info->role };
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, sv) == -1) {
		log_error("socketpair: %s", strerror(errno));
		return;
	}
	(void)link_send(a->link, MSG_LINK, &to_a, &sv[0], 1);
	(void)link_send(b->link, MSG_LINK, &to_b, &sv[1], 1);
}

static void
proc_link_peers(struct proc *p)
{
	for (size_t i = 0; i < p->parent->nprocs; i++) {
		struct proc *peer = p->parent->procs[i];

		if ((p->info->links & (unsigned int)peer->info->role) != 0 &&
		    (peer->state == PROC_BOOTING ||
			peer->state == PROC_RUNNING))
			proc_link_peer(p, peer);
	}
}

static void
proc_send_listener(struct proc *p, const struct listener *l)
{
	Criod__Listener body;
	int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 3);

	if (fd == -1) {
		log_error("%s: %s", l->name, strerror(errno));
		return;
	}
	criod__listener__init(&body);
	body.kind = (Criod__Listener__Kind)l->kind;
	body.name = l->actual;
	(void)link_send(p->link, MSG_LISTENER, &body, &fd, 1);
}

static void
proc_send_listeners(struct proc *p)
{
	const struct listener *l;

	TAILQ_FOREACH(l, &p->parent->listeners, entry) {
		if ((p->info->listeners & ROLES_LISTENER(l->kind)) != 0)
			proc_send_listener(p, l);
	}
}

static int
proc_send_boot(struct proc *p, struct cerr *err)
{
	int root = -1;

	if (p->plan->boot == NULL)
		return 0;
	if (p->info->root != DIRS_NONE) {
		root = dirs_open(p->parent->conf, p->info->root, err);
		if (root == -1)
			return -1;
	}
	if (link_send(p->link, MSG_BOOT, p->plan->boot, &root,
		root == -1 ? 0 : 1) == -1)
		return cerr_set(err, CERR_INTERNAL, "BOOT was not sent");
	return 0;
}

/* What runtimes and plugins look up by name, should a launcher not say. */
static char *const proc_env[] = {
	(char[]){ "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
		  ":/sbin:/bin" },
	NULL,
};
static char *const proc_env_none[] = { NULL };

static int
proc_spawn(struct proc *p, struct cerr *err)
{
	struct spawn_def def = {
		.path = p->plan->path,
		.argv = p->plan->args.argv,
		.envp = p->plan->boot == NULL ? proc_env : proc_env_none,
		.nfds = 4,
		.umask = p->info->umask,
	};
	CLEANUP_FD int theirs = -1;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return cerr_errno(err, "socketpair");
	theirs = sv[1];
	def.fds[0] = def.fds[1] = p->parent->null_fd;
	def.fds[2] = STDERR_FILENO;
	def.fds[3] = theirs;
	p->pid = spawn_run(&def, err);
	if (p->pid == -1) {
		fdio_close(&sv[0]);
		return -1;
	}
	p->link = link_new(p->parent->base, &p->def, p);
	link_attach(p->link, sv[0]);
	return 0;
}

static void
proc_send_files(struct proc *p)
{
	for (unsigned int kind = 0; kind < FILES_KINDS; kind++) {
		if ((p->info->files & ROLES_FILE(kind)) != 0)
			files_send(p->link, p->parent->conf, kind, false);
	}
}

/* As enum audit_to. */
void
proc_send_audit(struct proc *p)
{
	struct fixed_audit_file body = { p->parent->conf->audit_to };
	int fd;

	if (p->info->role != ROLE_SCRIBE || p->link == NULL ||
	    p->parent->audit_fd == -1)
		return;
	fd = fcntl(p->parent->audit_fd, F_DUPFD_CLOEXEC, 3);
	if (fd == -1)
		log_error("audit log: %s", strerror(errno));
	else
		(void)link_send(p->link, MSG_AUDIT_FILE, &body, &fd, 1);
}

void
proc_begin(struct proc *p)
{
	struct fixed_none none = { 0 };

	if (p->link != NULL)
		(void)link_send(p->link, MSG_START, &none, NULL, 0);
}

static void
proc_back_off(struct proc *p)
{
	p->backoff_ms =
	    p->backoff_ms == 0 ? PROC_BACKOFF_MS : p->backoff_ms * 2;
	if (p->backoff_ms > PROC_BACKOFF_MAX_MS)
		p->backoff_ms = PROC_BACKOFF_MAX_MS;
	proc_set_timer(p, p->backoff_ms);
}

int
proc_start(struct proc *p)
{
	struct cerr err;

	if (!proc_wanted(p))
		return 0;
	p->expected = false;
	p->tries++;
	if (proc_spawn(p, &err) == -1) {
		log_error("%s", err.text);
		proc_back_off(p);
		return -1;
	}
	p->started = mono_now();
	proc_set_state(p, PROC_BOOTING);
	proc_set_timer(p, PROC_READY_MS);
	log_debug("started %s[%d]", proc_name(p), (int)p->pid);
	if (proc_send_boot(p, &err) == -1) {
		proc_kill(p, err.text);
		return -1;
	}
	proc_send_listeners(p);
	proc_send_files(p);
	proc_send_audit(p);
	proc_link_peers(p);
	if (p->info->role == ROLE_STREAMD)
		metrics_send_all(p->parent);
	if (p->parent->linked)
		proc_begin(p);
	return 0;
}

/* ---- watching ---- */

int64_t
proc_silent_ms(const struct proc *p)
{
	return p->asked ? (mono_now().ns - p->asked_at.ns) / MONO_NS_PER_MS : 0;
}

static void
proc_answered(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct proc *p = arg;

	(void)m;
	if (p->silent && err == NULL)
		log_info("%s[%d] answers again after %" PRId64 " ms",
		    proc_name(p), (int)p->pid, proc_silent_ms(p));
	p->asked = false;
	if (!p->silent)
		return;
	p->silent = false;
	proc_tell_figures(p);
}

/* It was asked a while ago. */
static void
proc_blame(struct proc *p, int64_t kill_ms)
{
	if (proc_silent_ms(p) >= kill_ms) {
		proc_kill(p, "does not answer");
		return;
	}
	if (p->silent)
		return;
	p->silent = true;
	log_warn("%s[%d] has not answered for %" PRId64 " ms", proc_name(p),
	    (int)p->pid, proc_silent_ms(p));
	proc_tell_figures(p);
}

void
proc_ask(struct proc *p, int64_t kill_ms)
{
	struct fixed_none none = { 0 };

	if (p->state != PROC_RUNNING)
		return;
	if (p->asked) {
		proc_blame(p, kill_ms);
		return;
	}
	p->asked = true;
	p->asked_at = mono_now();
	(void)link_request(p->link, MSG_PING, &none, NULL, 0, mono_none(),
	    proc_answered, p);
}

/* ---- ending ---- */

void
proc_stop(struct proc *p)
{
	struct fixed_none none = { 0 };

	p->expected = true;
	if (p->state == PROC_DOWN) {
		proc_set_timer(p, 0);
		return;
	}
	if (p->state != PROC_BOOTING && p->state != PROC_RUNNING)
		return;
	(void)link_send(p->link, MSG_STOP, &none, NULL, 0);
	proc_set_state(p, PROC_STOPPING);
	proc_set_timer(p, PROC_STOP_MS);
}

static void
proc_timer(evutil_socket_t fd, short what, void *arg)
{
	struct proc *p = arg;

	(void)fd;
	(void)what;
	switch (p->state) {
	case PROC_DOWN:
		if (!p->parent->stopping)
			(void)proc_start(p);
		break;
	case PROC_BOOTING:
		proc_kill(p, "was not ready in time");
		break;
	case PROC_STOPPING:
		proc_kill(p, "did not stop");
		break;
	case PROC_RUNNING:
	case PROC_DYING:
	case PROC_NSTATES:
	default:
		break;
	}
}

bool
proc_log_end(const char *name, pid_t pid, int status, bool expected)
{
	bool violation = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;

	if (violation)
		log_error("%s[%d] was killed by its own system call filter",
		    name, (int)pid);
	else if (WIFSIGNALED(status))
		log_warn("%s[%d] was killed by signal %d%s", name, (int)pid,
		    WTERMSIG(status), WCOREDUMP(status) ? ", core dumped" : "");
	else if (WEXITSTATUS(status) != 0 || !expected)
		log_warn("%s[%d] exited with status %d", name, (int)pid,
		    WEXITSTATUS(status));
	else
		log_debug("%s[%d] stopped", name, (int)pid);
	return violation;
}

static void
proc_restart(struct proc *p)
{
	if (p->parent->stopping || !proc_wanted(p))
		return;
	if (!p->parent->ready && p->tries >= PROC_FIRST_TRIES) {
		log_error("%s does not start", proc_name(p));
		parent_stop(p->parent, 1);
		return;
	}
	if (p->expected) {
		(void)proc_start(p);
		return;
	}
	p->restarts++;
	if (mono_now().ns - p->started.ns >= PROC_STEADY_MS * MONO_NS_PER_MS)
		p->backoff_ms = 0;
	proc_back_off(p);
	log_info("%s is started again in %" PRId64 " ms", proc_name(p),
	    p->backoff_ms);
}

bool
proc_reaped(struct proc *p, pid_t pid, int status)
{
	if (p->state == PROC_DOWN || p->pid != pid)
		return false;
	if (proc_log_end(proc_name(p), pid, status, p->expected))
		p->violations++;
	link_free(p->link);
	p->link = NULL;
	p->pid = -1;
	p->asked = p->silent = false;
	proc_set_timer(p, 0);
	proc_set_state(p, PROC_DOWN);
	if (p->info->role == ROLE_IMAGED)
		unpacks_kill(p->parent->unpacks, "imaged ended");
	if (p->info->role == ROLE_NRID)
		plugins_kill(p->parent->plugins, "nrid ended");
	proc_restart(p);
	proc_tell_figures(p);
	parent_review(p->parent);
	return true;
}

/* ---- small things ---- */

void
proc_reload(struct proc *p, struct plan *plan, bool must)
{
	bool changed = must || !plan_equal(p->plan, plan);

	plan_free(p->plan);
	p->plan = plan;
	if (p->state == PROC_DOWN) {
		/* The timer of one that died starts the new one. */
		if (!evtimer_pending(p->timer, NULL))
			(void)proc_start(p);
		return;
	}
	if (changed || !proc_wanted(p)) {
		log_info("%s %s", proc_wanted(p) ? "restarting" : "ending",
		    proc_name(p));
		proc_stop(p);
	} else if (p->info->role == ROLE_IMAGED ||
		   p->info->role == ROLE_STREAMD)
		proc_send_files(p);
}

bool
proc_running(const struct proc *p)
{
	return p->state == PROC_RUNNING ||
	       (p->state == PROC_DOWN && !proc_wanted(p));
}

bool
proc_gone(const struct proc *p)
{
	return p->state == PROC_DOWN;
}

const struct roles_info *
proc_info(const struct proc *p)
{
	return p->info;
}

struct link *
proc_link(struct proc *p)
{
	return p->link;
}

struct proc *
proc_find(struct parent *parent, unsigned int role)
{
	for (size_t i = 0; i < parent->nprocs; i++) {
		if ((unsigned int)parent->procs[i]->info->role == role)
			return parent->procs[i];
	}
	return NULL;
}
