/*
 * imaged: registries and the image store.  Everything from the network is
 * parsed here, without a capability, in a root that is the store.
 */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <linux/mount.h>

#include <errno.h>
#include <malloc.h>
#include <netdb.h>
#include <nss.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "imsg/codec.h"
#include "imsg/audit.h"
#include "imsg/guard.h"
#include "imsg/helper.h"
#include "lib/confine.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/json.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"

#include "imaged/admin.h"
#include "imaged/digest.h"
#include "imaged/holds.h"
#include "imaged/hostfile.h"
#include "imaged/http.h"
#include "imaged/images.h"
#include "imaged/import.h"
#include "imaged/manifest.h"
#include "imaged/news.h"
#include "imaged/proxy.h"
#include "imaged/pull.h"
#include "imaged/pulls.h"
#include "imaged/regnow.h"
#include "imaged/share.h"
#include "imaged/store.h"
#include "imaged/judge.h"

#define IMAGED_PARALLEL	    6
#define IMAGED_PARALLEL_MAX 32
#define IMAGED_TMP	    "/tmp"

extern const struct filter filter_imaged;

struct imaged {
	struct images_ctx images; /* first: helper, store */
	struct http_limits limits;
	struct proxy_conf proxy;
	struct pull_env env;
	struct regnow *regnow;
	struct pulls *pulls;
	struct news *news;
};

static const struct confine_limit imaged_rlimits[] = {
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_NOFILE, 1024 },
	{ RLIMIT_AS, (rlim_t)1024 * 1024 * 1024 },
	{ RLIMIT_NPROC, 256 }, /* libc's resolver runs in threads */
	{ RLIMIT_MEMLOCK, 0 },
	{ -1, 0 },
};

static const struct confine imaged_confine = {
	.role = "imaged",
	.unshare = CLONE_NEWIPC | CLONE_NEWUTS,
	.own_root = true,
	.root_attr = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	.landlock = CONFINE_LANDLOCK_ROOT,
	.limits = imaged_rlimits,
	.filter = &filter_imaged,
};

/* ---- the front ---- */

static void
imaged_pull(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct imaged *im = ctx;

	pulls_take_pull(im->pulls, call, m->body);
}

static void
imaged_import(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct imaged *im = ctx;

	pulls_take_import(im->pulls, call, m->body);
}

static void
imaged_tasks(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct imaged *im = ctx;

	(void)m;
	pulls_take_tasks(im->pulls, call);
}

static void
imaged_blob(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct imaged *im = ctx;

	(void)call;
	pulls_take_blob(im->pulls, m->body, link_take_fd(m, 0));
}

static const struct link_handler imaged_front[] = {
	{ MSG_IMG_PULL, imaged_pull },
	{ MSG_IMG_BLOB, imaged_blob },
	{ MSG_IMG_IMPORT, imaged_import },
	{ MSG_IMG_LIST, images_list },
	{ MSG_IMG_STATUS, images_status },
	{ MSG_IMG_REMOVE, images_remove },
	{ MSG_IMG_FSINFO, images_fsinfo },
	{ MSG_IMG_DETAILS, admin_details },
	{ MSG_IMG_READ, admin_read },
	{ MSG_IMG_TASKS, imaged_tasks },
};

static const struct link_handler imaged_execd[] = {
	{ MSG_LEASE_GET, images_lease_get },
	{ MSG_LEASE_PUT, images_lease_put },
	{ MSG_LEASE_HAVE, images_lease_have },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct link_def imaged_links[] = {
	{
	    .self = ROLE_IMAGED,
	    .peer = ROLE_FRONT,
	    .handlers = imaged_front,
	    .nhandlers = COUNT(imaged_front),
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_IMAGED,
	    .peer = ROLE_EXECD,
	    .handlers = imaged_execd,
	    .nhandlers = COUNT(imaged_execd),
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
	{
	    .self = ROLE_IMAGED,
	    .peer = ROLE_SCRIBE,
	    .lost = helper_link_lost,
	    .pb = &codec_pb,
	},
};

/* ---- the parent ---- */

static void
imaged_file(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct imaged *im = ctx;
	const Criod__File *f = m->body;
	CLEANUP_FD int fd = link_take_fd(m, 0);
	struct cerr err;
	int rc = 0;

	(void)call;
	if (f->kind == CRIOD__FILE__KIND__CA_BUNDLE) {
		http_set_ca(im->env.session.http, fd);
		fd = -1;
	} else if (f->kind == CRIOD__FILE__KIND__RESOLV_CONF) {
		rc = hostfile_copy(fd, "/etc/resolv.conf", &err);
	} else if (f->kind == CRIOD__FILE__KIND__HOSTS) {
		rc = hostfile_copy(fd, "/etc/hosts", &err);
	}
	if (rc == -1)
		log_warn("%s", err.text);
}

static const struct link_handler imaged_parent[] = {
	{ MSG_FILE, imaged_file },
};

static void
imaged_platform(struct imaged *im)
{
	struct utsname u;

	if (uname(&u) == -1)
		fatal("uname");
	im->env.platform = manifest_platform_of(manifest_machine(u.machine));
	if (im->env.platform == NULL)
		fatalx("machine type %s is not known", u.machine);
}

static void
imaged_parallel(struct imaged *im, const Criod__BootImaged *conf)
{
	im->env.parallel = conf->max_parallel_downloads;
	if (im->env.parallel == 0)
		im->env.parallel = IMAGED_PARALLEL;
	if (im->env.parallel > IMAGED_PARALLEL_MAX)
		im->env.parallel = IMAGED_PARALLEL_MAX;
}

static void
imaged_limits(struct imaged *im, const Criod__Transfer *t)
{
	im->limits = (struct http_limits){
		.connect = t->connect,
		.tls = t->tls,
		.header = t->header,
		.idle = t->idle,
		.rate = t->rate,
		.document = t->document,
	};
	im->env.total = t->total;
	im->env.session.progress = t->progress;
}

static void
imaged_transfer(struct imaged *im, const Criod__BootImaged *conf)
{
	imaged_limits(im, conf->transfer);
	im->proxy = (struct proxy_conf){
		.http = conf->proxy_http,
		.https = conf->proxy_https,
		.except = conf->proxy_except,
	};
	im->env.session.base = im->env.base;
	im->env.session.http = http_new(im->env.base, &im->limits, &im->proxy);
	im->env.session.holds = holds_new();
}

static struct store *
imaged_open_store(struct imaged *im, const Criod__BootImaged *conf,
    struct cerr *err)
{
	struct store_def def = {
		.base = im->env.base,
		.parent = helper_link(im->images.helper, ROLE_PARENT),
		.root = "",
		.image_directory = conf->image_directory,
		.boot = conf->boot,
		.pinned = (const char *const *)conf->pinned_images,
		.npinned = conf->n_pinned_images,
		.changed = news_changed,
		.changed_arg = im->news,
		.stores = (const char *const *)conf->stores,
		.nstores = conf->n_stores,
	};

	return store_open(&def, err);
}

/* The store is a newer version's: nothing of it is touched. */
static void
imaged_refuse(struct imaged *im, const struct cerr *err)
{
	log_error("%s; nothing is done with images", err->text);
	link_refuse_all(helper_link(im->images.helper, ROLE_FRONT), err);
	link_refuse_all(helper_link(im->images.helper, ROLE_EXECD), err);
}

static int
imaged_boot(void *ctx, const Criod__Boot *boot, struct cerr *err)
{
	struct imaged *im = ctx;
	struct pulls_def pulls;

	if (boot->imaged == NULL || boot->imaged->transfer == NULL)
		return cerr_set(err, CERR_INTERNAL, "BOOT is for another role");
	if ((mkdir(IMAGED_TMP, 0700) == -1 && errno != EEXIST) ||
	    (mkdir("/etc", 0700) == -1 && errno != EEXIST))
		return cerr_errno(err, "make a directory of the store");
	im->env.base = helper_base(im->images.helper);
	im->env.guard = guard_new(boot->imaged->policy, boot->imaged->n_policy,
	    audit_new(helper_link(im->images.helper, ROLE_SCRIBE),
		boot->imaged->audit));
	im->regnow = regnow_new(helper_link(im->images.helper, ROLE_PARENT),
	    boot->imaged);
	im->images.registries = regnow_base(im->regnow);
	im->env.foreign = (struct foreign_rules){
		(const char *const *)boot->imaged->foreign_layers,
		boot->imaged->n_foreign_layers,
	};
	im->news = news_new(helper_link(im->images.helper, ROLE_FRONT));
	im->env.store = imaged_open_store(im, boot->imaged, err);
	if (im->env.store == NULL && err->code == CERR_FAILED_PRECONDITION)
		imaged_refuse(im, err);
	else if (im->env.store == NULL)
		return -1;
	im->images.store = im->env.store;
	im->env.judge =
	    judge_new(im->env.base, helper_link(im->images.helper, ROLE_PARENT),
		boot->imaged->trust, err);
	if (im->env.judge == NULL)
		return -1;
	im->images.judge = im->env.judge;
	imaged_transfer(im, boot->imaged);
	im->env.import = import_new(im->env.base);
	im->env.shares = shares_new(im->env.base, im->env.store, IMAGED_TMP);
	imaged_parallel(im, boot->imaged);
	pulls = (struct pulls_def){ .env = &im->env,
		.regnow = im->regnow,
		.parent = helper_link(im->images.helper, ROLE_PARENT),
		.namespaced = boot->imaged->namespaced_auth,
		.auth_file = boot->imaged->auth_file };
	im->pulls = pulls_new(&pulls);
	return 0;
}

static void
imaged_start(void *ctx)
{
	struct imaged *im = ctx;

	if (im->env.store != NULL)
		store_start(im->env.store);
}

static void
imaged_stop(void *ctx)
{
	struct imaged *im = ctx;

	if (im->env.store == NULL)
		return;
	store_clean(im->env.store);
	store_free(im->env.store);
}

static void
imaged_attached(void *ctx, enum role peer)
{
	struct imaged *im = ctx;

	if (im->env.store == NULL)
		return;
	if (peer == ROLE_EXECD)
		images_execd_attached(ctx);
	else if (peer == ROLE_FRONT)
		news_begin(im->news, im->env.store);
}

static const struct helper_def imaged_def = {
	.role = ROLE_IMAGED,
	.pb = &codec_pb,
	.confine = &imaged_confine,
	.links = imaged_links,
	.nlinks = COUNT(imaged_links),
	.handlers = imaged_parent,
	.nhandlers = COUNT(imaged_parent),
	.boot = imaged_boot,
	.start = imaged_start,
	.stop = imaged_stop,
	.attached = imaged_attached,
};

static void *
imaged_nothing(void *arg)
{
	return arg;
}

/*
 * What libraries would look for in the file system later, when there is none:
 * name services are the host's files and DNS whatever the host's own
 * configuration says, since no other plug-in could be loaded.  One heap for
 * all threads keeps to the address-space limit; the first thread makes libc set
 * up what the filter would not let it.
 */
static void
imaged_preload(void)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	pthread_t thread;

	(void)mallopt(M_ARENA_MAX, 1);
	tzset();
	json_init();
	digest_init();
	if (__nss_configure_lookup("hosts", "files dns") == -1)
		fatal("name service");
	if (getaddrinfo("localhost", NULL, &hints, &list) == 0)
		freeaddrinfo(list);
	if (pthread_create(&thread, NULL, imaged_nothing, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0)
		fatalx("threads");
}

int
main(void)
{
	static struct imaged imaged;

	imaged.images.helper =
	    helper_new(&imaged_def, &imaged, HELPER_PARENT_FD);
	imaged_preload();
	imaged_platform(&imaged);
	helper_boot_run(imaged.images.helper);
}
