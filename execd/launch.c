/*
 * execlaunch: see launch.h.
 *
 *	execlaunch -s STATE -i IMAGE -c CONTAINER -l LIBEXEC -m UID:GID
 *	    -x UID:GID [-S] [-A] [-C dump|restore] [-v LEVEL] [-w FORMAT]
 *	    -r NAME=PATH [-t TYPE] [-a ARGUMENT ...] ... [-p PROFILES ...]
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch.h"
#include "execd/launch_job.h"
#include "execd/launch_label.h"
#include "execd/launch_sysctl.h"
#include "imsg/helper.h"
#include "imsg/link.h"
#include "lib/confine.h"
#include "lib/log.h"

#ifndef LAUNCH_RUN_MS
#define LAUNCH_RUN_MS 120000 /* what runs a runtime */
#endif
#define LAUNCH_FILE_MS	30000
#define LAUNCH_STATS_MS 10000
#define LAUNCH_REMOVE_MS                                                       \
	600000 /* a writable layer may have a million files                    \
		*/

static struct launch launch;

/*
 * caps is filled with what this process has.  Whatever is taken away here is
 * taken from every container: hence no limit, no filter, no no_new_privs.
 */
static struct confine launch_confine = {
	.role = "execlaunch",
	.keep_ids = true,
	.inherit = true,
};

static const struct launch_row launch_rows[] = {
	{ MSG_L_POD_MAKE, launch_pod_make, launch_pod_undo, LAUNCH_RUN_MS,
	    LAUNCH_SHORT, LAUNCH_KILL, NULL },
	{ MSG_L_POD_UNMAKE, launch_pod_unmake, NULL, LAUNCH_RUN_MS,
	    LAUNCH_SHORT, LAUNCH_COMPLETE, NULL },
	{ MSG_L_POD_PAUSE, launch_pod_pause, NULL, LAUNCH_FILE_MS, LAUNCH_SHORT,
	    LAUNCH_KILL, NULL },
	{ MSG_L_ROOTFS, launch_rootfs, launch_rootfs_undo, LAUNCH_FILE_MS,
	    LAUNCH_SHORT, LAUNCH_KILL, NULL },
	{ MSG_L_ROOTFS_DIR, launch_rootfs_dir, NULL, LAUNCH_FILE_MS,
	    LAUNCH_SHORT, LAUNCH_COMPLETE, NULL },
	{ MSG_L_MOUNT, launch_mount, NULL, LAUNCH_FILE_MS, LAUNCH_LONG,
	    LAUNCH_KILL, NULL },
	{ MSG_L_ROOTFS_DROP, launch_rootfs_drop, NULL, LAUNCH_REMOVE_MS,
	    LAUNCH_LONG, LAUNCH_COMPLETE, NULL },
	{ MSG_L_CTR_CREATE, launch_ctr_create, launch_ctr_undo, LAUNCH_RUN_MS,
	    LAUNCH_SHORT, LAUNCH_KILL, NULL },
	{ MSG_L_CTR_START, launch_ctr_start, NULL, LAUNCH_RUN_MS, LAUNCH_SHORT,
	    LAUNCH_COMPLETE, NULL },
	{ MSG_L_CTR_SIGNAL, launch_ctr_signal, NULL, LAUNCH_FILE_MS,
	    LAUNCH_SHORT, LAUNCH_COMPLETE, NULL },
	{ MSG_L_CTR_DELETE, launch_ctr_delete, NULL, LAUNCH_RUN_MS,
	    LAUNCH_SHORT, LAUNCH_COMPLETE, NULL },
	{ MSG_L_CTR_LOG, launch_ctr_log, NULL, LAUNCH_FILE_MS, LAUNCH_SHORT,
	    LAUNCH_COMPLETE, NULL },
	{ MSG_L_EXEC, launch_exec, NULL, 0, LAUNCH_EXEC, LAUNCH_HANGUP, NULL },
	{ MSG_L_STATS, launch_stats, NULL, LAUNCH_STATS_MS, LAUNCH_SHORT,
	    LAUNCH_KILL, NULL },
	{ MSG_L_USAGE, launch_usage, NULL, LAUNCH_REMOVE_MS, LAUNCH_LONG,
	    LAUNCH_KILL, NULL },
	{ MSG_L_CTR_UPDATE, launch_ctr_update, NULL, LAUNCH_RUN_MS,
	    LAUNCH_SHORT, LAUNCH_COMPLETE, NULL },
	{ MSG_L_CHECKPOINT, launch_checkpoint, launch_checkpoint_undo, 0,
	    LAUNCH_LONG, LAUNCH_KILL, launch_checkpoint_ms },
	{ MSG_L_CHECKPOINT_END, launch_checkpoint_end, NULL, LAUNCH_REMOVE_MS,
	    LAUNCH_LONG, LAUNCH_COMPLETE, NULL },
	{ MSG_L_RESTORE, launch_restore, launch_restore_undo, LAUNCH_REMOVE_MS,
	    LAUNCH_LONG, LAUNCH_KILL, NULL },
	{ MSG_L_FEATURES, launch_features, NULL, LAUNCH_FILE_MS, LAUNCH_SHORT,
	    LAUNCH_KILL, NULL },
	{ MSG_L_RELABEL, launch_relabel, NULL, LAUNCH_RUN_MS, LAUNCH_LONG,
	    LAUNCH_KILL, NULL },
	{ MSG_L_PROFILE, launch_profile, NULL, LAUNCH_FILE_MS, LAUNCH_SHORT,
	    LAUNCH_KILL, NULL },
	{ MSG_L_HOST_PATH, launch_host_path, NULL, LAUNCH_FILE_MS, LAUNCH_LONG,
	    LAUNCH_COMPLETE, NULL },
	{ MSG_L_CDI, launch_cdi, NULL, LAUNCH_FILE_MS, LAUNCH_SHORT,
	    LAUNCH_KILL, NULL },
	{ MSG_L_CTR_DIRS, launch_ctr_dirs, NULL, LAUNCH_FILE_MS, LAUNCH_LONG,
	    LAUNCH_KILL, NULL },
	{ MSG_L_DEVICES, launch_devices, NULL, LAUNCH_FILE_MS, LAUNCH_SHORT,
	    LAUNCH_KILL, NULL },
};

#define LAUNCH_NROWS (sizeof(launch_rows) / sizeof(launch_rows[0]))

static void
launch_take(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct launch *l = ctx;
	struct launch_sysctl *sysctls = NULL;
	size_t i = 0, n = 0;

	while (launch_rows[i].type != m->type)
		i++;
	if (m->type == MSG_L_POD_MAKE) {
		const struct fixed_pod_make *body = m->body;

		sysctls = launch_sysctls_take(l->sysctls, body->pod, &n);
	}
	log_debug("%s", msg_info(m->type)->name);
	launch_job_start(l, &launch_rows[i], call, m, sysctls, n);
}

static void
launch_take_sysctl(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct launch *l = ctx;

	(void)call;
	launch_sysctls_add(l->sysctls, m->body);
}

/* What was half told belongs to requests that died with the peer. */
static void
launch_execd_lost(void *ctx, struct link *link, const char *breach)
{
	struct launch *l = ctx;

	launch_sysctls_clear(l->sysctls);
	helper_link_lost(ctx, link, breach);
}

#define LAUNCH_TAKES(type)                                                     \
	{                                                                      \
		type, launch_take                                              \
	}

static const struct link_handler launch_handlers[] = {
	{ MSG_L_POD_SYSCTL, launch_take_sysctl },
	LAUNCH_TAKES(MSG_L_POD_MAKE),
	LAUNCH_TAKES(MSG_L_POD_UNMAKE),
	LAUNCH_TAKES(MSG_L_POD_PAUSE),
	LAUNCH_TAKES(MSG_L_ROOTFS),
	LAUNCH_TAKES(MSG_L_ROOTFS_DIR),
	LAUNCH_TAKES(MSG_L_MOUNT),
	LAUNCH_TAKES(MSG_L_ROOTFS_DROP),
	LAUNCH_TAKES(MSG_L_CTR_CREATE),
	LAUNCH_TAKES(MSG_L_CTR_START),
	LAUNCH_TAKES(MSG_L_CTR_SIGNAL),
	LAUNCH_TAKES(MSG_L_CTR_DELETE),
	LAUNCH_TAKES(MSG_L_CTR_LOG),
	LAUNCH_TAKES(MSG_L_EXEC),
	LAUNCH_TAKES(MSG_L_STATS),
	LAUNCH_TAKES(MSG_L_USAGE),
	LAUNCH_TAKES(MSG_L_CTR_UPDATE),
	LAUNCH_TAKES(MSG_L_CHECKPOINT),
	LAUNCH_TAKES(MSG_L_CHECKPOINT_END),
	LAUNCH_TAKES(MSG_L_RESTORE),
	LAUNCH_TAKES(MSG_L_FEATURES),
	LAUNCH_TAKES(MSG_L_RELABEL),
	LAUNCH_TAKES(MSG_L_PROFILE),
	LAUNCH_TAKES(MSG_L_HOST_PATH),
	LAUNCH_TAKES(MSG_L_CDI),
	LAUNCH_TAKES(MSG_L_CTR_DIRS),
	LAUNCH_TAKES(MSG_L_DEVICES),
};

_Static_assert(sizeof(launch_handlers) / sizeof(launch_handlers[0]) ==
		   LAUNCH_NROWS + 1,
    "each row has its handler");

static const struct link_def launch_links[] = {
	{
	    .self = ROLE_EXECLAUNCH,
	    .peer = ROLE_EXECD,
	    .handlers = launch_handlers,
	    .nhandlers = sizeof(launch_handlers) / sizeof(launch_handlers[0]),
	    .lost = launch_execd_lost,
	},
};

static int
launch_boot(void *ctx, const struct Criod__Boot *boot, struct cerr *err)
{
	(void)boot;
	if (launch_open(ctx, err) == -1)
		return -1;
	label_load_default(ctx);
	return 0;
}

/* Of the last to go: where a monitor lives, this does nothing. */
static void
launch_stop(void *ctx)
{
	const struct launch *l = ctx;

	cgroup_remove_one(&l->cgroups, LAUNCH_CGROUP_MONITOR);
	cgroup_remove_one(&l->cgroups, LAUNCH_CGROUP_SHIM);
	cgroup_remove_one(&l->cgroups, LAUNCH_CGROUP);
}

static const struct helper_def launch_def = {
	.role = ROLE_EXECLAUNCH,
	.confine = &launch_confine,
	.links = launch_links,
	.nlinks = sizeof(launch_links) / sizeof(launch_links[0]),
	.boot = launch_boot,
	.stop = launch_stop,
};

static void
launch_arg_ids(const char *arg, uid_t *uid, gid_t *gid)
{
	char *end;
	unsigned long u = strtoul(arg, &end, 10), g = 0;

	if (*end == ':')
		g = strtoul(end + 1, &end, 10);
	if (*end != '\0' || u == 0 || g == 0 || u > UINT32_MAX ||
	    g > UINT32_MAX)
		fatalx("%s: not UID:GID of an account", arg);
	*uid = (uid_t)u;
	*gid = (gid_t)g;
}

static void
launch_arg_runtime(struct launch *l, char *arg)
{
	char *path = strchr(arg, '=');

	if (path == NULL || path[1] != '/' || path == arg ||
	    l->nruntimes == LAUNCH_RUNTIMES_MAX)
		fatalx("%s: not NAME=PATH, or too many", arg);
	*path++ = '\0';
	if (strchr(arg, '/') != NULL || arg[0] == '.')
		fatalx("%s: not a runtime's name", arg);
	l->runtimes[l->nruntimes].name = arg;
	l->runtimes[l->nruntimes].program = path;
	l->runtimes[l->nruntimes++].path = path;
}

/* Both are of the runtime before them. */
static void
launch_arg_type(struct launch *l, const char *arg)
{
	static const char *const types[] = {
		[LAUNCH_RUNTIME_OCI] = "oci",
		[LAUNCH_RUNTIME_GVISOR] = "gvisor",
		[LAUNCH_RUNTIME_VM] = "vm",
	};
	size_t n = sizeof(types) / sizeof(types[0]), i = 0;

	while (i < n && strcmp(types[i], arg) != 0)
		i++;
	if (l->nruntimes == 0 || i == n)
		fatalx("%s: not a runtime's type", arg);
	l->runtimes[l->nruntimes - 1].type = (enum launch_runtime_type)i;
}

static void
launch_arg_argument(struct launch *l, const char *arg)
{
	struct launch_runtime *r = &l->runtimes[l->nruntimes - 1];

	if (l->nruntimes == 0 || r->narguments == LAUNCH_ARGUMENTS_MAX)
		fatalx("%s: argument of no runtime, or too many", arg);
	r->arguments[r->narguments++] = arg;
}

static void
launch_arg_checkpoint(struct launch *l, const char *arg)
{
	l->restore = strcmp(arg, "restore") == 0;
	l->checkpoint = l->restore || strcmp(arg, "dump") == 0;
}

static void
launch_arg_profiles(struct launch *l, const char *arg)
{
	if (arg[0] != '/' || l->nprofiles == LAUNCH_PROFILES_MAX)
		fatalx("%s: not a path, or too many", arg);
	l->profiles[l->nprofiles++] = arg;
}

static void
launch_arg_cdi(struct launch *l, const char *arg)
{
	if (arg[0] != '/' || l->ncdi == CDI_DIRS_MAX)
		fatalx("%s: not a path, or too many", arg);
	l->cdi[l->ncdi++] = arg;
}

static void
launch_arg_store(struct launch *l, const char *arg)
{
	if (arg[0] != '/' || l->nstores == SHELVES_MAX)
		fatalx("%s: not a path, or too many", arg);
	l->stores[l->nstores++] = arg;
}

static void
launch_arg(struct launch *l, int opt, char *arg, int log[2])
{
	const struct {
		char opt;
		const char **path;
	} paths[] = {
		{ 's', &l->state },
		{ 'i', &l->image },
		{ 'c', &l->container },
		{ 'l', &l->libexec },
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (paths[i].opt == opt)
			*paths[i].path = arg;
	}
	if (opt == 'm')
		launch_arg_ids(arg, &l->mon_uid, &l->mon_gid);
	else if (opt == 'x')
		launch_arg_ids(arg, &l->exec_uid, &l->exec_gid);
	else if (opt == 'S')
		l->systemd = true;
	else if (opt == 'r')
		launch_arg_runtime(l, arg);
	else if (opt == 't')
		launch_arg_type(l, arg);
	else if (opt == 'a')
		launch_arg_argument(l, arg);
	else if (opt == 'A')
		l->apparmor = true;
	else if (opt == 'C')
		launch_arg_checkpoint(l, arg);
	else if (opt == 'p')
		launch_arg_profiles(l, arg);
	else if (opt == 'd')
		launch_arg_cdi(l, arg);
	else if (opt == 'e')
		launch_arg_store(l, arg);
	else if (opt == 'v')
		log[0] = atoi(arg);
	else if (opt == 'w')
		log[1] = atoi(arg);
	else if (opt == '?')
		fatalx("bad argument");
}

static const char *__attribute__((format(printf, 1, 2)))
launch_text(const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) == -1)
		fatal("vasprintf");
	va_end(ap);
	return text;
}

/* What runs in a shim's place, and what it is told. */
static void
launch_shim(const struct launch *l, struct launch_runtime *r)
{
	const char *words[] = {
		"--shim",
		r->program,
		"--ids",
		launch_text("%u:%u", l->mon_uid, l->mon_gid),
		"--empty",
		launch_text("%s/empty", l->state),
		"--pause",
		launch_text("%s/pause", l->libexec),
	};

	r->path = launch_text("%s/shimrun", l->libexec);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (r->narguments == LAUNCH_ARGUMENTS_MAX)
			fatalx("%s: too many arguments", r->name);
		r->arguments[r->narguments++] = words[i];
	}
}

static void
launch_args(struct launch *l, int argc, char **argv)
{
	int opt, log[2] = { LOG_LVL_INFO, LOG_FMT_TEXT };

	while ((opt = getopt(argc, argv, "s:i:c:l:m:x:SAC:r:t:a:p:d:e:v:w:")) !=
	       -1)
		launch_arg(l, opt, optarg, log);
	if (l->state == NULL || l->image == NULL || l->container == NULL ||
	    l->libexec == NULL || l->mon_uid == 0 || l->exec_uid == 0 ||
	    l->nruntimes == 0 || optind != argc)
		fatalx("arguments are missing");
	if (log[0] < LOG_LVL_ERROR || log[0] > LOG_LVL_DEBUG ||
	    log[1] < LOG_FMT_TEXT || log[1] > LOG_FMT_JSON)
		fatalx("bad -v or -w");
	log_configure((enum log_level)log[0], (enum log_format)log[1]);
	for (size_t i = 0; i < l->nruntimes; i++) {
		if (l->runtimes[i].type == LAUNCH_RUNTIME_VM)
			launch_shim(l, &l->runtimes[i]);
	}
}

/* All that it has, less than all where the daemon itself has less. */
static uint64_t
launch_caps(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3,
		0 };
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	if (syscall(SYS_capget, &head, data) == -1)
		fatal("capget");
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

int
main(int argc, char **argv)
{
	struct launch *l = &launch;

	log_init("execlaunch");
	launch_args(l, argc, argv);
	launch_confine.caps = launch_caps();
	l->helper = helper_new(&launch_def, l, HELPER_PARENT_FD);
	l->jobs = launch_jobs_new(l);
	l->sysctls = launch_sysctls_new();
	/* What others may read is given its mode explicitly. */
	(void)umask(077);
	helper_run(l->helper, NULL, -1, 0, 0);
}
