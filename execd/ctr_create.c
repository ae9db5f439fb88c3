#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ask.h"
#include "execd/ctr.h"
#include "execd/ctr_cdi.h"
#include "execd/ctr_flags.h"
#include "execd/ctr_mounts.h"
#include "execd/mon.h"
#include "execd/nri.h"
#include "execd/nri_apply.h"
#include "execd/pod.h"
#include "execd/pod_ns.h"
#include "execd/profile.h"
#include "execd/runtime.h"
#include "execd/seccomp_load.h"
#include "execd/signum.h"
#include "execd/spec.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "lib/json.h"
#include "lib/log.h"

/*
 * CreateContainer, step by step:
 *
 *	1. check the request; directory and record
 *	2. at once: leases of the images, the host's devices, the mounts'
 *	   sources
 *	   (and of a checkpoint, what the container had written)
 *	3. the root file system, and with it the image's passwd and group
 *	4. config.json, as NRI plugins want it
 *	5. the mounts that the runtime does not make, the working directory
 *	6. the runtime's create, under a new monitor
 *	7. the link to that monitor
 *
 * A step that fails is undone by the removal (ctr_remove.c), after which the
 * caller gets the error.
 */
struct ctr_create {
	struct ctr *ctr;
	struct link_call *call;
	Criod__CtrCreate *request;
	Criod__Lease *image;
	struct policy_pod pod;
	char hostname[POLICY_HOSTNAME];
	char selinux_level[SELINUX_LEVEL];
	char namespace[POD_NAMESPACE];
	struct ask ask;		      /* the policy */
	struct selinux_labels labels; /* all but the process of an init */
	uint32_t target_pid;
	struct ctr_mounts *mounts;
	struct ctr_cdi *cdi, *nri_cdi; /* a client's, plugins' */
	struct spec_devices *devices;
	size_t ndevices;
	json_t *seccomp_profile; /* the file's, if one is asked for */
	struct user user;
	uint32_t host_uid, host_gid; /* what they are on the host */
	struct spec_out spec;
	size_t pending; /* answers of step 2 */
	uint32_t flags; /* CTR_FLAG_*, of the rehearsal */
	bool failed;
	struct cerr err;
};

static void
ctr_create_free(struct ctr_create *k)
{
	k->ctr->create = NULL;
	for (size_t i = 0; i < k->ndevices; i++)
		devlist_clear(&k->devices[i].list);
	free(k->devices);
	ctr_mounts_free(k->mounts);
	ctr_cdi_free(k->cdi);
	ctr_cdi_free(k->nri_cdi);
	json_decref(k->seccomp_profile);
	EXECD_FREE(k->request);
	EXECD_FREE(k->image);
	user_clear(&k->user);
	spec_clear(&k->spec);
	free(k);
}

static void
ctr_create_fail(struct ctr_create *k, const struct cerr *err)
{
	struct ctr *c = k->ctr;

	log_info("container %s: not made: %s", c->id, err->text);
	c->failed = k->call;
	c->failed_why = execd_alloc(1, sizeof(*err));
	*c->failed_why = *err;
	ctr_create_free(k);
	ctr_remove(c);
}

/* ---- 7 ---- */

static void
ctr_create_reply(struct ctr_create *k)
{
	struct ctr *c = k->ctr;
	Criod__CtrCreated body;
	Runtime__V1__ContainerUser user;
	Runtime__V1__LinuxContainerUser linux;
	CLEANUP_FREE int64_t *groups =
	    execd_alloc(k->user.ngroups + 1, sizeof(*groups));
	CLEANUP_FREE char **volumes =
	    execd_alloc(k->request->config->n_mounts + 1, sizeof(*volumes));
	CLEANUP_FREE char *log_path = NULL;

	if (asprintf(&log_path, "%s%s%s", c->log_dir,
		c->log_dir[0] != '\0' ? "/" : "", c->log_name) == -1)
		fatal("asprintf");
	for (size_t i = 0; i < k->user.ngroups; i++)
		groups[i] = k->user.groups[i];
	runtime__v1__linux_container_user__init(&linux);
	linux.uid = k->user.uid;
	linux.gid = k->user.gid;
	linux.supplemental_groups = groups;
	linux.n_supplemental_groups = k->user.ngroups;
	runtime__v1__container_user__init(&user);
	user.linux = &linux;
	criod__ctr_created__init(&body);
	body.image_id = k->image->image_id;
	body.image_ref = k->image->image_ref;
	body.user = &user;
	body.stop_signal = signum_parse(k->image->stop_signal);
	body.pid = (int32_t)c->pid;
	body.log_path = log_path;
	body.volumes = volumes;
	body.n_volumes = ctr_mounts_images(k->mounts, volumes);
	link_reply(k->call, MSG_CTR_CREATED, &body, NULL, 0);
}

static void
ctr_create_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_create *k = arg;
	struct ctr *c = k->ctr;
	const struct fixed_ctr_created *made;

	if (err != NULL) {
		ctr_create_fail(k, err);
		return;
	}
	made = m->body;
	c->pid = made->pid;
	c->start_time = made->start_time;
	if (ctr_set_state(c, CTR_CREATED, &k->err) == -1) {
		ctr_create_fail(k, &k->err);
		return;
	}
	ctr_create_reply(k);
	ctr_create_free(k);
	mon_connect(c);
	/* A removal that came meanwhile. */
	if (!SIMPLEQ_EMPTY(&c->removals))
		ctr_remove(c);
}

/* ---- 6 ---- */

static uint32_t
ctr_create_flags(const struct ctr_create *k)
{
	return k->request->checkpoint[0] != '\0' ? CTR_FLAG_RESTORE : 0;
}

static void
ctr_create_run(struct ctr_create *k)
{
	struct ctr *c = k->ctr;
	struct fixed_ctr_create body = {
		.runtime = c->runtime,
		.flags = k->spec.flags | ctr_create_flags(k),
		.uid = k->host_uid,
		.gid = k->host_gid,
		.caps = k->spec.caps,
		.oom_score_adj = k->spec.oom_score_adj,
	};

	memcpy(body.ctr, c->id, sizeof(body.ctr));
	memcpy(body.pod, c->pod, sizeof(body.pod));
	if (FIXED_SET_STR(body.cgroup, k->spec.cgroup) == -1 ||
	    FIXED_SET_STR(body.log_dir, c->log_dir) == -1 ||
	    FIXED_SET_STR(body.log_name, c->log_name) == -1 ||
	    FIXED_SET_STR(body.apparmor, k->spec.apparmor) == -1 ||
	    FIXED_SET_STR(body.selinux, k->spec.labels.process) == -1) {
		(void)cerr_set(&k->err, CERR_INVALID_ARGUMENT,
		    "log_path, cgroup_parent or apparmor: too long");
		ctr_create_fail(k, &k->err);
		return;
	}
	(void)link_request(execd_launcher(c->x), MSG_L_CTR_CREATE, &body, NULL,
	    0, mono_after_ms(EXECD_CREATE_MS), ctr_create_done, k);
}

/* ---- 5 ---- */

static void
ctr_create_have_cwd(void *arg, struct link_msg *m, const struct cerr *err)
{
	(void)m;
	if (err != NULL)
		ctr_create_fail(arg, err);
	else
		ctr_create_run(arg);
}

static void
ctr_create_have_made(void *arg, const struct cerr *err)
{
	struct ctr_create *k = arg;
	struct fixed_rootfs_dir body = { 0 };

	if (err != NULL) {
		ctr_create_fail(k, err);
		return;
	}

	if (strcmp(k->spec.cwd, "/") == 0) {
		ctr_create_run(k);
		return;
	}
	memcpy(body.ctr, k->ctr->id, sizeof(body.ctr));
	if ((k->pod.namespaces & POD_NS_USER) != 0)
		memcpy(body.userns, k->ctr->pod, sizeof(body.userns));
	if (FIXED_SET_STR(body.path, k->spec.cwd) == -1)
		fatalx("working directory");
	(void)link_request(execd_launcher(k->ctr->x), MSG_L_ROOTFS_DIR, &body,
	    NULL, 0, mono_after_ms(EXECD_STEP_MS), ctr_create_have_cwd, k);
}

/* ---- 4 ---- */

static int
ctr_create_write(struct ctr_create *k, int dir, const char *name,
    const json_t *json)
{
	CLEANUP_FREE char *text = json_dumps(json, JSON_COMPACT);
	CLEANUP_FD int fd = -1;

	if (text == NULL)
		return cerr_set(&k->err, CERR_RESOURCE_EXHAUSTED,
		    "no memory for %s", name);
	fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1 || fdio_write_all(fd, text, strlen(text)) == -1)
		return cerr_errno(&k->err, "write %s", name);
	return 0;
}

static struct spec_in
ctr_create_spec_in(struct ctr_create *k)
{
	struct ctr *c = k->ctr;

	return (struct spec_in){
		.boot = c->x->boot,
		.id = c->id,
		.pod_id = c->pod,
		.config = k->request->config,
		.pod_config = k->request->pod_config,
		.image = k->image,
		.user = &k->user,
		.pod = k->pod,
		.hostname = k->hostname,
		.target_pid = k->target_pid,
		.devices = k->devices,
		.ndevices = k->ndevices,
		.hooks = c->x->hooks,
		.shim = runtime_is_shim(c->x, c->runtime),
		.ruled = guard_cares(c->x->guard, RULE_PATH),
		.own_kernel = runtime_own_kernel(c->x, c->runtime),
		.runtime_rro = runtime_rro(c->x, c->runtime),
		.cpus = c->x->cpus,
		.kernel = { c->x->kernel[0], c->x->kernel[1] },
		.seccomp_profile = k->seccomp_profile,
		.selinux_level = k->selinux_level,
	};
}

/* For the first container of a pod; the others' is not looked at. */
static int
ctr_create_sandbox(struct ctr_create *k, int dir)
{
	struct spec_in in = ctr_create_spec_in(k);
	json_t *sandbox;
	int ret;

	if (!in.shim)
		return 0;
	sandbox = spec_sandbox(&in, &k->err);
	if (sandbox == NULL)
		return -1;
	ret = ctr_create_write(k, dir, CTR_SANDBOX_FILE, sandbox);
	json_decref(sandbox);
	return ret;
}

static int
ctr_create_save(struct ctr_create *k)
{
	CLEANUP_FD int dir = ctr_open_dir(k->ctr);

	if (dir == -1)
		return cerr_errno(&k->err, "open bundle %s", k->ctr->id);
	if (ctr_create_write(k, dir, CTR_CONFIG_FILE, k->spec.root) == -1)
		return -1;
	if (ctr_create_write(k, dir, CTR_PROCESS_FILE,
		json_object_get(k->spec.root, "process")) == -1)
		return -1;
	return ctr_create_sandbox(k, dir);
}

/* The file is the launcher's; see execd/launch_restore.c. */
static int
ctr_create_criu(struct ctr_create *k)
{
	json_t *annotations = json_object_get(k->spec.root, "annotations");

	if (k->request->checkpoint[0] == '\0')
		return 0;
	if (annotations == NULL) {
		annotations = json_object();
		if (json_object_set_new(k->spec.root, "annotations",
			annotations) == -1)
			return cerr_set(&k->err, CERR_RESOURCE_EXHAUSTED,
			    "no memory");
	}
	return json_object_set_new(annotations, "org.criu.config",
		   json_sprintf("%s/%s.criu",
		       k->ctr->x->boot->scratch_directory, k->ctr->id)) == -1
		   ? cerr_set(&k->err, CERR_RESOURCE_EXHAUSTED, "no memory")
		   : 0;
}

static void
ctr_create_built(struct ctr_create *k)
{
	if (ctr_create_criu(k) == -1 || ctr_create_save(k) == -1)
		ctr_create_fail(k, &k->err);
	else
		ctr_mounts_make(k->mounts, ctr_create_have_made, k);
}

static bool
ctr_create_privileged(const struct ctr_create *k)
{
	const Runtime__V1__LinuxContainerConfig *l = k->request->config->linux;

	return l != NULL && l->security_context != NULL &&
	       l->security_context->privileged;
}

static int
ctr_create_apply_cdi(struct ctr_create *k, const struct ctr_cdi *cdi)
{
	struct cdi_how how = { &k->user, k->ctr->x->boot->cdi_hooks,
		(k->pod.namespaces & POD_NS_USER) != 0 };

	return cdi_apply(ctr_cdi_found(cdi), &how, k->spec.root, &k->err);
}

static void
ctr_create_have_nri_cdi(void *arg, const struct cerr *err)
{
	struct ctr_create *k = arg;

	if (err != NULL)
		ctr_create_fail(k, err);
	else if (ctr_create_apply_cdi(k, k->nri_cdi) == -1)
		ctr_create_fail(k, &k->err);
	else
		ctr_create_built(k);
}

static bool
ctr_create_has_cdi(const struct ctr_create *k, const char *name)
{
	const json_t *wanted = ctr_cdi_found(k->cdi)->wanted;
	size_t i;
	json_t *v;

	json_array_foreach(wanted, i, v) {
		if (strcmp(json_string_value(v), name) == 0)
			return true;
	}
	return false;
}

static int
ctr_create_ask_cdi(struct ctr_create *k, const struct ctr_cdi *cdi)
{
	size_t i;
	json_t *v;

	json_array_foreach(ctr_cdi_found(cdi)->wanted, i, v) {
		if (ask_device(&k->ask, json_string_value(v), &k->err) == -1)
			return -1;
	}
	return 0;
}

/* Devices that plugins add by name, and the client did not. */
static void
ctr_create_nri_cdi(struct ctr_create *k, const Nri__ContainerAdjustment *a)
{
	Runtime__V1__ContainerConfig config =
	    RUNTIME__V1__CONTAINER_CONFIG__INIT;
	Runtime__V1__CDIDevice *list =
	    execd_alloc(a->n_cdi_devices + 1, sizeof(*list));

	config.cdi_devices =
	    execd_alloc(a->n_cdi_devices + 1, sizeof(*config.cdi_devices));
	for (size_t i = 0; i < a->n_cdi_devices; i++) {
		if (ctr_create_has_cdi(k, a->cdi_devices[i]->name))
			continue;
		runtime__v1__cdidevice__init(&list[i]);
		list[i].name = a->cdi_devices[i]->name;
		config.cdi_devices[config.n_cdi_devices++] = &list[i];
	}
	k->nri_cdi = ctr_cdi_new(k->ctr, &config, &k->err);
	free(config.cdi_devices);
	free(list);
	if (k->nri_cdi == NULL || ctr_create_ask_cdi(k, k->nri_cdi) == -1)
		ctr_create_fail(k, &k->err);
	else
		ctr_cdi_find(k->nri_cdi, ctr_create_have_nri_cdi, k);
}

/* Plugins had their say. */
static void
ctr_create_adjusted(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_create *k = arg;
	struct nri_rules rules = {
		.boot = k->ctr->x->boot,
		.pod = &k->pod,
		.privileged = ctr_create_privileged(k),
	};

	if (err != NULL)
		ctr_create_fail(k, err);
	else if (nri_apply(&rules, m->body, &k->spec, &k->err) == -1 ||
		 ask_adjustment(&k->ask, m->body, &k->err) == -1)
		ctr_create_fail(k, &k->err);
	else
		ctr_create_nri_cdi(k, m->body);
}

static void
ctr_create_config(struct ctr_create *k)
{
	struct spec_in in = ctr_create_spec_in(k);

	if (spec_build(&in, &k->spec, &k->err) == -1 ||
	    ctr_create_apply_cdi(k, k->cdi) == -1)
		ctr_create_fail(k, &k->err);
	else if (k->ctr->x->boot->nri)
		nri_ask(k->ctr->x, k->request, k->spec.root,
		    ctr_create_adjusted, k);
	else
		ctr_create_built(k);
}

/* ---- 3 ---- */

/* All must be ids of the pod's user namespace. */
static int
ctr_create_host_ids(struct ctr_create *k)
{
	const struct user *u = &k->user;
	uint32_t host;

	for (size_t i = 0; i < u->ngroups; i++) {
		if (policy_host_id(&k->pod, &k->pod.gids, "group",
			(uint32_t)u->groups[i], &host, &k->err) == -1)
			return -1;
	}
	return policy_host_id(&k->pod, &k->pod.uids, "user", u->uid,
		   &k->host_uid, &k->err) == -1
		   ? -1
		   : policy_host_id(&k->pod, &k->pod.gids, "group", u->gid,
			 &k->host_gid, &k->err);
}

static int
ctr_create_user(struct ctr_create *k, const struct user_text *passwd,
    const struct user_text *group)
{
	const Runtime__V1__LinuxContainerSecurityContext *sc =
	    k->request->config->linux != NULL
		? k->request->config->linux->security_context
		: NULL;
	struct user_in in = { .username = "",
		.image = k->image->user,
		.passwd = *passwd,
		.group = *group };

	if (sc != NULL) {
		in.has_uid = sc->run_as_user != NULL;
		in.uid = in.has_uid ? sc->run_as_user->value : 0;
		in.has_gid = sc->run_as_group != NULL;
		in.gid = in.has_gid ? sc->run_as_group->value : 0;
		in.username = sc->run_as_username;
		in.groups = sc->supplemental_groups;
		in.ngroups = sc->n_supplemental_groups;
		in.strict = sc->supplemental_groups_policy ==
			    RUNTIME__V1__SUPPLEMENTAL_GROUPS_POLICY__Strict;
	}
	return user_resolve(&in, &k->user, &k->err) == -1
		   ? -1
		   : ctr_create_host_ids(k);
}

static int
ctr_create_read_user(struct ctr_create *k, struct link_msg *m)
{
	CLEANUP_FD int passwd_fd = link_take_fd(m, 0);
	CLEANUP_FD int group_fd = link_take_fd(m, 1);
	CLEANUP_FREE uint8_t *passwd = NULL;
	CLEANUP_FREE uint8_t *group = NULL;
	struct user_text p, g;

	if (fdio_memfd_read(passwd_fd, USER_FILE_MAX, &passwd, &p.len) == -1 ||
	    fdio_memfd_read(group_fd, USER_FILE_MAX, &group, &g.len) == -1)
		return cerr_errno(&k->err, "the image's passwd and group");
	p.buf = (const char *)passwd;
	g.buf = (const char *)group;
	return ctr_create_user(k, &p, &g);
}

static void
ctr_create_have_root(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_create *k = arg;

	if (err != NULL) {
		ctr_create_fail(k, err);
		return;
	}
	if (ctr_create_read_user(k, m) == -1)
		ctr_create_fail(k, &k->err);
	else
		ctr_create_config(k);
}

static void
ctr_create_root(struct ctr_create *k)
{
	struct fixed_rootfs body = { .nlayers = (uint32_t)k->image->n_layers };
	size_t max = sizeof(body.layers) / sizeof(body.layers[0]);

	if (k->image->n_layers > max) {
		(void)cerr_set(&k->err, CERR_FAILED_PRECONDITION,
		    "the image has more than %zu layers", max);
		ctr_create_fail(k, &k->err);
		return;
	}
	memcpy(body.ctr, k->ctr->id, sizeof(body.ctr));
	memcpy(body.label, k->labels.mount, sizeof(body.label));
	if ((k->pod.namespaces & POD_NS_USER) != 0)
		memcpy(body.userns, k->ctr->pod, sizeof(body.userns));
	for (size_t i = 0; i < k->image->n_layers; i++)
		body.layers[i] = k->image->layers[i];
	(void)link_request(execd_launcher(k->ctr->x), MSG_L_ROOTFS, &body, NULL,
	    0, mono_after_ms(EXECD_STEP_MS), ctr_create_have_root, k);
}

static void
ctr_create_loaded(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct cerr own;

	(void)m;
	/* NOT_FOUND would say that the pod or the image is not there. */
	if (err != NULL && err->code == CERR_NOT_FOUND) {
		own = *err;
		own.code = CERR_FAILED_PRECONDITION;
		err = &own;
	}
	if (err != NULL)
		ctr_create_fail(arg, err);
	else
		ctr_create_root(arg);
}

/* Below the root file system, so before it is mounted. */
static void
ctr_create_load(struct ctr_create *k)
{
	struct fixed_restore body = { 0 };

	memcpy(body.ctr, k->ctr->id, sizeof(body.ctr));
	if (FIXED_SET_STR(body.path, k->request->checkpoint) == -1) {
		(void)cerr_set(&k->err, CERR_INVALID_ARGUMENT,
		    "checkpoint: path too long");
		ctr_create_fail(k, &k->err);
		return;
	}
	(void)link_request(execd_launcher(k->ctr->x), MSG_L_RESTORE, &body,
	    NULL, 0, mono_after_ms(EXECD_CREATE_MS), ctr_create_loaded, k);
}

/* ---- 2 ---- */

/* One of the answers of step 2 is there; the first error counts. */
static void
ctr_create_gathered(struct ctr_create *k, const struct cerr *err)
{
	struct ctr *c = k->ctr;

	if (err != NULL && !k->failed) {
		k->failed = true;
		k->err = *err;
	}
	if (--k->pending > 0)
		return;
	if (!k->failed) {
		c->image = execd_strdup(k->image->image_id);
		k->failed = ctr_set_state(c, CTR_CREATING, &k->err) == -1;
	}
	if (k->failed)
		ctr_create_fail(k, &k->err);
	else if (k->request->checkpoint[0] != '\0')
		ctr_create_load(k);
	else
		ctr_create_root(k);
}

static void
ctr_create_have_lease(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_create *k = arg;

	if (err == NULL) {
		EXECD_FREE(k->image);
		k->image = execd_copy(m->body);
	}
	ctr_create_gathered(k, err);
}

static void
ctr_create_have_sources(void *arg, const struct cerr *err)
{
	ctr_create_gathered(arg, err);
}

struct ctr_device_ask {
	struct ctr_create *create;
	size_t index;
};

static void
ctr_create_have_devices(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_device_ask *a = arg;
	struct ctr_create *k = a->create;
	struct cerr own;

	if (err == NULL && devlist_read(&k->devices[a->index].list,
			       link_take_fd(m, 0), &own) == -1)
		err = &own;
	/* NOT_FOUND would say that the pod or the image is not there. */
	if (err != NULL && err->code == CERR_NOT_FOUND) {
		own = *err;
		own.code = CERR_FAILED_PRECONDITION;
		err = &own;
	}
	free(a);
	ctr_create_gathered(k, err);
}

static void
ctr_create_ask_device(struct ctr_create *k, size_t i, const char *path)
{
	struct ctr_device_ask *a = execd_alloc(1, sizeof(*a));
	struct fixed_host_path body = { 0 };

	a->create = k;
	a->index = i;
	/* policy_check_ctr bounded it. */
	if (FIXED_SET_STR(body.path, path) == -1)
		fatalx("device path");
	k->pending++;
	(void)link_request(execd_launcher(k->ctr->x), MSG_L_DEVICES, &body,
	    NULL, 0, mono_after_ms(EXECD_STEP_MS), ctr_create_have_devices, a);
}

static void
ctr_create_ask_devices(struct ctr_create *k)
{
	const Runtime__V1__ContainerConfig *c = k->request->config;
	size_t all = ctr_create_privileged(k) ? 1 : 0;
	char path[POLICY_PATH_MAX];

	k->ndevices = c->n_devices + all;
	k->devices = execd_alloc(k->ndevices + 1, sizeof(*k->devices));
	if (all > 0)
		ctr_create_ask_device(k, c->n_devices, "/dev");
	for (size_t i = 0; i < c->n_devices; i++) {
		k->devices[i].request = c->devices[i];
		if (policy_clean_path("devices", c->devices[i]->host_path, path,
			NULL) == 0)
			ctr_create_ask_device(k, i, path);
	}
}

static int
ctr_create_read_profile(struct ctr_create *k, struct link_msg *m,
    struct cerr *err)
{
	CLEANUP_FD int fd = link_take_fd(m, 0);
	CLEANUP_FREE uint8_t *text = NULL;
	size_t len;

	if (fdio_memfd_read(fd, SECCOMP_LOAD_MAX, &text, &len) == -1)
		return cerr_errno(err, "seccomp profile");
	k->seccomp_profile = json_read_bounded("seccomp profile", text, len,
	    SECCOMP_LOAD_MAX, err);
	return k->seccomp_profile == NULL ? -1 : 0;
}

static void
ctr_create_have_profile(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct ctr_create *k = arg;
	struct cerr own;

	if (err != NULL) {
		/* NOT_FOUND would say that the pod is not there. */
		(void)cerr_set(&own, CERR_FAILED_PRECONDITION,
		    "seccomp profile: %s", err->text);
		err = &own;
	} else if (ctr_create_read_profile(k, m, &own) == -1) {
		err = &own;
	}
	ctr_create_gathered(k, err);
}

static void
ctr_create_ask_profile(struct ctr_create *k)
{
	const Runtime__V1__LinuxContainerConfig *l = k->request->config->linux;
	const Criod__BootExecd *boot = k->ctr->x->boot;
	struct fixed_profile body = { 0 };
	struct profile want;
	const char *below;
	size_t dir;

	/* The rehearsal has been through this. */
	if (profile_seccomp(boot, l != NULL ? l->security_context : NULL, &want,
		NULL) == -1 ||
	    want.kind != PROFILE_LOCALHOST)
		return;
	if (profile_find(boot, want.ref, &dir, &below, NULL) == -1 ||
	    FIXED_SET_STR(body.path, below) == -1)
		fatalx("seccomp profile");
	body.dir = (uint32_t)dir;
	k->pending++;
	(void)link_request(execd_launcher(k->ctr->x), MSG_L_PROFILE, &body,
	    NULL, 0, mono_after_ms(EXECD_STEP_MS), ctr_create_have_profile, k);
}

static void
ctr_create_gather(struct ctr_create *k)
{
	Criod__LeaseGet body;

	criod__lease_get__init(&body);
	body.container_id = k->ctr->id;
	body.image = k->request->image;
	body.name = execd_image_asked(k->request->config->image);
	body.ns = k->namespace;
	k->pending = 3;
	(void)link_request(execd_imaged(k->ctr->x), MSG_LEASE_GET, &body, NULL,
	    0, mono_after_ms(EXECD_LEASE_MS), ctr_create_have_lease, k);
	ctr_create_ask_devices(k);
	ctr_create_ask_profile(k);
	k->mounts = ctr_mounts_new(k->ctr, k->request->config,
	    (k->pod.namespaces & POD_NS_USER) != 0, &k->labels, &k->ask);
	ctr_mounts_find(k->mounts, ctr_create_have_sources, k);
	ctr_cdi_find(k->cdi, ctr_create_have_sources, k);
}

/* ---- 1 ---- */

/* -1 with k->err: the policy does not want what the request comes to. */
static int
ctr_create_ask(struct ctr_create *k, const struct spec_out *out)
{
	const Runtime__V1__LinuxContainerConfig *l = k->request->config->linux;
	struct profile seccomp;
	struct ask_ctr c = {
		.config = k->request->config,
		.caps = out->caps,
		.no_apparmor = out->apparmor[0] == '\0',
	};

	if (profile_seccomp(k->ctr->x->boot,
		l != NULL ? l->security_context : NULL, &seccomp,
		&k->err) == -1)
		return -1;
	c.no_seccomp = seccomp.kind == PROFILE_UNCONFINED;
	c.unmasked =
	    json_array_size(json_object_get(json_object_get(out->root, "linux"),
		"maskedPaths")) == 0;
	if (ask_ctr(&k->ask, &c, &k->err) == -1)
		return -1;
	return ctr_create_ask_cdi(k, k->cdi);
}

/*
 * Builds the specification once without image and devices, so that what is
 * wrong with the request shows before anything is made.
 */
static int
ctr_create_rehearse(struct ctr_create *k)
{
	static char sh[] = "sh";
	static char *cmd[] = { sh };
	struct spec_in in;
	struct spec_out out;

	k->image = execd_alloc(1, sizeof(*k->image));
	criod__lease__init(k->image);
	if (k->request->config->n_args + k->request->config->n_command == 0) {
		k->image->cmd = cmd;
		k->image->n_cmd = 1;
	}
	in = ctr_create_spec_in(k);
	in.ndevices = 0;
	in.rehearsal = true;
	if (spec_build(&in, &out, &k->err) == 0) {
		(void)ctr_create_ask(k, &out);
		spec_clear(&out);
	}
	k->labels = out.labels;
	k->flags = out.flags;
	free(k->image);
	k->image = NULL;
	return k->err.code == CERR_OK ? 0 : -1;
}

static int
ctr_create_target(struct execd *x, const Criod__CtrCreate *r, uint32_t *pid,
    struct cerr *err)
{
	const Runtime__V1__LinuxContainerConfig *l = r->config->linux;
	const Runtime__V1__NamespaceOption *o =
	    l != NULL && l->security_context != NULL
		? l->security_context->namespace_options
		: NULL;
	struct ctr *target;

	*pid = 0;
	if (o == NULL || o->pid != RUNTIME__V1__NAMESPACE_MODE__TARGET)
		return 0;
	target = ctr_find_or(x, r->target_id, err);
	if (target == NULL)
		return -1;
	if (strcmp(target->pod, r->pod_id) != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "namespace_options.target_id: of another pod");
	if (target->state != CTR_RUNNING || target->end.set)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "namespace_options.target_id: that container does not "
		    "run");
	*pid = target->pid;
	return 0;
}

static int
ctr_create_check(struct execd *x, const Criod__CtrCreate *r, struct cerr *err)
{
	if (!id_valid(r->id) || !id_valid(r->pod_id))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "not a container or pod id");
	if (r->config == NULL || r->pod_config == NULL)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "no configuration");
	if (ctr_find(x, r->id) != NULL)
		return cerr_set(err, CERR_ALREADY_EXISTS, "container %s exists",
		    r->id);
	if (strlen(r->image) > 4096)
		return cerr_set(err, CERR_INVALID_ARGUMENT, "image: too long");
	return 0;
}

/* CRIU knows no other containers than these. */
static int
ctr_create_may_load(struct ctr_create *k)
{
	const char *why;

	if (k->request->checkpoint[0] == '\0')
		return 0;
	if (!k->ctr->x->boot->restore)
		return cerr_set(&k->err, CERR_FAILED_PRECONDITION,
		    "restore: criod.conf does not allow it");
	why = runtime_no_checkpoint(k->ctr->x, k->ctr->runtime);
	if (why != NULL)
		return cerr_set(&k->err, CERR_FAILED_PRECONDITION,
		    "restore: %s", why);
	if ((k->flags & CTR_FLAGS_NO_CHECKPOINT) != 0 ||
	    (k->pod.namespaces & POD_NS_USER) != 0)
		return cerr_set(&k->err, CERR_FAILED_PRECONDITION,
		    "restore: not with a terminal, a user namespace, or "
		    "namespaces of the host or another container");
	return 0;
}

/* The parts that have a place in struct ctr; -1 with k->err. */
static int
ctr_create_prepare(struct ctr_create *k, struct pod *pod)
{
	const Criod__CtrCreate *r = k->request;
	struct ctr *c = k->ctr;
	char dir[POLICY_PATH_MAX], name[POLICY_NAME_MAX];

	k->err.code = CERR_OK;
	k->pod = pod->facts;
	memcpy(k->hostname, pod->hostname, sizeof(k->hostname));
	memcpy(k->selinux_level, pod->selinux_level, sizeof(k->selinux_level));
	if (runtime_find(c->x,
		r->runtime[0] != '\0' ? r->runtime
				      : runtime_name(c->x, pod->runtime),
		&c->runtime, &k->err) == -1 ||
	    policy_check_ctr(&k->pod, r->config, &k->err) == -1 ||
	    policy_log_path(r->pod_config, r->config, dir, name, &k->err) ==
		-1 ||
	    ctr_create_target(c->x, r, &k->target_pid, &k->err) == -1)
		return -1;
	memcpy(k->namespace, pod->namespace, sizeof(k->namespace));
	k->ask = (struct ask){
		.guard = c->x->guard,
		.who = { k->namespace, c->pod, c->id },
		.runtime = runtime_name(c->x, c->runtime),
		.pod = &k->pod,
	};
	k->cdi = ctr_cdi_new(c, r->config, &k->err);
	if (k->cdi == NULL)
		return -1;
	c->log_dir = execd_strdup(dir);
	c->log_name = execd_strdup(name);
	return ctr_create_rehearse(k) == -1 ? -1 : ctr_create_may_load(k);
}

/* Nothing was made: only memory goes. */
static void
ctr_create_refuse(struct ctr_create *k)
{
	struct ctr *c = k->ctr;

	link_refuse(k->call, &k->err);
	ctr_create_free(k);
	ctr_free(c);
}

static void
ctr_create_start(struct ctr_create *k, struct pod *pod)
{
	struct ctr *c = k->ctr;

	if (ctr_create_prepare(k, pod) == -1) {
		ctr_create_refuse(k);
		return;
	}
	if (mkdirat(c->x->root, c->id, 0700) == -1) {
		(void)cerr_errno(&k->err, "make bundle %s", c->id);
		ctr_create_refuse(k);
		return;
	}
	if (ctr_set_state(c, CTR_CREATING, &k->err) == -1)
		ctr_create_fail(k, &k->err);
	else
		ctr_create_gather(k);
}

void
ctr_take_create(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrCreate *r = m->body;
	struct execd *x = ctx;
	struct ctr_create *k;
	struct pod *pod = NULL;
	struct cerr err;

	if (ctr_create_check(x, r, &err) == 0)
		pod = pod_find_ready(x, r->pod_id, &err);
	if (pod == NULL) {
		link_refuse(call, &err);
		return;
	}
	k = execd_alloc(1, sizeof(*k));
	k->call = call;
	k->request = execd_copy(r);
	k->ctr = ctr_new(x, r->id, r->pod_id);
	k->ctr->create = k;
	ctr_create_start(k, pod);
}
