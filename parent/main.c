#include <sys/stat.h>
#include <sys/wait.h>

#include <event2/event.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/failpoint.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/trim.h"
#include "parent/conf.h"
#include "parent/dirs.h"
#include "parent/drop.h"
#include "parent/logdest.h"
#include "parent/notify.h"
#include "parent/parent.h"
#include "parent/plugins.h"
#include "parent/proc.h"
#include "parent/proxies.h"
#include "parent/reload.h"
#include "parent/roles.h"
#include "parent/unpacks.h"
#include "parent/watch.h"

#define MAIN_MACROS_MAX	   64
#define MAIN_FRONT_STOP_MS 1000
#define MAIN_LISTEN_TRIES  40 /* of 50 ms: helpers of a killed criod end */

static struct parent *parent;

static void __attribute__((noreturn)) usage(void)
{
	(void)fprintf(stderr,
	    "usage: criod [-dnVv] [-D macro=value] [-f file] [-r directory] "
	    "[-x directory]\n");
	exit(1);
}

struct plan_facts
parent_facts(const struct parent *p, const struct conf *conf)
{
	return (struct plan_facts){
		.conf = conf,
		.host = &p->host,
		.ids = p->ids,
		.log_level = logdest_level(conf, p->debug),
		.log_format = logdest_format(conf, p->debug),
	};
}

/* ---- stopping and being ready ---- */

static void
parent_stop_rest(struct parent *p)
{
	for (size_t i = 1; i < p->nprocs; i++)
		proc_stop(p->procs[i]);
	unpacks_kill(p->unpacks, "criod stops");
	plugins_kill(p->plugins, "criod stops");
}

static void
parent_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	parent_stop_rest(arg);
}

/* The front first, so that nobody asks for anything new. */
void
parent_stop(struct parent *p, int status)
{
	struct timeval tv = { MAIN_FRONT_STOP_MS / 1000,
		(MAIN_FRONT_STOP_MS % 1000) * 1000 };

	if (p->stopping)
		return;
	log_info("stopping; pods keep running");
	p->stopping = true;
	p->status = status;
	notify_stopping();
	proc_stop(p->procs[0]);
	(void)evtimer_add(p->stop_timer, &tv);
	parent_review(p);
}

static void
parent_review_stop(struct parent *p)
{
	if (!proc_gone(p->procs[0]))
		return;
	if (evtimer_pending(p->stop_timer, NULL)) {
		(void)evtimer_del(p->stop_timer);
		parent_stop_rest(p);
	}
	for (size_t i = 0; i < p->nprocs; i++) {
		if (!proc_gone(p->procs[i]))
			return;
	}
	if (unpacks_alive(p->unpacks) == 0 && plugins_alive(p->plugins) == 0)
		(void)event_base_loopexit(p->base, NULL);
}

void
parent_review(struct parent *p)
{
	if (p->stopping) {
		parent_review_stop(p);
		return;
	}
	if (p->ready && !p->reloading)
		return;
	for (size_t i = 0; i < p->nprocs; i++) {
		if (!proc_running(p->procs[i]))
			return;
	}
	log_info(p->ready ? "ready again" : "ready");
	p->ready = true;
	p->reloading = false;
	notify_ready();
	trim_memory();
}

/* ---- signals ---- */

static void
parent_on_child(evutil_socket_t sig, short what, void *arg)
{
	struct parent *p = arg;
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool known = unpacks_reaped(p->unpacks, pid, status) ||
			     plugins_reaped(p->plugins, pid, status);

		for (size_t i = 0; i < p->nprocs && !known; i++)
			known = proc_reaped(p->procs[i], pid, status);
		parent_review(p);
	}
}

static void
parent_on_stop(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	parent_stop(arg, 0);
}

static void
parent_on_reload(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	reload(arg);
}

static void
parent_signals(struct parent *p)
{
	static const struct {
		int sig;
		event_callback_fn fn;
	} table[PARENT_SIGNALS] = {
		{ SIGCHLD, parent_on_child },
		{ SIGTERM, parent_on_stop },
		{ SIGINT, parent_on_stop },
		{ SIGHUP, parent_on_reload },
	};

	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < PARENT_SIGNALS; i++) {
		p->signals[i] =
		    evsignal_new(p->base, table[i].sig, table[i].fn, p);
		if (p->signals[i] == NULL ||
		    event_add(p->signals[i], NULL) == -1)
			fatalx("evsignal_new");
	}
}

/* ---- starting ---- */

/* A criod that was killed leaves helpers, which end within moments. */
static void
parent_listen(struct parent *p)
{
	struct timespec pause = { .tv_nsec = 50000000 };
	struct cerr err;

	for (int i = 0; i < MAIN_LISTEN_TRIES; i++) {
		if (listeners_open(&p->listeners, p->conf, NULL, &err) == 0)
			return;
		if (err.code != CERR_ALREADY_EXISTS)
			break;
		(void)nanosleep(&pause, NULL);
	}
	fatalx("%s", err.text);
}

static void
parent_prepare(struct parent *p)
{
	struct cerr err;

	if (host_look(&p->host, &err) == -1 ||
	    account_load(p->ids, &err) == -1 ||
	    dirs_make(p->conf, p->ids, &err) == -1 ||
	    (p->lock_fd = dirs_lock(p->conf, &err)) == -1 ||
	    dirs_share_ns(p->conf, &err) == -1)
		fatalx("%s", err.text);
	parent_listen(p);
	if (drop_capabilities(&err) == -1)
		fatalx("%s", err.text);
}

static struct plan *
parent_plan(const struct roles_info *info, const struct plan_facts *facts)
{
	struct cerr err;
	struct plan *plan = plan_new(info, facts, &err);

	if (plan == NULL)
		fatalx("%s", err.text);
	return plan;
}

static void
parent_make_procs(struct parent *p)
{
	struct plan_facts facts = parent_facts(p, p->conf);

	if (roles_count > PARENT_PROCS_MAX)
		fatalx("too many roles");
	p->unpacks = unpacks_new(p);
	for (size_t i = 0; i < UNPACKS_PROGRAMS; i++)
		unpacks_set_plan(p->unpacks, (enum unpacks_program)i,
		    parent_plan(unpacks_roles[i], &facts));
	p->plugins = plugins_new(p);
	for (size_t i = 0; i < roles_count; i++)
		p->procs[i] = proc_new(p, &roles_table[i],
		    parent_plan(&roles_table[i], &facts));
	p->nprocs = roles_count;
	p->watch = watch_new(p);
}

static void
parent_start(struct parent *p)
{
	p->stop_timer = evtimer_new(p->base, parent_stop_timer, p);
	if (p->stop_timer == NULL)
		fatalx("evtimer_new");
	for (size_t i = 0; i < p->nprocs; i++) {
		if (proc_start(p->procs[i]) == -1) {
			parent_stop(p, 1);
			return;
		}
	}
	for (size_t i = 0; i < p->nprocs; i++)
		proc_begin(p->procs[i]);
	p->linked = true;
}

static void
parent_end(struct parent *p)
{
	listeners_close(&p->listeners, NULL);
	watch_free(p->watch);
	for (size_t i = 0; i < p->nprocs; i++)
		proc_free(p->procs[i]);
	unpacks_free(p->unpacks);
	plugins_free(p->plugins);
	for (size_t i = 0; i < PARENT_SIGNALS; i++)
		event_free(p->signals[i]);
	event_free(p->stop_timer);
	event_base_free(p->base);
	conf_free(p->conf);
}

static void
parent_log(struct parent *p)
{
	struct cerr err;
	int fd = logdest_open(p->conf, p->debug, &err);

	if (fd == -1)
		errx(1, "%s", err.text);
	(void)logdest_use(fd);
	p->audit_fd = -1;
	if (p->conf->audit &&
	    (p->audit_fd = logdest_open_audit(p->conf, &err)) == -1)
		errx(1, "%s", err.text);
	log_init("parent");
	failpoint_init("parent");
	log_configure((enum log_level)logdest_level(p->conf, p->debug),
	    (enum log_format)logdest_format(p->conf, p->debug));
}

/* ---- the command line ---- */

/* The directory changes, and SIGHUP reads the file again. */
static const char *
main_absolute(const char *path)
{
	char here[PATH_MAX];
	char *real = realpath(path, NULL), *full;

	if (real != NULL)
		return real;
	if (*path == '/')
		return path;
	if (getcwd(here, sizeof(here)) == NULL ||
	    asprintf(&full, "%s/%s", here, path) == -1)
		err(1, "%s", path);
	return full;
}

static void
main_report(void *arg, const char *line)
{
	(void)arg;
	(void)fprintf(stderr, "%s\n", line);
}

/* Why policyread cannot be started, or NULL. */
static const char *
main_cannot_ask(struct parent *p)
{
	static struct cerr why;
	char *program;
	int rc;

	if (geteuid() != 0)
		return "only root can";
	if (account_load(p->ids, &why) == -1)
		return why.text;
	if (asprintf(&program, "%s/policyread", p->conf->text[CONF_PROGRAM]) ==
	    -1)
		err(1, "asprintf");
	rc = access(program, X_OK);
	if (rc == -1)
		(void)cerr_errno(&why, "%s", program);
	free(program);
	return rc == -1 ? why.text : NULL;
}

/* Policies and registries.conf, which the parent does not understand. */
static int
main_ask(struct parent *p)
{
	const char *why = main_cannot_ask(p);
	struct plan_facts facts = parent_facts(p, p->conf);
	struct plan *plan;
	struct cerr err;

	if (why != NULL) {
		warnx("policies and registries.conf are not looked into: %s",
		    why);
		return 0;
	}
	log_init("criod");
	plan = plan_new(roles_find(ROLE_IMAGED), &facts, &err);
	if (plan == NULL)
		warnx("%s", err.text);
	plan_free(plan);
	return plan == NULL ? -1 : 0;
}

static int
main_check(struct parent *p, bool print)
{
	const struct conf *c = p->conf;

	if (c == NULL || main_ask(p) == -1)
		return 1;
	if (print)
		conf_print(stdout, c);
	else
		(void)fprintf(stderr, "configuration OK\n");
	return fflush(stdout) == 0 ? 0 : 1;
}

/* Descriptors 0 to 2 must be taken before anything is opened. */
static int
main_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd == -1)
			err(1, "/dev/null");
	} while (fd <= STDERR_FILENO);
	return fd;
}

/*
 * What else whoever started this left open is nobody's to keep: no socket is
 * taken over, and the configuration has been read.
 */
static void
main_close_rest(int null_fd)
{
	unsigned int first = STDERR_FILENO + 1, mine = (unsigned int)null_fd;

	if ((mine > first && close_range(first, mine - 1, 0) == -1) ||
	    close_range(mine + 1, ~0U, 0) == -1)
		err(1, "close_range");
}

struct main_flags {
	bool check, verbose;
	const char *macros[MAIN_MACROS_MAX + 1];
	size_t nmacros;
};

static void
main_options(struct parent *p, struct main_flags *m, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "D:df:nr:Vvx:")) != -1) {
		switch (c) {
		case 'D':
			if (m->nmacros == MAIN_MACROS_MAX)
				errx(1, "too many macros");
			m->macros[m->nmacros++] = optarg;
			break;
		case 'd':
			p->debug = true;
			break;
		case 'f':
			p->options.path = main_absolute(optarg);
			break;
		case 'n':
			m->check = true;
			break;
		case 'r':
			p->options.prefix = main_absolute(optarg);
			break;
		case 'V':
			(void)printf("criod %s\n", CRIOD_VERSION);
			exit(0);
		case 'v':
			m->verbose = true;
			break;
		case 'x':
			p->options.program = main_absolute(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
	p->options.macros = m->macros;
}

int
main(int argc, char **argv)
{
	static struct parent self;
	static struct main_flags flags;
	int status;

	parent = &self;
	parent->null_fd = main_descriptors();
	TAILQ_INIT(&parent->listeners);
	main_options(parent, &flags, argc, argv);
	parent->conf = conf_file_load(&parent->options, main_report, NULL);
	if (flags.check)
		return main_check(parent, flags.verbose);
	if (parent->conf == NULL)
		return 1;
	if (geteuid() != 0)
		errx(1, "criod must be started by root");
	main_close_rest(parent->null_fd);
	notify_init();
	proxies_init();
	(void)clearenv();
	(void)umask(077);
	if (chdir("/") == -1)
		err(1, "/");
	parent_log(parent);
	parent_prepare(parent);
	parent->base = event_base_new();
	if (parent->base == NULL)
		fatalx("event_base_new");
	parent_signals(parent);
	parent_make_procs(parent);
	parent_start(parent);
	(void)event_base_dispatch(parent->base);
	status = parent->status;
	parent_end(parent);
	return status;
}
