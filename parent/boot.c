#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "proto/msg.pb-c.h"
#include "parent/boot.h"
#include "parent/conf.h"
#include "parent/conf_file.h"
#include "parent/hooks.h"
#include "parent/host.h"
#include "parent/plan.h"
#include "parent/proxies.h"
#include "parent/regfiles.h"
#include "parent/trust.h"

/* What of the policy each enforces; a rule about anything goes to all. */
#define BOOT_RULES_IMAGED (RULE_BIT(RULE_ANY) | RULE_BIT(RULE_REGISTRY))
#define BOOT_RULES_NETD                                                        \
	(RULE_BIT(RULE_ANY) | RULE_BIT(RULE_HOST_NETWORK) |                    \
	    RULE_BIT(RULE_HOST_PORT))
#define BOOT_RULES_EXECD (~(RULE_BIT(RULE_REGISTRY) | RULE_BIT(RULE_HOST_PORT)))

static void *
boot_alloc(size_t n, size_t size)
{
	void *p = calloc(n == 0 ? 1 : n, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

static char *
boot_strdup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		fatal("strdup");
	return p;
}

static char *
boot_path(const struct conf *c, enum conf_text base, const char *below)
{
	char *p;

	if (asprintf(&p, "%s%s", c->text[base], below) == -1)
		fatal("asprintf");
	return p;
}

/* In the order of execlaunch's -r: an index there is an index here. */
static Criod__BootRuntime **
boot_runtimes(const struct conf *c, size_t *n)
{
	Criod__BootRuntime **list = boot_alloc(c->nruntimes, sizeof(*list));
	const struct conf_runtime *r;

	*n = 0;
	TAILQ_FOREACH(r, &c->runtimes, entry) {
		Criod__BootRuntime *b = boot_alloc(1, sizeof(*b));

		criod__boot_runtime__init(b);
		b->name = boot_strdup(r->name);
		b->path = boot_strdup(r->path);
		b->type = (Criod__BootRuntime__Type)r->type;
		list[(*n)++] = b;
	}
	return list;
}

static char **
boot_words(const struct conf *c, enum conf_list which, size_t *n)
{
	char **list = boot_alloc(c->nwords[which], sizeof(*list));
	const struct conf_word *w;

	*n = 0;
	TAILQ_FOREACH(w, &c->words[which], entry)
		list[(*n)++] = boot_strdup(w->text);
	return list;
}

/* As runtime.v1.CgroupDriver. */
static uint32_t
boot_cgroup(const struct conf *c)
{
	return c->cgroup == CONF_CGROUP_SYSTEMD ? 0 : 1;
}

/* The parent has made both by now. */
static bool
boot_split(const struct conf *c)
{
	struct stat image, container;

	return stat(c->text[CONF_IMAGE], &image) == 0 &&
	       stat(c->text[CONF_CONTAINER], &container) == 0 &&
	       image.st_dev != container.st_dev;
}

/* Those that one helper enforces. */
static Criod__PolicyRule **
boot_policy(const struct conf *c, unsigned int about, size_t *n)
{
	Criod__PolicyRule **list = boot_alloc(c->nrules, sizeof(*list));
	const struct conf_rule *r;

	*n = 0;
	TAILQ_FOREACH(r, &c->rules, entry) {
		Criod__PolicyRule *b;

		if ((about & RULE_BIT(r->rule.what)) == 0)
			continue;
		b = boot_alloc(1, sizeof(*b));
		criod__policy_rule__init(b);
		b->allow = r->rule.allow;
		b->what = r->rule.what;
		b->access = r->rule.access;
		b->namespace_ = boot_strdup(r->rule.namespace);
		b->value = boot_strdup(r->rule.value);
		b->origin = boot_strdup(r->rule.origin);
		list[(*n)++] = b;
	}
	return list;
}

static void
boot_checkpoint(const struct conf *c, protobuf_c_boolean *dump,
    protobuf_c_boolean *restore)
{
	*dump = strcmp(c->text[CONF_CHECKPOINT], "no") != 0;
	*restore = strcmp(c->text[CONF_CHECKPOINT], "restore") == 0;
}

int
boot_front(Criod__Boot *boot, const struct plan_facts *f, struct cerr *err)
{
	Criod__BootFront *b = boot_alloc(1, sizeof(*b));
	const struct conf *c = f->conf;

	(void)err;
	criod__boot_front__init(b);
	boot->front = b;
	b->runtimes = boot_runtimes(c, &b->n_runtimes);
	b->default_runtime = boot_strdup(conf_default_runtime(c)->name);
	b->cgroup_driver = boot_cgroup(c);
	b->image_directory = boot_strdup(c->text[CONF_IMAGE]);
	b->container_directory = boot_strdup(c->text[CONF_CONTAINER]);
	b->pinned_images = boot_words(c, CONF_PINNED, &b->n_pinned_images);
	b->version = boot_strdup(CRIOD_VERSION);
	b->bundle_directory = boot_path(c, CONF_STATE, "/bundle");
	b->pod_metrics = c->pod_metrics;
	boot_checkpoint(c, &b->checkpoint, &b->restore);
	b->nri = c->nri;
	b->netns_directory = boot_path(c, CONF_STATE, "/ns");
	b->split_disk = boot_split(c);
	b->boot = boot_strdup(f->host->boot);
	b->audit = c->audit;
	return 0;
}

int
boot_streamd(Criod__Boot *boot, const struct plan_facts *f, struct cerr *err)
{
	const struct conf *c = f->conf;

	(void)err;
	boot->streamd = boot_alloc(1, sizeof(*boot->streamd));
	criod__boot_streamd__init(boot->streamd);
	boot->streamd->tls = c->stream_tls[CONF_TLS_CERT] != NULL;
	boot->streamd->client_ca = c->stream_tls[CONF_TLS_CA] != NULL;
	boot->streamd->idle = c->stream_idle;
	return 0;
}

#define BOOT_CA_MAX (512U * 1024)

/* Nothing if path is NULL. */
static int
boot_file(ProtobufCBinaryData *to, const char *path, struct cerr *err)
{
	char *buf;
	size_t len;

	if (path == NULL)
		return 0;
	if (conf_file_read(path, BOOT_CA_MAX, &buf, &len, err) == -1)
		return -1;
	to->data = (uint8_t *)buf;
	to->len = len;
	return 0;
}

static Criod__Registry *
boot_registry(const struct conf_registry *r, struct cerr *err)
{
	Criod__Registry *b = boot_alloc(1, sizeof(*b));
	const struct conf_mirror *m;

	criod__registry__init(b);
	b->prefix = boot_strdup(r->prefix);
	b->insecure = r->insecure;
	b->blocked = r->blocked;
	b->mirrors = boot_alloc(r->nmirrors, sizeof(Criod__Mirror *));
	TAILQ_FOREACH(m, &r->mirrors, entry) {
		Criod__Mirror *bm = boot_alloc(1, sizeof(*bm));

		criod__mirror__init(bm);
		bm->location = boot_strdup(m->location);
		bm->insecure = m->insecure;
		bm->when = (Criod__Mirror__When)m->when;
		b->mirrors[b->n_mirrors++] = bm;
	}
	if (r->location != NULL)
		b->location = boot_strdup(r->location);
	if (r->token_server != NULL)
		b->token_server = boot_strdup(r->token_server);
	if (boot_file(&b->ca, r->ca, err) == -1 ||
	    boot_file(&b->client_cert, r->client_cert, err) == -1 ||
	    boot_file(&b->client_key, r->key, err) == -1 ||
	    boot_file(&b->headers, r->headers, err) == -1) {
		criod__registry__free_unpacked(b, NULL);
		return NULL;
	}
	return b;
}

static void
boot_transfer(Criod__BootImaged *b, const struct conf *c)
{
	Criod__Transfer *t = boot_alloc(1, sizeof(*t));

	criod__transfer__init(t);
	t->connect = c->pull[CONF_PULL_CONNECT];
	t->tls = c->pull[CONF_PULL_TLS];
	t->header = c->pull[CONF_PULL_HEADER];
	t->idle = c->pull[CONF_PULL_IDLE];
	t->document = c->pull[CONF_PULL_DOCUMENT];
	t->progress = c->pull[CONF_PULL_PROGRESS];
	t->total = c->pull[CONF_PULL_TOTAL];
	t->rate = c->pull[CONF_PULL_RATE];
	b->transfer = t;
}

/* The order of conf_valid_short_mode. */
static Criod__BootImaged__ShortNames
boot_short_mode(const char *mode)
{
	if (strcmp(mode, "enforcing") == 0)
		return CRIOD__BOOT_IMAGED__SHORT_NAMES__ENFORCING;
	if (strcmp(mode, "permissive") == 0)
		return CRIOD__BOOT_IMAGED__SHORT_NAMES__PERMISSIVE;
	if (strcmp(mode, "disabled") == 0)
		return CRIOD__BOOT_IMAGED__SHORT_NAMES__DISABLED;
	return CRIOD__BOOT_IMAGED__SHORT_NAMES__FILES;
}

/* NAME=IMAGE, as conf_valid_short_name has it. */
static void
boot_short_names(Criod__BootImaged *b, const struct conf *c)
{
	const struct conf_word *w;

	b->search = boot_words(c, CONF_SEARCH, &b->n_search);
	b->short_name_mode = boot_short_mode(c->text[CONF_SHORT_MODE]);
	b->short_names =
	    boot_alloc(c->nwords[CONF_SHORT_NAME], sizeof(*b->short_names));
	TAILQ_FOREACH(w, &c->words[CONF_SHORT_NAME], entry) {
		Criod__ShortName *s = boot_alloc(1, sizeof(*s));

		criod__short_name__init(s);
		s->name = boot_strdup(w->text);
		s->name[strcspn(s->name, "=")] = '\0';
		s->image = boot_strdup(strchr(w->text, '=') + 1);
		b->short_names[b->n_short_names++] = s;
	}
}

int
boot_imaged(Criod__Boot *boot, const struct plan_facts *f, struct cerr *err)
{
	Criod__BootImaged *b = boot_alloc(1, sizeof(*b));
	const struct conf *c = f->conf;
	const struct conf_registry *r;

	criod__boot_imaged__init(b);
	boot->imaged = b;
	b->registries = boot_alloc(c->nregistries, sizeof(Criod__Registry *));
	TAILQ_FOREACH(r, &c->registries, entry) {
		Criod__Registry *one = boot_registry(r, err);

		if (one == NULL)
			return -1;
		b->registries[b->n_registries++] = one;
	}
	b->max_parallel_downloads = c->downloads;
	boot_transfer(b, c);
	proxies_boot(b, c);
	b->pinned_images = boot_words(c, CONF_PINNED, &b->n_pinned_images);
	b->image_directory = boot_strdup(c->text[CONF_IMAGE]);
	b->container_directory = boot_strdup(c->text[CONF_CONTAINER]);
	b->boot = boot_strdup(f->host->boot);
	b->policy = boot_policy(c, BOOT_RULES_IMAGED, &b->n_policy);
	b->audit = c->audit;
	b->namespaced_auth = strcmp(c->text[CONF_AUTH_DIR], "none") != 0;
	if (strcmp(c->text[CONF_AUTH_FILE], "none") != 0)
		b->auth_file = boot_strdup(c->text[CONF_AUTH_FILE]);
	boot_short_names(b, c);
	b->stores = boot_words(c, CONF_STORE, &b->n_stores);
	b->foreign_layers = boot_words(c, CONF_FOREIGN, &b->n_foreign_layers);
	if (regfiles_read(b, c, err) == -1 ||
	    regfiles_understood(b, f, err) == -1)
		return -1;
	return trust_read(b, f, err);
}

int
boot_netd(Criod__Boot *boot, const struct plan_facts *f, struct cerr *err)
{
	Criod__BootNetd *b = boot_alloc(1, sizeof(*b));
	const struct conf *c = f->conf;

	(void)err;
	criod__boot_netd__init(b);
	boot->netd = b;
	b->plugin_directory = boot_strdup(c->text[CONF_CNI_PLUGINS]);
	b->netns_directory = boot_path(c, CONF_STATE, "/ns");
	if (c->text[CONF_CNI_NETWORK] != NULL)
		b->default_network = boot_strdup(c->text[CONF_CNI_NETWORK]);
	b->bridge_subnet = boot_strdup(c->text[CONF_CNI_SUBNET]);
	b->policy = boot_policy(c, BOOT_RULES_NETD, &b->n_policy);
	b->audit = c->audit;
	return 0;
}

static void
boot_selinux(Criod__BootExecd *b, const struct plan_facts *f)
{
	const struct selinux_facts *s = &f->host->selinux;

	if (!s->enabled || strcmp(f->conf->text[CONF_SELINUX], "yes") != 0)
		return;
	b->selinux = true;
	b->selinux_process = boot_strdup(s->process);
	b->selinux_file = boot_strdup(s->file);
	b->selinux_init = boot_strdup(s->init);
	b->selinux_kvm = boot_strdup(s->kvm);
}

int
boot_execd(Criod__Boot *boot, const struct plan_facts *f, struct cerr *err)
{
	Criod__BootExecd *b = boot_alloc(1, sizeof(*b));
	const struct conf *c = f->conf;

	criod__boot_execd__init(b);
	boot->execd = b;
	b->runtimes = boot_runtimes(c, &b->n_runtimes);
	b->default_runtime = boot_strdup(conf_default_runtime(c)->name);
	b->cgroup_driver = boot_cgroup(c);
	b->bundle_directory = boot_path(c, CONF_STATE, "/bundle");
	b->netns_directory = boot_path(c, CONF_STATE, "/ns");
	b->rootfs_directory = boot_path(c, CONF_STATE, "/rootfs");
	b->pod_directory = boot_path(c, CONF_STATE, "/pod");
	b->cgroup2 = f->host->cgroup2;
	b->hugetlb = f->host->hugetlb;
	b->seccomp_default = strcmp(c->text[CONF_SECCOMP], "runtime") == 0;
	b->cdi_hooks = strcmp(c->text[CONF_CDI_HOOKS], "yes") == 0;
	boot_checkpoint(c, &b->checkpoint, &b->restore);
	b->scratch_directory = boot_path(c, CONF_STATE, "/launch/exec");
	b->seccomp_directories =
	    boot_words(c, CONF_SECCOMP_DIR, &b->n_seccomp_directories);
	boot_selinux(b, f);
	b->ulimits = boot_words(c, CONF_ULIMIT, &b->n_ulimits);
	b->apparmor = f->host->apparmor;
	b->apparmor_default = boot_strdup(c->text[CONF_APPARMOR]);
	b->nri = c->nri;
	b->nri_hooks = c->nri_hooks;
	b->nri_seccomp = c->nri_seccomp;
	b->bounding_caps = f->host->bounding;
	b->oom_score_adj_min = f->host->oom_score_adj_min;
	b->stats_age_ms = c->stats_age * 1000;
	b->container_directory = boot_strdup(c->text[CONF_CONTAINER]);
	b->default_cgroup_parent = boot_strdup(
	    c->cgroup == CONF_CGROUP_SYSTEMD ? "system.slice" : "/criod");
	b->policy = boot_policy(c, BOOT_RULES_EXECD, &b->n_policy);
	b->audit = c->audit;
	return hooks_read(b, c, err);
}

int
boot_nrid(Criod__Boot *boot, const struct plan_facts *f, struct cerr *err)
{
	Criod__BootNrid *b = boot_alloc(1, sizeof(*b));
	const struct conf *c = f->conf;

	(void)err;
	criod__boot_nrid__init(b);
	boot->nrid = b;
	b->registration_ms = c->nri_registration_ms;
	b->request_ms = c->nri_request_ms;
	b->version = boot_strdup(CRIOD_VERSION);
	b->required = boot_words(c, CONF_NRI_REQUIRED, &b->n_required);
	b->plugin_directory = boot_strdup(c->text[CONF_NRI_PLUGINS]);
	b->plugin_configuration = boot_strdup(c->text[CONF_NRI_CONF]);
	return 0;
}

/* For roles that need to know nothing. */
int
boot_nothing(Criod__Boot *boot, const struct plan_facts *f, struct cerr *err)
{
	(void)boot;
	(void)f;
	(void)err;
	return 0;
}

static void
boot_arg_text(struct plan_args *a, const char *flag, const struct conf *c,
    enum conf_text which)
{
	plan_add(a, "%s", flag);
	plan_add(a, "%s", c->text[which]);
}

static void
boot_arg_ids(struct plan_args *a, const char *flag,
    const struct account_ids *ids)
{
	plan_add(a, "%s", flag);
	plan_add(a, "%u:%u", ids->uid, ids->gid);
}

void
boot_execlaunch_args(struct plan_args *a, const struct plan_facts *f)
{
	const struct conf_runtime *r;
	const struct conf_word *w;

	boot_arg_text(a, "-s", f->conf, CONF_STATE);
	boot_arg_text(a, "-i", f->conf, CONF_IMAGE);
	boot_arg_text(a, "-c", f->conf, CONF_CONTAINER);
	boot_arg_text(a, "-l", f->conf, CONF_PROGRAM);
	boot_arg_ids(a, "-m", &f->ids[ACCOUNT_MON]);
	boot_arg_ids(a, "-x", &f->ids[ACCOUNT_EXEC]);
	if (f->conf->cgroup == CONF_CGROUP_SYSTEMD)
		plan_add(a, "-S");
	if (f->host->apparmor &&
	    strcmp(f->conf->text[CONF_APPARMOR], CONF_APPARMOR_OWN) == 0)
		plan_add(a, "-A");
	if (strcmp(f->conf->text[CONF_CHECKPOINT], "no") != 0)
		boot_arg_text(a, "-C", f->conf, CONF_CHECKPOINT);
	TAILQ_FOREACH(r, &f->conf->runtimes, entry) {
		plan_add(a, "-r");
		plan_add(a, "%s=%s", r->name, r->path);
		if (r->type != CONF_RUNTIME_OCI) {
			plan_add(a, "-t");
			plan_add(a, "%s", conf_runtime_type_name(r->type));
		}
		TAILQ_FOREACH(w, &r->arguments, entry) {
			plan_add(a, "-a");
			plan_add(a, "%s", w->text);
		}
	}
	TAILQ_FOREACH(w, &f->conf->words[CONF_SECCOMP_DIR], entry) {
		plan_add(a, "-p");
		plan_add(a, "%s", w->text);
	}
	TAILQ_FOREACH(w, &f->conf->words[CONF_CDI_DIR], entry) {
		plan_add(a, "-d");
		plan_add(a, "%s", w->text);
	}
	TAILQ_FOREACH(w, &f->conf->words[CONF_STORE], entry) {
		plan_add(a, "-e");
		plan_add(a, "%s", w->text);
	}
}

void
boot_netlaunch_args(struct plan_args *a, const struct plan_facts *f)
{
	const struct conf_word *w;

	boot_arg_text(a, "-s", f->conf, CONF_STATE);
	boot_arg_text(a, "-p", f->conf, CONF_CNI_PLUGINS);
	TAILQ_FOREACH(w, &f->conf->words[CONF_CNI_PATH], entry) {
		plan_add(a, "-b");
		plan_add(a, "%s", w->text);
	}
}

void
boot_unpack_args(struct plan_args *a, const struct plan_facts *f)
{
	plan_add(a, "-u");
	plan_add(a, "%u", f->ids[ACCOUNT_IMAGE].uid);
	plan_add(a, "-g");
	plan_add(a, "%u", f->ids[ACCOUNT_IMAGE].gid);
}
