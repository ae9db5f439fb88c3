#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <event2/event.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/log.h"
#include "netd/launch_child.h"
#include "netd/launch_group.h"
#include "netd/launch_job.h"
#include "netd/launch_netns.h"
#include "netd/launch_plugin.h"
#include "netd/plugin.h"

#define JOB_PATH      "/usr/sbin:/usr/bin:/sbin:/bin"
#define JOB_RETRY_MIN 1 /* ms between looks whether the group is empty */
#define JOB_RETRY_MAX 200

struct launch_job {
	LIST_ENTRY(launch_job) entry;
	struct launch_jobs *jobs;
	struct link_call *call;
	char name[24]; /* its group's */
	pid_t pid;
	int pidfd, group, failure;
	struct event *exited, *timer;
	int64_t retry_ms;
	int status; /* of waitpid, once reaped */
	bool reaped, killed, timed_out;
	bool finish; /* not interrupted, unless it is late */
	char plugin[PLUGIN_NAME_MAX + 1];
};

struct launch_jobs {
	const struct launch_jobs_def *def;
	LIST_HEAD(, launch_job) running;
	size_t nrunning;
	unsigned int next;
};

struct launch_jobs *
launch_jobs_new(const struct launch_jobs_def *def)
{
	struct launch_jobs *jobs = calloc(1, sizeof(*jobs));

	if (jobs == NULL)
		fatal("calloc");
	jobs->def = def;
	LIST_INIT(&jobs->running);
	return jobs;
}

static void
launch_job_free(struct launch_job *job)
{
	LIST_REMOVE(job, entry);
	job->jobs->nrunning--;
	if (job->exited != NULL)
		event_free(job->exited);
	if (job->timer != NULL)
		event_free(job->timer);
	fdio_close(&job->pidfd);
	fdio_close(&job->group);
	fdio_close(&job->failure);
	free(job);
}

static void
launch_job_refuse(struct launch_job *job, const struct cerr *err)
{
	link_refuse(job->call, err);
	launch_job_free(job);
}

static void
launch_job_kill(struct launch_job *job)
{
	if (!job->killed)
		log_info("killing plugin %s", job->plugin);
	job->killed = true;
	launch_group_kill(job->group);
}

static int
launch_job_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/* The plugin is gone and its group too: tell how it ended. */
static void
launch_job_end(struct launch_job *job)
{
	struct launch_child_failure f;
	struct fixed_plugin_done done = { 0 };
	struct cerr err;

	if (fdio_read_upto(job->failure, &f, sizeof(f)) == sizeof(f)) {
		errno = f.error;
		(void)cerr_errno(&err, "plugin %s: %s", job->plugin,
		    launch_child_step(f.step));
		launch_job_refuse(job, &err);
		return;
	}
	done.exit_code = (uint32_t)launch_job_exit_code(job->status);
	done.timed_out = job->timed_out;
	link_reply(job->call, MSG_PLUGIN_DONE, &done, NULL, 0);
	launch_job_free(job);
}

static void
launch_job_timer_set(struct launch_job *job, int64_t ms)
{
	struct timeval tv = mono_timeval(mono_after_ms(ms));

	(void)evtimer_add(job->timer, &tv);
}

/* What the plugin left running is killed; then its group can be removed. */
static void
launch_job_empty(struct launch_job *job)
{
	if (launch_group_remove(job->jobs->def->groups, job->name)) {
		launch_job_end(job);
		return;
	}
	launch_job_kill(job);
	job->retry_ms = job->retry_ms == 0 ? JOB_RETRY_MIN : job->retry_ms * 2;
	if (job->retry_ms > JOB_RETRY_MAX)
		job->retry_ms = JOB_RETRY_MAX;
	launch_job_timer_set(job, job->retry_ms);
}

static void
launch_job_exited(evutil_socket_t fd, short what, void *arg)
{
	struct launch_job *job = arg;

	(void)fd;
	(void)what;
	if (waitpid(job->pid, &job->status, WNOHANG) != job->pid)
		return;
	job->reaped = true;
	(void)event_del(job->exited);
	(void)event_del(job->timer);
	launch_job_empty(job);
}

static void
launch_job_timer(evutil_socket_t fd, short what, void *arg)
{
	struct launch_job *job = arg;

	(void)fd;
	(void)what;
	if (job->reaped) {
		launch_job_empty(job);
		return;
	}
	job->timed_out = true;
	launch_job_kill(job);
}

static void
launch_job_cancelled(void *arg)
{
	struct launch_job *job = arg;

	if (!job->finish)
		launch_job_kill(job);
}

static int
launch_job_check(const struct launch_jobs *jobs,
    const struct fixed_plugin_run *run, struct cerr *err)
{
	const char *wrong = NULL;
	bool pod = plugin_command_has_pod(run->command);

	if (!plugin_command_valid(run->command))
		wrong = "command";
	else if (pod ? !id_valid(run->pod) : run->pod[0] != '\0')
		wrong = "pod";
	else if (pod ? !plugin_ifname_valid(run->ifname)
		     : run->ifname[0] != '\0')
		wrong = "interface name";
	else if (!plugin_args_valid(run->args))
		wrong = "args";
	else if (run->netns > (pod ? NETNS_PREPARE : NETNS_NONE))
		wrong = "netns";
	else if (run->timeout_ms < 1 || run->timeout_ms > LAUNCH_TIMEOUT_MAX_MS)
		wrong = "timeout";
	if (wrong != NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s not allowed to a plugin", wrong);
	if (jobs->nrunning >= LAUNCH_JOBS_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "too many plugins are running");
	return 0;
}

/* A file for standard input, pipes for the rest: nothing that could hang. */
static int
launch_job_fds(struct link_msg *m, struct launch_child *c, struct cerr *err)
{
	struct stat st;

	for (size_t i = 0; i < 3; i++) {
		c->fds[i] = m->fds[i];
		if (fstat(c->fds[i], &st) == -1 ||
		    (i == 0 ? !S_ISREG(st.st_mode) : !S_ISFIFO(st.st_mode)))
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "descriptor not allowed to a plugin");
	}
	return 0;
}

/*
 * The namespace that CNI_NETNS names.  DEL also concerns pods whose namespace
 * is gone: CNI_NETNS is then empty, as the specification has it.
 */
static int
launch_job_netns(const struct launch_jobs *jobs,
    const struct fixed_plugin_run *run, char *path, size_t size, int *netns,
    struct cerr *err)
{
	(void)snprintf(path, size, "%s/%s/net", jobs->def->netns_dir, run->pod);
	*netns = launch_netns_open(path, jobs->def->own_netns, err);
	if (*netns != -1)
		return 0;
	path[0] = '\0';
	if (err->code == CERR_NOT_FOUND && strcmp(run->command, "DEL") == 0)
		return 0;
	return -1;
}

static void __attribute__((format(printf, 2, 3)))
launch_job_env(struct launch_child *c, const char *fmt, ...)
{
	size_t n = 0;
	va_list ap;

	while (c->env[n] != NULL)
		n++;
	va_start(ap, fmt);
	if (n + 1 >= LAUNCH_CHILD_ENV || vasprintf(&c->env[n], fmt, ap) == -1)
		fatalx("plugin environment");
	va_end(ap);
}

static void
launch_job_env_fill(const struct launch_jobs *jobs, struct launch_child *c,
    const struct fixed_plugin_run *run, const char *netns)
{
	launch_job_env(c, "PATH=%s", JOB_PATH);
	launch_job_env(c, "CNI_COMMAND=%s", run->command);
	launch_job_env(c, "CNI_PATH=%s", jobs->def->plugin_dir);
	if (!plugin_command_has_pod(run->command))
		return;
	launch_job_env(c, "CNI_CONTAINERID=%s", run->pod);
	launch_job_env(c, "CNI_NETNS=%s", netns);
	launch_job_env(c, "CNI_IFNAME=%s", run->ifname);
	launch_job_env(c, "CNI_ARGS=%s", run->args);
}

static int
launch_job_spawn(struct launch_job *job, struct launch_child *c,
    uint64_t timeout_ms, struct cerr *err)
{
	const struct launch_jobs_def *def = job->jobs->def;

	job->group = launch_group_new(def->groups, job->name);
	if (job->group == -1)
		return cerr_errno(err, "cgroup for plugin %s", job->plugin);
	c->group = job->group;
	c->own_netns = def->own_netns;
	job->pid = launch_child_start(c, &job->pidfd, &job->failure);
	if (job->pid == -1) {
		(void)cerr_errno(err, "start plugin %s", job->plugin);
		(void)launch_group_remove(def->groups, job->name);
		return -1;
	}
	job->exited = event_new(def->base, job->pidfd, EV_READ | EV_PERSIST,
	    launch_job_exited, job);
	job->timer = evtimer_new(def->base, launch_job_timer, job);
	if (job->exited == NULL || job->timer == NULL)
		fatalx("event_new");
	(void)event_add(job->exited, NULL);
	launch_job_timer_set(job, (int64_t)timeout_ms);
	link_call_on_cancel(job->call, launch_job_cancelled, job);
	return 0;
}

static int
launch_job_run(struct launch_job *job, const struct fixed_plugin_run *run,
    struct link_msg *m, struct cerr *err)
{
	const struct launch_jobs_def *def = job->jobs->def;
	struct launch_child c = { .plugin = -1, .netns = -1 };
	char path[PATH_MAX], ns[PATH_MAX] = "";
	int netns = -1;
	int rc = -1;

	if (launch_job_check(job->jobs, run, err) == -1 ||
	    launch_job_fds(m, &c, err) == -1)
		return -1;
	if (run->netns != NETNS_NONE &&
	    launch_job_netns(job->jobs, run, ns, sizeof(ns), &netns, err) == -1)
		return -1;
	c.netns = run->netns == NETNS_PREPARE ? netns : -1;
	c.finish = job->finish;
	c.plugin = launch_plugin_open(def->plugin_dir, run->plugin, err);
	if (c.plugin != -1) {
		(void)snprintf(path, sizeof(path), "%s/%s", def->plugin_dir,
		    run->plugin);
		c.path = path;
		launch_job_env_fill(job->jobs, &c, run, ns);
		rc = launch_job_spawn(job, &c, run->timeout_ms, err);
	}
	for (size_t i = 0; c.env[i] != NULL; i++)
		free(c.env[i]);
	fdio_close(&c.plugin);
	fdio_close(&netns);
	return rc;
}

void
launch_job_start(struct launch_jobs *jobs, struct link_call *call,
    struct link_msg *m)
{
	const struct fixed_plugin_run *run = m->body;
	struct launch_job *job = calloc(1, sizeof(*job));
	struct cerr err;

	if (job == NULL)
		fatal("calloc");
	job->jobs = jobs;
	job->call = call;
	/*
	 * What a DEL has begun another may not be able to finish: plugins look
	 * for the interface to know what there is.
	 */
	job->finish = strcmp(run->command, "DEL") == 0;
	(void)snprintf(job->name, sizeof(job->name), "%s%u",
	    job->finish ? GROUP_DEL : "", jobs->next++);
	job->pidfd = job->group = job->failure = -1;
	memcpy(job->plugin, run->plugin, sizeof(job->plugin));
	LIST_INSERT_HEAD(&jobs->running, job, entry);
	jobs->nrunning++;
	if (launch_job_run(job, run, m, &err) == -1)
		launch_job_refuse(job, &err);
}

void
launch_jobs_free(struct launch_jobs *jobs)
{
	struct launch_job *job;

	while ((job = LIST_FIRST(&jobs->running)) != NULL) {
		if (!job->finish)
			launch_group_kill(job->group);
		if (!job->finish && !job->reaped)
			(void)waitpid(job->pid, &job->status, 0);
		(void)launch_group_remove(jobs->def->groups, job->name);
		launch_job_free(job);
	}
	free(jobs);
}
