#include <stdlib.h>
#include <string.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "parent/conf.h"
#include "parent/logdest.h"
#include "parent/notify.h"
#include "parent/parent.h"
#include "parent/proc.h"
#include "parent/reload.h"
#include "parent/roles.h"
#include "parent/unpacks.h"

/* What will be, while the old is still in force. */
struct reload_next {
	struct conf *conf;
	struct listeners listeners;
	struct plan *plans[PARENT_PROCS_MAX];
	struct plan *workers[UNPACKS_PROGRAMS];
	int log_fd, audit_fd;
};

static void
reload_report(void *arg, const char *line)
{
	(void)arg;
	log_error("%s", line);
}

/* Helpers and pods live in these: they cannot be moved. */
static int
reload_check_fixed(const struct conf *old, const struct conf *new,
    struct cerr *err)
{
	static const enum conf_text fixed[] = { CONF_STATE, CONF_IMAGE,
		CONF_CONTAINER, CONF_NETWORK, CONF_RECORD };

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (strcmp(old->text[fixed[i]], new->text[fixed[i]]) != 0)
			return cerr_set(err, CERR_FAILED_PRECONDITION,
			    "%s cannot change while criod runs",
			    conf_text_name(fixed[i]));
	}
	return 0;
}

static int
reload_plans(struct parent *p, struct reload_next *n, struct cerr *err)
{
	struct plan_facts facts = parent_facts(p, n->conf);

	for (size_t i = 0; i < p->nprocs; i++) {
		n->plans[i] = plan_new(proc_info(p->procs[i]), &facts, err);
		if (n->plans[i] == NULL)
			return -1;
	}
	for (size_t i = 0; i < UNPACKS_PROGRAMS; i++) {
		n->workers[i] = plan_new(unpacks_roles[i], &facts, err);
		if (n->workers[i] == NULL)
			return -1;
	}
	return 0;
}

static int
reload_prepare(struct parent *p, struct reload_next *n, struct cerr *err)
{
	n->conf = conf_file_load(&p->options, reload_report, NULL);
	if (n->conf == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "the configuration has errors");
	if (reload_check_fixed(p->conf, n->conf, err) == -1 ||
	    reload_plans(p, n, err) == -1)
		return -1;
	n->log_fd = logdest_open(n->conf, p->debug, err);
	if (n->log_fd == -1)
		return -1;
	if (n->conf->audit) {
		n->audit_fd = logdest_open_audit(n->conf, err);
		if (n->audit_fd == -1)
			return -1;
	}
	return listeners_open(&n->listeners, n->conf, &p->listeners, err);
}

static void
reload_forget(struct reload_next *n)
{
	for (size_t i = 0; i < PARENT_PROCS_MAX; i++)
		plan_free(n->plans[i]);
	for (size_t i = 0; i < UNPACKS_PROGRAMS; i++)
		plan_free(n->workers[i]);
	conf_free(n->conf);
	fdio_close(&n->log_fd);
	fdio_close(&n->audit_fd);
}

static bool
reload_new_listeners(const struct roles_info *info, const struct listeners *old,
    const struct listeners *new)
{
	static const enum listener_kind kinds[] = { LISTENER_CRI,
		LISTENER_CONTROL, LISTENER_STREAM, LISTENER_METRICS,
		LISTENER_NRI };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if ((info->listeners & ROLES_LISTENER(kinds[i])) != 0 &&
		    listeners_differ(old, new, kinds[i]))
			return true;
	}
	return false;
}

/* Nothing here fails.  Listeners are swapped before anyone restarts. */
static void
reload_commit(struct parent *p, struct reload_next *n)
{
	struct listeners old;
	struct cerr err;
	bool log_moved = logdest_use(n->log_fd);

	log_configure((enum log_level)logdest_level(n->conf, p->debug),
	    (enum log_format)logdest_format(n->conf, p->debug));
	if (listeners_protect(&n->listeners, n->conf, &err) == -1)
		log_error("%s", err.text);
	TAILQ_INIT(&old);
	TAILQ_CONCAT(&old, &p->listeners, entry);
	TAILQ_CONCAT(&p->listeners, &n->listeners, entry);
	conf_free(p->conf);
	p->conf = n->conf;
	fdio_close(&p->audit_fd);
	p->audit_fd = n->audit_fd;
	for (size_t i = 0; i < UNPACKS_PROGRAMS; i++)
		unpacks_set_plan(p->unpacks, (enum unpacks_program)i,
		    n->workers[i]);
	/* One that is there goes on with it; one that begins is told, too. */
	for (size_t i = 0; i < p->nprocs; i++)
		proc_send_audit(p->procs[i]);
	for (size_t i = 0; i < p->nprocs; i++)
		proc_reload(p->procs[i], n->plans[i],
		    log_moved || reload_new_listeners(proc_info(p->procs[i]),
				     &old, &p->listeners));
	listeners_close(&old, &p->listeners);
}

void
reload(struct parent *p)
{
	struct reload_next next = { .log_fd = -1, .audit_fd = -1 };
	struct cerr err;

	if (p->stopping)
		return;
	log_info("reading the configuration again");
	notify_reloading();
	p->reloading = true;
	if (reload_prepare(p, &next, &err) == -1) {
		reload_forget(&next);
		log_error("the old configuration stays: %s", err.text);
	} else
		reload_commit(p, &next);
	parent_review(p);
}
