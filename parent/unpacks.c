#include <sys/socket.h>

#include <event2/event.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/layerid.h"
#include "lib/log.h"
#include "imsg/fixed.h"
#include "imsg/link.h"
#include "parent/conf.h"
#include "parent/dirs.h"
#include "parent/metrics.h"
#include "parent/parent.h"
#include "parent/plan.h"
#include "parent/proc.h"
#include "parent/roles.h"
#include "parent/spawn.h"
#include "parent/unpacks.h"

/* For one that imaged has let go to end by itself. */
#define UNPACKS_GRACE_S 5

/* By the operation that imaged asks for. */
static const struct unpacks_op {
	enum unpacks_program program;
	bool shelf; /* in an additional store, which the program opens */
	bool layer; /* of that store */
} unpacks_ops[] = {
	{ .program = UNPACKS_UNPACK },
	{ .program = UNPACKS_UNPACK },
	{ .program = UNPACKS_PACK },
	{ .program = UNPACKS_SIGCHECK },
	{ .program = UNPACKS_SHELF, .shelf = true },
	{ .program = UNPACKS_PACK, .shelf = true, .layer = true },
};

const struct roles_info *const unpacks_roles[UNPACKS_PROGRAMS] = {
	[UNPACKS_UNPACK] = &roles_unpack,
	[UNPACKS_PACK] = &roles_pack,
	[UNPACKS_SIGCHECK] = &roles_sigcheck,
	[UNPACKS_SHELF] = &roles_shelf,
};

/* A copy of its end of the link tells when imaged has closed the other. */
struct unpacks_slot {
	pid_t pid; /* 0: free */
	enum unpacks_program program;
	int link;
	struct event *left, *late;
};

struct unpacks {
	struct parent *parent;
	struct plan *plans[UNPACKS_PROGRAMS];
	struct unpacks_slot slots[UNPACKS_MAX];
	size_t alive;
	uint64_t violations[UNPACKS_PROGRAMS];
};

struct unpacks *
unpacks_new(struct parent *parent)
{
	struct unpacks *u = calloc(1, sizeof(*u));

	if (u == NULL)
		fatal("calloc");
	u->parent = parent;
	return u;
}

static void
unpacks_slot_clear(struct unpacks_slot *s)
{
	if (s->pid == 0)
		return;
	event_free(s->left);
	event_free(s->late);
	fdio_close(&s->link);
	s->pid = 0;
}

void
unpacks_free(struct unpacks *u)
{
	if (u == NULL)
		return;
	for (size_t i = 0; i < UNPACKS_PROGRAMS; i++)
		plan_free(u->plans[i]);
	for (size_t i = 0; i < UNPACKS_MAX; i++)
		unpacks_slot_clear(&u->slots[i]);
	free(u);
}

void
unpacks_set_plan(struct unpacks *u, enum unpacks_program program,
    struct plan *plan)
{
	plan_free(u->plans[program]);
	u->plans[program] = plan;
}

static struct unpacks_slot *
unpacks_slot(struct unpacks *u, pid_t pid)
{
	for (size_t i = 0; i < UNPACKS_MAX; i++) {
		if (u->slots[i].pid == pid)
			return &u->slots[i];
	}
	return NULL;
}

/* Which additional store the layer is in; NULL if there is none like that. */
static const char *
unpacks_store(const struct unpacks *u, uint64_t layer)
{
	const struct conf_word *w;

	TAILQ_FOREACH(w, &u->parent->conf->words[CONF_STORE], entry) {
		if (layerid_of_path(w->text) == layerid_store(layer))
			return w->text;
	}
	return NULL;
}

/* The program's arguments and, of an additional store, where that is. */
static int
unpacks_args(const struct unpacks *u, const struct unpacks_op *op,
    uint64_t layer, struct plan_args *a, struct cerr *err)
{
	const struct plan_args *base = &u->plans[op->program]->args;
	const char *store = op->shelf ? unpacks_store(u, layer) : NULL;

	for (size_t i = 0; i < base->argc; i++)
		plan_add(a, "%s", base->argv[i]);
	if (!op->shelf)
		return 0;
	if (store == NULL)
		return cerr_set(err, CERR_NOT_FOUND,
		    "no such additional store");
	plan_add(a, "-d");
	plan_add(a, "%s", store);
	if (op->layer) {
		plan_add(a, "-n");
		plan_add(a, "%llu", (unsigned long long)layerid_number(layer));
	}
	return 0;
}

/* Its number is safe to use: it is not reaped yet. */
static void
unpacks_slot_kill(const struct unpacks_slot *s, const char *why)
{
	log_info("killing %s[%d]: %s", unpacks_roles[s->program]->program,
	    (int)s->pid, why);
	(void)kill(s->pid, SIGKILL);
}

static void
unpacks_left(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval grace = { UNPACKS_GRACE_S, 0 };
	struct unpacks_slot *s = arg;

	(void)fd;
	(void)what;
	(void)evtimer_add(s->late, &grace);
}

/* It works on, or stands still, for nobody. */
static void
unpacks_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	unpacks_slot_kill(arg, "imaged has let it go");
}

static void
unpacks_slot_fill(struct unpacks *u, struct unpacks_slot *s, pid_t pid,
    enum unpacks_program program, int link)
{
	struct event_base *base = u->parent->base;

	s->pid = pid;
	s->program = program;
	s->link = link;
	s->left = event_new(base, link, EV_CLOSED, unpacks_left, s);
	s->late = evtimer_new(base, unpacks_late, s);
	if (s->left == NULL || s->late == NULL ||
	    event_add(s->left, NULL) == -1)
		fatalx("event_new");
	u->alive++;
}

/* Takes link, unless it fails. */
static int
unpacks_start(struct unpacks *u, struct unpacks_slot *slot,
    enum unpacks_program program, char *const *argv, int link, int root,
    struct cerr *err)
{
	static char *const env[] = { NULL };
	struct spawn_def def = {
		.path = u->plans[program]->path,
		.argv = argv,
		.envp = env,
		.fds = { u->parent->null_fd, u->parent->null_fd, STDERR_FILENO,
		    link, root },
		.nfds = 5,
		.umask = unpacks_roles[program]->umask,
	};
	pid_t pid = spawn_run(&def, err);

	if (pid == -1)
		return -1;
	unpacks_slot_fill(u, slot, pid, program, link);
	return 0;
}

/* The layer, but for what has nothing to do with one. */
static int
unpacks_open_root(struct unpacks *u, uint64_t layer,
    const struct unpacks_op *op, struct cerr *err)
{
	enum dirs_root root = unpacks_roles[op->program]->root;

	if (op->shelf)
		root = DIRS_EMPTY;
	if (root != DIRS_NONE)
		return dirs_open(u->parent->conf, root, err);
	return dirs_open_layer(u->parent->conf, layer, err);
}

/* imaged's end of the link; -1 with err. */
static int
unpacks_try(struct unpacks *u, uint64_t layer, uint32_t op, struct cerr *err)
{
	CLEANUP_FD int root = -1;
	struct unpacks_slot *slot = unpacks_slot(u, 0);
	struct plan_args args = { .argc = 0 };
	int sv[2], rc;

	if (op >= sizeof(unpacks_ops) / sizeof(unpacks_ops[0]))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "no such operation");
	if (slot == NULL)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "%d layers and signatures are being worked on already",
		    UNPACKS_MAX);
	root = unpacks_open_root(u, layer, &unpacks_ops[op], err);
	if (root == -1)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return cerr_errno(err, "socketpair");
	rc = unpacks_args(u, &unpacks_ops[op], layer, &args, err);
	if (rc == 0)
		rc = unpacks_start(u, slot, unpacks_ops[op].program, args.argv,
		    sv[1], root, err);
	plan_args_clear(&args);
	if (rc == 0)
		return sv[0];
	fdio_close(&sv[0]);
	fdio_close(&sv[1]);
	return -1;
}

void
unpacks_spawn(struct unpacks *u, struct link_call *call, uint64_t layer,
    uint32_t op)
{
	struct fixed_none none = { 0 };
	struct cerr err;
	int link = unpacks_try(u, layer, op, &err);

	if (link == -1)
		link_refuse(call, &err);
	else
		link_reply(call, MSG_UNPACK_LINK, &none, &link, 1);
}

void
unpacks_kill(struct unpacks *u, const char *why)
{
	for (size_t i = 0; i < UNPACKS_MAX; i++) {
		if (u->slots[i].pid != 0)
			unpacks_slot_kill(&u->slots[i], why);
	}
}

bool
unpacks_reaped(struct unpacks *u, pid_t pid, int status)
{
	struct unpacks_slot *slot = unpacks_slot(u, pid);
	const struct roles_info *role;

	if (slot == NULL)
		return false;
	role = unpacks_roles[slot->program];
	unpacks_slot_clear(slot);
	u->alive--;
	if (proc_log_end(role->program, pid, status, true)) {
		u->violations[slot->program]++;
		unpacks_metrics(u);
	}
	return true;
}

size_t
unpacks_alive(const struct unpacks *u)
{
	return u->alive;
}

void
unpacks_metrics(const struct unpacks *u)
{
	for (size_t i = 0; i < UNPACKS_PROGRAMS; i++) {
		struct metrics_figures f = { .violations = u->violations[i] };

		metrics_send(u->parent, unpacks_roles[i]->program, &f);
	}
}
