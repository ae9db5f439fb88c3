#include <sys/random.h>
#include <sys/stat.h>

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ask.h"
#include "execd/ctr.h"
#include "execd/pod.h"
#include "execd/pod_file.h"
#include "execd/pod_ns.h"
#include "execd/runtime.h"
#include "execd/spec.h"
#include "execd/stats.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "lib/log.h"

#define POD_RETRY_MS	10000
#define POD_LEVEL_TRIES 100000

_Static_assert(POLICY_HOSTNAME ==
		   sizeof(((struct fixed_pod_make *)0)->hostname),
    "host names");

/* A pod on its way. */
struct pod_make {
	struct pod *pod;
	struct link_call *call;
	Criod__PodCreate *request;
	struct cerr err;
};

static void pod_unmake(struct pod *p);

struct pod *
pod_find(struct execd *x, const char *id)
{
	struct pod *p = NULL;

	LIST_FOREACH(p, &x->pods, entry) {
		if (strcmp(p->id, id) == 0)
			return p;
	}
	return NULL;
}

struct pod *
pod_find_ready(struct execd *x, const char *id, struct cerr *err)
{
	struct pod *p = pod_find(x, id);

	if (p == NULL)
		(void)cerr_set(err, CERR_NOT_FOUND, "no pod %.64s", id);
	else if (p->state != POD_READY || p->lost)
		(void)cerr_set(err, CERR_FAILED_PRECONDITION,
		    "pod %s is not ready", id);
	return p != NULL && p->state == POD_READY && !p->lost ? p : NULL;
}

/* "@ID": no container's directory has such a name. */
static void
pod_dir_name(const char *id, char name[ID_SIZE + 1])
{
	(void)snprintf(name, ID_SIZE + 1, "@%s", id);
}

static int
pod_save(struct pod *p, struct cerr *err)
{
	char name[ID_SIZE + 1];
	Criod__ExecdPod rec;
	CLEANUP_FREE char *runtime =
	    execd_strdup(runtime_name(p->x, p->runtime));
	CLEANUP_FD int fd = -1;

	pod_dir_name(p->id, name);
	fd = execd_open_dir(p->x, name);
	if (fd == -1)
		return cerr_errno(err, "open %s", name);
	criod__execd_pod__init(&rec);
	rec.state = p->state;
	rec.runtime = runtime;
	rec.namespaces = p->facts.namespaces;
	rec.host_pid = p->facts.host_pid;
	rec.privileged = p->facts.privileged;
	rec.hostname = p->hostname;
	rec.selinux_level = p->selinux_level;
	rec.namespace_ = p->namespace;
	rec.uid = p->facts.uids.host;
	rec.uid_count = p->facts.uids.count;
	rec.gid = p->facts.gids.host;
	rec.gid_count = p->facts.gids.count;
	return execd_record_write(fd, "state", p->id, &rec, err);
}

static struct pod *
pod_new(struct execd *x, const char *id)
{
	struct pod *p = execd_alloc(1, sizeof(*p));

	p->x = x;
	(void)snprintf(p->id, sizeof(p->id), "%s", id);
	p->pause_fd = -1;
	SIMPLEQ_INIT(&p->removals);
	LIST_INSERT_HEAD(&x->pods, p, entry);
	return p;
}

/* ---- pause ---- */

static void
pod_unwatch(struct pod *p)
{
	if (p->pause_asked != 0)
		link_cancel(execd_launcher(p->x), p->pause_asked);
	p->pause_asked = 0;
	if (p->pause != NULL)
		event_free(p->pause);
	p->pause = NULL;
	fdio_close(&p->pause_fd);
}

/* No process can be made in there any more. */
static void
pod_lost(struct pod *p)
{
	Criod__PodId body;

	pod_unwatch(p);
	p->lost = true;
	log_error("pod %s: pause has ended", p->id);
	criod__pod_id__init(&body);
	body.id = p->id;
	(void)link_send(execd_front(p->x), MSG_POD_LOST, &body, NULL, 0);
}

static void
pod_pause_ended(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pod_lost(arg);
}

/* Without execlaunch, or descriptors, it is asked again by pod_resume. */
static void
pod_have_pause(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct pod *p = arg;

	p->pause_asked = 0;
	if (err != NULL && err->code == CERR_NOT_FOUND)
		pod_lost(p);
	else if (err != NULL)
		log_warn("pod %s: pause is not watched: %s", p->id, err->text);
	if (err != NULL)
		return;
	p->pause_fd = link_take_fd(m, 0);
	p->pause = event_new(helper_base(p->x->helper), p->pause_fd, EV_READ,
	    pod_pause_ended, p);
	if (p->pause == NULL || event_add(p->pause, NULL) == -1)
		fatalx("event_new");
}

/* Pods that share a PID namespace end with its first process. */
static void
pod_watch(struct pod *p)
{
	struct fixed_pod body = { 0 };

	if ((p->facts.namespaces & POD_NS_PID) == 0 || p->lost ||
	    p->pause != NULL || p->pause_asked != 0)
		return;
	memcpy(body.pod, p->id, sizeof(p->id));
	p->pause_asked = link_request(execd_launcher(p->x), MSG_L_POD_PAUSE,
	    &body, NULL, 0, mono_after_ms(EXECD_STEP_MS), pod_have_pause, p);
}

static void
pod_free(struct pod *p)
{
	LIST_REMOVE(p, entry);
	pod_unwatch(p);
	if (p->retry != NULL)
		event_free(p->retry);
	stats_free(&p->stats);
	free(p);
}

/* ---- removal ---- */

static void
pod_retry(evutil_socket_t fd, short what, void *arg)
{
	struct pod *p = arg;

	(void)fd;
	(void)what;
	if (!p->removing)
		pod_unmake(p);
}

/* The caller of a create that failed, and those who want it removed. */
static void
pod_unmake_tell(struct pod *p, const struct cerr *err)
{
	if (p->failed != NULL)
		link_refuse(p->failed, p->failed_why);
	free(p->failed_why);
	p->failed = NULL;
	p->failed_why = NULL;
	execd_wait_end(&p->removals, MSG_POD_REMOVED, err);
}

static void
pod_unmake_failed(struct pod *p, const struct cerr *err)
{
	struct timeval tv = { POD_RETRY_MS / 1000, 0 };

	log_warn("pod %s: cannot be removed yet: %s", p->id, err->text);
	pod_unmake_tell(p, err);
	if (p->retry == NULL)
		p->retry = evtimer_new(helper_base(p->x->helper), pod_retry, p);
	if (p->retry != NULL)
		(void)evtimer_add(p->retry, &tv);
}

static void
pod_unmade(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct pod *p = arg;
	char name[ID_SIZE + 1];
	struct cerr own;

	(void)m;
	p->removing = false;
	if (err != NULL && err->code != CERR_NOT_FOUND) {
		pod_unmake_failed(p, err);
		return;
	}
	pod_dir_name(p->id, name);
	if (execd_remove_dir(p->x, name, &own) == -1) {
		pod_unmake_failed(p, &own);
		return;
	}
	pod_unmake_tell(p, NULL);
	pod_free(p);
}

static void
pod_unmake(struct pod *p)
{
	struct fixed_pod body = { 0 };
	struct cerr err;

	pod_unwatch(p);
	p->state = POD_REMOVING;
	p->removing = true;
	/* A full disk must not keep anything from being removed. */
	if (pod_save(p, &err) == -1)
		log_debug("pod %s: %s", p->id, err.text);
	memcpy(body.pod, p->id, sizeof(p->id));
	(void)link_request(execd_launcher(p->x), MSG_L_POD_UNMAKE, &body, NULL,
	    0, mono_after_ms(EXECD_STEP_MS), pod_unmade, p);
}

void
pod_take_remove(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__PodId *body = m->body;
	struct execd *x = ctx;
	struct pod *p;
	struct cerr err;

	if (!id_valid(body->id)) {
		(void)cerr_set(&err, CERR_INVALID_ARGUMENT, "not a pod id");
		link_refuse(call, &err);
		return;
	}
	if (ctr_any_alive(x, body->id)) {
		(void)cerr_set(&err, CERR_FAILED_PRECONDITION,
		    "pod %s still has running containers", body->id);
		link_refuse(call, &err);
		return;
	}
	/* What is not known may still be there. */
	p = pod_find(x, body->id);
	if (p == NULL)
		p = pod_new(x, body->id);
	execd_wait_add(&p->removals, call);
	if (!p->removing && p->make == NULL)
		pod_unmake(p);
}

/* ---- making ---- */

static void
pod_make_free(struct pod_make *k)
{
	k->pod->make = NULL;
	EXECD_FREE(k->request);
	free(k);
}

static void
pod_make_fail(struct pod_make *k, const struct cerr *err)
{
	struct pod *p = k->pod;

	p->failed = k->call;
	p->failed_why = execd_alloc(1, sizeof(*err));
	*p->failed_why = *err;
	pod_make_free(k);
	pod_unmake(p);
}

static void
pod_make_done(struct pod_make *k)
{
	struct pod *p = k->pod;
	Criod__PodCreated body;
	CLEANUP_FREE char *runtime =
	    execd_strdup(runtime_name(p->x, p->runtime));

	p->state = POD_READY;
	if (pod_save(p, &k->err) == -1) {
		pod_make_fail(k, &k->err);
		return;
	}
	criod__pod_created__init(&body);
	body.runtime = runtime;
	link_reply(k->call, MSG_POD_CREATED, &body, NULL, 0);
	pod_make_free(k);
	/* A removal that came meanwhile. */
	if (!SIMPLEQ_EMPTY(&p->removals))
		pod_unmake(p);
	else
		pod_watch(p);
}

static void
pod_made(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct pod_make *k = arg;

	(void)m;
	if (err != NULL)
		pod_make_fail(k, err);
	else
		pod_make_done(k);
}

/* As POD_FILES says, n of them; what was made is closed if one cannot be. */
static int
pod_files(struct pod_make *k, int fds[POD_FILES], size_t *n)
{
	const struct pod *p = k->pod;
	CLEANUP_FREE char *resolv =
	    pod_file_resolv_conf(k->request->config->dns_config);
	char hostname[POLICY_HOSTNAME + 1];
	const char *const texts[POD_FILES] = { resolv, hostname, "" };

	(void)snprintf(hostname, sizeof(hostname), "%s\n", p->hostname);
	*n = (p->facts.namespaces & POD_NS_NET) == 0 ? 3 : 2;
	for (size_t i = 0; i < *n; i++) {
		fds[i] =
		    fdio_memfd_sealed("podfile", texts[i], strlen(texts[i]));
		if (fds[i] != -1)
			continue;
		(void)cerr_errno(&k->err, "memfd for a pod's file");
		while (i-- > 0)
			fdio_close(&fds[i]);
		return -1;
	}
	return 0;
}

/* Each sysctl was checked by policy_check_pod. */
static int
pod_send_sysctls(struct pod_make *k)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = k->request->config->linux;
	struct fixed_pod_sysctl body = { 0 };

	memcpy(body.pod, k->pod->id, sizeof(body.pod));
	for (size_t i = 0; l != NULL && i < l->n_sysctls; i++) {
		char path[POLICY_SYSCTL];

		if (policy_check_sysctl(l->sysctls[i]->key,
			l->sysctls[i]->value, k->pod->facts.namespaces, path,
			&k->err) == -1 ||
		    FIXED_SET_STR(body.name, path) == -1 ||
		    FIXED_SET_STR(body.value, l->sysctls[i]->value) == -1)
			return -1;
		if (link_send(execd_launcher(k->pod->x), MSG_L_POD_SYSCTL,
			&body, NULL, 0) == -1)
			return cerr_set(&k->err, CERR_UNAVAILABLE,
			    "execlaunch does not take messages");
	}
	return 0;
}

static bool
pod_level_taken(const struct pod *p)
{
	const struct pod *q;

	LIST_FOREACH(q, &p->x->pods, entry) {
		if (q != p && strcmp(q->selinux_level, p->selinux_level) == 0)
			return true;
	}
	return false;
}

/* One that no other pod has, unless the client wants that one. */
static int
pod_set_level(struct pod_make *k)
{
	struct pod *p = k->pod;
	const Runtime__V1__SELinuxOption *o;
	uint32_t random;
	bool open;

	o = selinux_pod(k->request->config, &open);
	for (int i = 0; i < POD_LEVEL_TRIES; i++) {
		if (getrandom(&random, sizeof(random), 0) !=
		    (ssize_t)sizeof(random))
			return cerr_errno(&k->err, "getrandom");
		if (selinux_level(p->x->boot, o, random, p->selinux_level,
			&k->err) == -1)
			return -1;
		if ((o != NULL && o->level[0] != '\0') ||
		    p->selinux_level[0] == '\0' || !pod_level_taken(p))
			return 0;
	}
	return cerr_set(&k->err, CERR_RESOURCE_EXHAUSTED,
	    "no SELinux level is left");
}

/* Of the pod's own files. */
static int
pod_label(struct pod_make *k, char label[SELINUX_LABEL])
{
	struct selinux_in in = { .boot = k->pod->x->boot,
		.level = k->pod->selinux_level };
	struct selinux_labels labels;

	in.pod = selinux_pod(k->request->config, &in.open);
	if (selinux_make(&in, &labels, &k->err) == -1)
		return -1;
	memcpy(label, labels.mount, sizeof(labels.mount));
	return 0;
}

static void
pod_make_start(struct pod_make *k)
{
	struct pod *p = k->pod;
	const Runtime__V1__LinuxPodSandboxConfig *l = k->request->config->linux;
	struct fixed_pod_make body = {
		.flags = p->facts.namespaces,
		.shm_size = POD_SHM_SIZE,
		.uid = p->facts.uids.host,
		.uid_count = p->facts.uids.count,
		.gid = p->facts.gids.host,
		.gid_count = p->facts.gids.count,
	};
	int fds[POD_FILES];
	size_t nfds;

	memcpy(body.pod, p->id, sizeof(body.pod));
	memcpy(body.hostname, p->hostname, sizeof(body.hostname));
	if (spec_cgroup_dir(p->x->boot, l != NULL ? l->cgroup_parent : "",
		body.cgroup, &k->err) == -1 ||
	    pod_label(k, body.label) == -1 || pod_send_sysctls(k) == -1 ||
	    pod_files(k, fds, &nfds) == -1) {
		pod_make_fail(k, &k->err);
		return;
	}
	(void)link_request(execd_launcher(p->x), MSG_L_POD_MAKE, &body, fds,
	    nfds, mono_after_ms(EXECD_STEP_MS), pod_made, k);
}

static void
pod_set_hostname(struct pod *p, const char *asked)
{
	if (asked[0] != '\0')
		(void)snprintf(p->hostname, sizeof(p->hostname), "%s", asked);
	else if (p->facts.namespaces & POD_NS_NET)
		(void)snprintf(p->hostname, sizeof(p->hostname), "%.12s",
		    p->id);
	else
		(void)snprintf(p->hostname, sizeof(p->hostname), "%s",
		    p->x->hostname);
}

static const char *
pod_namespace(const Runtime__V1__PodSandboxConfig *c)
{
	return c->metadata != NULL ? c->metadata->namespace_ : "";
}

/* From here on, the namespace that the front says is the pod's. */
static int
pod_check_rules(struct execd *x, const Criod__PodCreate *r,
    const struct policy_pod *facts, const char *runtime, struct cerr *err)
{
	struct ask ask = {
		.guard = x->guard,
		.who = { pod_namespace(r->config), r->id, "" },
		.runtime = runtime,
		.pod = facts,
	};

	if (strlen(ask.who.namespace) >= POD_NAMESPACE)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "metadata.namespace: too long");
	return ask_pod(&ask, err) == -1 ? -1
					: ask_request(&ask, r->config, err);
}

static int
pod_check(struct execd *x, const Criod__PodCreate *r, struct policy_pod *facts,
    uint32_t *runtime, struct cerr *err)
{
	const Runtime__V1__LinuxPodSandboxConfig *l;
	char cgroup[POLICY_CGROUP];

	if (!id_valid(r->id) || r->config == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "pod without id or configuration");
	if (pod_find(x, r->id) != NULL)
		return cerr_set(err, CERR_ALREADY_EXISTS, "pod %s exists",
		    r->id);
	l = r->config->linux;
	if (policy_check_pod(r->config, facts, err) == -1 ||
	    spec_cgroup_dir(x->boot, l != NULL ? l->cgroup_parent : "", cgroup,
		err) == -1)
		return -1;
	if (runtime_find(x, r->runtime, runtime, err) == -1 ||
	    pod_check_rules(x, r, facts, runtime_name(x, *runtime), err) == -1)
		return -1;
	if ((facts->namespaces & POD_NS_USER) != 0 &&
	    !runtime_userns(x, *runtime))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "userns_options: user namespaces do not work with runtime "
		    "%s and the image store's file system",
		    runtime_name(x, *runtime));
	return 0;
}

void
pod_take_create(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__PodCreate *r = m->body;
	struct execd *x = ctx;
	struct policy_pod facts;
	char name[ID_SIZE + 1];
	struct pod_make *k;
	uint32_t runtime = 0;
	struct cerr err;

	if (pod_check(x, r, &facts, &runtime, &err) == -1) {
		link_refuse(call, &err);
		return;
	}
	pod_dir_name(r->id, name);
	if (mkdirat(x->root, name, 0700) == -1 && errno != EEXIST) {
		(void)cerr_errno(&err, "make %s", name);
		link_refuse(call, &err);
		return;
	}
	k = execd_alloc(1, sizeof(*k));
	k->pod = pod_new(x, r->id);
	k->call = call;
	k->request = execd_copy(r);
	k->pod->make = k;
	k->pod->facts = facts;
	k->pod->runtime = runtime;
	(void)snprintf(k->pod->namespace, sizeof(k->pod->namespace), "%s",
	    pod_namespace(r->config));
	pod_set_hostname(k->pod, r->config->hostname);
	if (pod_set_level(k) == -1 || pod_save(k->pod, &k->err) == -1)
		pod_make_fail(k, &k->err);
	else
		pod_make_start(k);
}

/* ---- after a restart ---- */

void
pod_adopt(struct execd *x, const char *id)
{
	char name[ID_SIZE + 1];
	Criod__ExecdPod *rec = NULL;
	struct pod *p = pod_new(x, id);
	CLEANUP_FD int fd = -1;
	struct cerr err;

	pod_dir_name(id, name);
	fd = execd_open_dir(x, name);
	if (fd == -1)
		(void)cerr_errno(&err, "directory");
	else
		rec = execd_record_read(fd, "state", id,
		    &criod__execd_pod__descriptor, &err);
	if (rec == NULL && err.code == CERR_RESOURCE_EXHAUSTED)
		fatalx("pod %s: %s", id, err.text);
	if (rec == NULL) {
		/* It may be in use: it is kept until somebody removes it. */
		log_warn("pod %s: its record cannot be read", id);
		p->state = POD_READY;
		p->facts.namespaces = POD_NS_NET | POD_NS_IPC | POD_NS_UTS;
		return;
	}
	p->state = rec->state == POD_READY ? POD_READY : POD_REMOVING;
	p->facts.namespaces = rec->namespaces & POD_NS_ALL;
	p->facts.host_pid = rec->host_pid;
	p->facts.privileged = rec->privileged;
	p->facts.uids = (struct policy_ids){ rec->uid, rec->uid_count };
	p->facts.gids = (struct policy_ids){ rec->gid, rec->gid_count };
	(void)snprintf(p->hostname, sizeof(p->hostname), "%s", rec->hostname);
	(void)snprintf(p->selinux_level, sizeof(p->selinux_level), "%s",
	    rec->selinux_level);
	(void)snprintf(p->namespace, sizeof(p->namespace), "%s",
	    rec->namespace_);
	if (runtime_find(x, rec->runtime, &p->runtime, &err) == -1)
		p->runtime = 0;
	EXECD_FREE(rec);
}

void
pod_resume(struct execd *x)
{
	struct pod *p, *next;

	for (p = LIST_FIRST(&x->pods); p != NULL; p = next) {
		next = LIST_NEXT(p, entry);
		if (p->state == POD_REMOVING && !p->removing && p->make == NULL)
			pod_unmake(p);
		else if (p->state == POD_READY)
			pod_watch(p);
	}
}
