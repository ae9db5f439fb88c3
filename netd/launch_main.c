/*
 * netlaunch: runs CNI plugins for netd, and connects to ports of pods.  It
 * parses nothing but fixed-size messages, and runs nothing but files of the
 * plugin directory.
 */
#include <sys/prctl.h>

#include <linux/capability.h>

#include <event2/event.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/fixed.h"
#include "imsg/helper.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "netd/launch_dial.h"
#include "netd/launch_group.h"
#include "netd/launch_job.h"
#include "netd/launch_lease.h"
#include "netd/launch_plugin.h"
#include "netd/launch_root.h"

#define CAP(name) (UINT64_C(1) << (name))

struct netlaunch {
	struct helper *helper;
	struct launch_root root;
	struct launch_jobs_def jobs_def;
	struct launch_jobs *jobs;
	struct launch_dials *dials;
	char netns_dir[PATH_MAX];
	int cgroup;
};

static void
netlaunch_take_run(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct netlaunch *l = ctx;

	launch_job_start(l->jobs, call, m);
}

static void
netlaunch_take_find(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct netlaunch *l = ctx;
	const struct fixed_plugin_find *find = m->body;
	struct fixed_plugin_done done = { 0 };
	struct cerr err;
	CLEANUP_FD int fd =
	    launch_plugin_open(l->root.plugin_dir, find->plugin, &err);

	if (fd == -1)
		link_refuse(call, &err);
	else
		link_reply(call, MSG_PLUGIN_DONE, &done, NULL, 0);
}

static void
netlaunch_take_dial(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct netlaunch *l = ctx;

	launch_dial_start(l->dials, call, m);
}

static void
netlaunch_stop(void *ctx)
{
	struct netlaunch *l = ctx;

	launch_dials_free(l->dials);
	launch_jobs_free(l->jobs);
	launch_group_close(l->cgroup, l->root.state);
}

static const struct link_handler netlaunch_handlers[] = {
	{ MSG_PLUGIN_RUN, netlaunch_take_run },
	{ MSG_PLUGIN_FIND, netlaunch_take_find },
	{ MSG_DIAL, netlaunch_take_dial },
};

static const struct link_def netlaunch_links[] = {
	{
	    .self = ROLE_NETLAUNCH,
	    .peer = ROLE_NETD,
	    .handlers = netlaunch_handlers,
	    .nhandlers =
		sizeof(netlaunch_handlers) / sizeof(netlaunch_handlers[0]),
	    .lost = helper_link_lost,
	},
};

/*
 * A plugin run by root has what the bounding set leaves it, which is the
 * first three (see netlaunch_plugin_caps).
 */
static const struct confine netlaunch_confine = {
	.role = "netlaunch",
	.caps =
	    CAP(CAP_NET_ADMIN) |   /* links, addresses, routes, rules */
	    CAP(CAP_SYS_ADMIN) |   /* setns into the pod's namespace */
	    CAP(CAP_NET_RAW) |	   /* gratuitous ARP, duplicate detection */
	    CAP(CAP_DAC_OVERRIDE), /* rmdir of its cgroup: where that is below
				      the root one, the directory is 0555 */
	.keep_ids = true,
	.inherit = true,
};

static const struct helper_def netlaunch_def = {
	.role = ROLE_NETLAUNCH,
	.confine = &netlaunch_confine,
	.links = netlaunch_links,
	.nlinks = sizeof(netlaunch_links) / sizeof(netlaunch_links[0]),
	.stop = netlaunch_stop,
};

static void __attribute__((noreturn)) netlaunch_usage(void)
{
	(void)fprintf(stderr, "usage: netlaunch -s STATE -p PLUGINDIR "
			      "[-b HOSTPATH] [-v LEVEL] [-w FORMAT]\n");
	exit(2);
}

static const char *
netlaunch_path(const char *arg)
{
	if (arg[0] != '/' || strlen(arg) > PATH_MAX / 2)
		fatalx("%s: not an absolute path", arg);
	return arg;
}

static unsigned int
netlaunch_number(const char *arg, unsigned int max)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	if (*arg == '\0' || *end != '\0' || n > max)
		fatalx("%s: not a number up to %u", arg, max);
	return (unsigned int)n;
}

static void
netlaunch_options(struct netlaunch *l, int argc, char **argv)
{
	enum log_level level = LOG_LVL_INFO;
	enum log_format format = LOG_FMT_TEXT;
	int c;

	while ((c = getopt(argc, argv, "b:p:s:v:w:")) != -1) {
		if (c == 's')
			l->root.state = netlaunch_path(optarg);
		else if (c == 'p')
			l->root.plugin_dir = netlaunch_path(optarg);
		else if (c == 'b' && l->root.nextra < LAUNCH_ROOT_EXTRA_MAX)
			l->root.extra[l->root.nextra++] =
			    netlaunch_path(optarg);
		else if (c == 'v')
			level = netlaunch_number(optarg, LOG_LVL_DEBUG);
		else if (c == 'w')
			format = netlaunch_number(optarg, LOG_FMT_JSON);
		else
			netlaunch_usage();
	}
	if (optind != argc || l->root.state == NULL ||
	    l->root.plugin_dir == NULL)
		netlaunch_usage();
	log_configure(level, format);
}

/* Kept by this process, but not given to what it executes. */
static void
netlaunch_plugin_caps(void)
{
	if (prctl(PR_CAPBSET_DROP, (long)CAP_DAC_OVERRIDE) == -1)
		fatal("PR_CAPBSET_DROP");
}

static void
netlaunch_open(struct netlaunch *l)
{
	struct cerr err;

	if (launch_root_enter(&l->root, &l->cgroup, &err) == -1)
		fatalx("%s", err.text);
	launch_lease_sweep(LAUNCH_LEASE_DIR);
	(void)snprintf(l->netns_dir, sizeof(l->netns_dir), "%s/ns",
	    l->root.state);
	l->jobs_def = (struct launch_jobs_def){
		.base = helper_base(l->helper),
		.plugin_dir = l->root.plugin_dir,
		.netns_dir = l->netns_dir,
		.groups = launch_group_open(l->cgroup, l->root.state, &err),
		.own_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC),
	};
	if (l->jobs_def.groups == -1)
		fatalx("%s", err.text);
	if (l->jobs_def.own_netns == -1)
		fatal("/proc/self/ns/net");
	l->jobs = launch_jobs_new(&l->jobs_def);
	l->dials = launch_dials_new(helper_base(l->helper), l->netns_dir,
	    l->jobs_def.own_netns);
}

int
main(int argc, char **argv)
{
	struct netlaunch launch = { .cgroup = -1 };

	launch.helper = helper_new(&netlaunch_def, &launch, HELPER_PARENT_FD);
	netlaunch_options(&launch, argc, argv);
	netlaunch_open(&launch);
	netlaunch_plugin_caps();
	helper_run(launch.helper, NULL, -1, 0, 0);
}
