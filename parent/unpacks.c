#include <sys/socket.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "imsg/fixed.h"
#include "imsg/link.h"
#include "parent/dirs.h"
#include "parent/metrics.h"
#include "parent/parent.h"
#include "parent/plan.h"
#include "parent/proc.h"
#include "parent/roles.h"
#include "parent/spawn.h"
#include "parent/unpacks.h"

enum { UNPACKS_WRITE = 0, UNPACKS_REMOVE = 1 };

struct unpacks {
	struct parent *parent;
	struct plan *plan;
	pid_t pids[UNPACKS_MAX]; /* 0: free */
	size_t alive;
	uint64_t violations;
};

struct unpacks *
unpacks_new(struct parent *parent, struct plan *plan)
{
	struct unpacks *u = calloc(1, sizeof(*u));

	if (u == NULL)
		fatal("calloc");
	u->parent = parent;
	u->plan = plan;
	return u;
}

void
unpacks_free(struct unpacks *u)
{
	if (u != NULL)
		plan_free(u->plan);
	free(u);
}

void
unpacks_set_plan(struct unpacks *u, struct plan *plan)
{
	plan_free(u->plan);
	u->plan = plan;
}

static pid_t *
unpacks_slot(struct unpacks *u, pid_t pid)
{
	for (size_t i = 0; i < UNPACKS_MAX; i++) {
		if (u->pids[i] == pid)
			return &u->pids[i];
	}
	return NULL;
}

static int
unpacks_start(struct unpacks *u, pid_t *slot, int link, int root,
    struct cerr *err)
{
	static char *const env[] = { NULL };
	struct spawn_def def = {
		.path = u->plan->path,
		.argv = u->plan->args.argv,
		.envp = env,
		.fds = { u->parent->null_fd, u->parent->null_fd, STDERR_FILENO,
		    link, root },
		.nfds = 5,
		.umask = roles_unpack.umask,
	};
	pid_t pid = spawn_run(&def, err);

	if (pid == -1)
		return -1;
	*slot = pid;
	u->alive++;
	return 0;
}

/* imaged's end of the link; -1 with err. */
static int
unpacks_try(struct unpacks *u, uint64_t layer, uint32_t op, struct cerr *err)
{
	CLEANUP_FD int root = -1;
	CLEANUP_FD int theirs = -1;
	pid_t *slot = unpacks_slot(u, 0);
	int sv[2];

	if (op != UNPACKS_WRITE && op != UNPACKS_REMOVE)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "no such operation of unpack");
	if (slot == NULL)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "%d layers are being written already", UNPACKS_MAX);
	root = dirs_open_layer(u->parent->conf, &u->parent->ids[ACCOUNT_IMAGE],
	    layer, op == UNPACKS_WRITE, err);
	if (root == -1)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		return cerr_errno(err, "socketpair");
	theirs = sv[1];
	if (unpacks_start(u, slot, theirs, root, err) == 0)
		return sv[0];
	fdio_close(&sv[0]);
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

/* Their numbers are safe to use: none of them is reaped yet. */
void
unpacks_kill(struct unpacks *u, const char *why)
{
	for (size_t i = 0; i < UNPACKS_MAX; i++) {
		if (u->pids[i] == 0)
			continue;
		log_info("killing unpack[%d]: %s", (int)u->pids[i], why);
		(void)kill(u->pids[i], SIGKILL);
	}
}

bool
unpacks_reaped(struct unpacks *u, pid_t pid, int status)
{
	pid_t *slot = unpacks_slot(u, pid);

	if (slot == NULL)
		return false;
	*slot = 0;
	u->alive--;
	if (proc_log_end(roles_unpack.program, pid, status, true)) {
		u->violations++;
		metrics_send(u->parent, roles_unpack.program, 0, u->violations);
	}
	return true;
}

size_t
unpacks_alive(const struct unpacks *u)
{
	return u->alive;
}

uint64_t
unpacks_violations(const struct unpacks *u)
{
	return u->violations;
}
