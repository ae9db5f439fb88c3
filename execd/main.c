#include <sys/utsname.h>

#include <linux/mount.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/ctr.h"
#include "execd/exec.h"
#include "execd/execd.h"
#include "execd/hooks.h"
#include "execd/info.h"
#include "execd/nri.h"
#include "execd/pod.h"
#include "execd/runtime.h"
#include "execd/stream.h"
#include "execd/stats.h"
#include "imsg/audit.h"
#include "imsg/codec.h"
#include "imsg/guard.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/json.h"
#include "lib/log.h"

static struct execd execd;

extern const struct filter filter_execd;

/*
 * Descriptors: a link for each running container, three for each exec; those
 * of streams are passed on at once.
 * Memory: EXEC_TOTAL_MAX, and a copy or two of the largest answer.
 */
static const struct confine_limit execd_limits[] = {
	{ RLIMIT_NOFILE, 16384 },
	{ RLIMIT_NPROC, 0 },
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_MEMLOCK, 0 },
	{ RLIMIT_AS, 1024UL * 1024 * 1024 },
	{ -1, 0 },
};

static const struct confine execd_confine = {
	.role = "execd",
	.unshare = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.limits = execd_limits,
	.filter = &filter_execd,
};

static const struct link_handler execd_front_handlers[] = {
	{ MSG_POD_CREATE, pod_take_create },
	{ MSG_POD_REMOVE, pod_take_remove },
	{ MSG_CTR_CREATE, ctr_take_create },
	{ MSG_CTR_START, ctr_take_start },
	{ MSG_CTR_SIGNAL, ctr_take_signal },
	{ MSG_CTR_REMOVE, ctr_take_remove },
	{ MSG_CTR_REOPEN, ctr_take_reopen },
	{ MSG_CTR_EXEC, exec_take },
	{ MSG_CTR_STREAM, stream_take },
	{ MSG_CTR_LIST, ctr_take_list },
	{ MSG_CTR_DIRS, ctr_take_dirs },
	{ MSG_CTR_INFO, info_take_ctr },
	{ MSG_POD_INFO, info_take_pod },
	{ MSG_CTR_UPDATE, ctr_take_update },
	{ MSG_CTR_CHECKPOINT, ctr_take_checkpoint },
	{ MSG_STATS_GET, stats_take_get },
	{ MSG_RUNTIMES, runtime_take_list },
};

static const struct link_handler execd_streamd_handlers[] = {
	{ MSG_STREAM_END, stream_take_end },
};

static const struct link_handler execd_launcher_handlers[] = {
	{ MSG_L_EXEC_TTY, stream_take_tty },
};

static void
execd_launcher_lost(void *ctx, struct link *link, const char *breach)
{
	runtime_review(ctx);
	helper_link_lost(ctx, link, breach);
}

static const struct link_def execd_links[] = {
	{
	    .self = ROLE_EXECD,
	    .peer = ROLE_FRONT,
	    .handlers = execd_front_handlers,
	    .nhandlers =
		sizeof(execd_front_handlers) / sizeof(execd_front_handlers[0]),
	    .lost = stream_peer_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_EXECD,
	    .peer = ROLE_STREAMD,
	    .handlers = execd_streamd_handlers,
	    .nhandlers = 1,
	    .lost = stream_peer_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_EXECD,
	    .peer = ROLE_IMAGED,
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_EXECD,
	    .peer = ROLE_NRID,
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_EXECD,
	    .peer = ROLE_SCRIBE,
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_EXECD,
	    .peer = ROLE_EXECLAUNCH,
	    .handlers = execd_launcher_handlers,
	    .nhandlers = 1,
	    .lost = execd_launcher_lost,
	},
};

/* One entry of the root: a container, or a pod behind '@'. */
static void
execd_adopt(struct execd *x, const char *name)
{
	if (name[0] == '@' && id_valid(name + 1))
		pod_adopt(x, name + 1);
	else if (id_valid(name))
		ctr_adopt(x, name);
	else if (name[0] != '.')
		log_warn("%.80s: not mine", name);
}

static int
execd_scan(struct execd *x, struct cerr *err)
{
	DIR *d = opendir("/");
	struct dirent *e;

	if (d == NULL)
		return cerr_errno(err, "open the bundle directory");
	while ((e = readdir(d)) != NULL)
		execd_adopt(x, e->d_name);
	(void)closedir(d);
	return 0;
}

/* How many CPUs to mask; the affinity is the only list seen from here. */
static unsigned int
execd_count_cpus(void)
{
	cpu_set_t set;
	unsigned int last = 0;

	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 0;
	for (unsigned int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set))
			last = i + 1;
	}
	return last;
}

static void
execd_hooks(struct execd *x)
{
	x->hooks = hooks_new();
	for (size_t i = 0; i < x->boot->n_hooks; i++) {
		const Criod__BootHook *h = x->boot->hooks[i];

		hooks_add(x->hooks, h->name, h->text.data, h->text.len);
	}
}

static int
execd_boot(void *ctx, const struct Criod__Boot *boot, struct cerr *err)
{
	struct execd *x = ctx;
	struct utsname un;

	if (boot->execd == NULL || boot->execd->n_runtimes == 0)
		return cerr_set(err, CERR_INTERNAL, "BOOT says nothing of me");
	x->boot = boot->execd;
	x->root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->root == -1)
		return cerr_errno(err, "open /");
	x->cpus = execd_count_cpus();
	/* A copy of the host's as of now: the namespace is our own. */
	if (uname(&un) == -1)
		return cerr_errno(err, "uname");
	(void)snprintf(x->hostname, sizeof(x->hostname), "%s", un.nodename);
	if (sscanf(un.release, "%5u.%5u", &x->kernel[0], &x->kernel[1]) != 2)
		return cerr_set(err, CERR_INTERNAL, "kernel version \"%.64s\"",
		    un.release);
	execd_hooks(x);
	x->guard = guard_new(x->boot->policy, x->boot->n_policy,
	    audit_new(helper_link(x->helper, ROLE_SCRIBE), x->boot->audit));
	runtime_init(x);
	return execd_scan(x, err);
}

static void
execd_attached(void *ctx, enum role peer)
{
	struct execd *x = ctx;

	if (peer == ROLE_IMAGED) {
		ctr_announce(x);
	} else if (peer == ROLE_NRID) {
		nri_announce(x);
	} else if (peer == ROLE_EXECLAUNCH) {
		runtime_probe(x);
		ctr_resume(x);
		pod_resume(x);
	}
}

static const struct helper_def execd_def = {
	.role = ROLE_EXECD,
	.pb = &codec_pb,
	.confine = &execd_confine,
	.links = execd_links,
	.nlinks = sizeof(execd_links) / sizeof(execd_links[0]),
	.boot = execd_boot,
	.attached = execd_attached,
};

int
main(void)
{
	LIST_INIT(&execd.ctrs);
	LIST_INIT(&execd.pods);
	LIST_INIT(&execd.execs);
	LIST_INIT(&execd.streams);
	json_init();
	execd.stats = stats_new(&execd);
	execd.helper = helper_new(&execd_def, &execd, HELPER_PARENT_FD);
	helper_boot_run(execd.helper);
}
