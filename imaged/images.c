#include <stdlib.h>
#include <string.h>

#include "imaged/digest.h"
#include "imaged/grant.h"
#include "imaged/images.h"
#include "imaged/imgconf.h"
#include "imaged/item.h"
#include "imaged/ref.h"
#include "imaged/registry.h"
#include "imaged/store.h"
#include "imsg/helper.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"

static void *
images_alloc(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

static void
images_refuse(struct link_call *call, enum cerr_code code, const char *text)
{
	struct cerr err;

	(void)cerr_set(&err, code, "%s", text);
	link_refuse(call, &err);
}

static const struct store_image *
images_find_ref(struct store *s, const struct ref *ref)
{
	char name[REF_TEXT_SIZE];

	if (ref->digest[0] != '\0')
		ref_at_digest(ref, ref->digest, name);
	else
		ref_tagged(ref, name);
	return store_image_find(s, name);
}

const struct store_image *
images_find(const struct images_ctx *c, const char *what)
{
	struct ref refs[REGISTRY_CANDIDATES_MAX], plain;
	const struct store_image *im = NULL;
	size_t n = 0;

	if (!digest_valid(what) && ref_parse(what, &plain, NULL) == 0) {
		if (registry_candidates(c->registries, what, false, refs, &n,
			NULL) == -1)
			n = 0;
		for (size_t i = 0; i < n && im == NULL; i++)
			im = images_find_ref(c->store, &refs[i]);
		if (im == NULL) /* imported, perhaps */
			im = images_find_ref(c->store, &plain);
	}
	return im != NULL ? im : store_image_find(c->store, what);
}

/* ---- front ---- */

static size_t
images_count(struct store *s)
{
	size_t n = 0;

	while (store_image_at(s, n) != NULL)
		n++;
	return n;
}

static void
images_reply_list(struct link_call *call, struct item_image *items, size_t n)
{
	Runtime__V1__ListImagesResponse body =
	    RUNTIME__V1__LIST_IMAGES_RESPONSE__INIT;

	body.images = images_alloc(n, sizeof(*body.images));
	body.n_images = n;
	for (size_t i = 0; i < n; i++)
		body.images[i] = &items[i].image;
	link_reply(call, MSG_IMG_LISTED, &body, NULL, 0);
	free(body.images);
}

static const char *
images_filter(const Runtime__V1__ListImagesRequest *req)
{
	if (req->filter == NULL || req->filter->image == NULL)
		return "";
	return req->filter->image->image;
}

void
images_list(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct images_ctx *c = ctx;
	const char *filter = images_filter(m->body);
	const struct store_image *im;
	struct item_image *items;
	size_t n = 0;

	if (*filter != '\0') {
		items = images_alloc(1, sizeof(*items));
		im = images_find(c, filter);
		if (im != NULL)
			item_image_fill(&items[n++], im);
	} else {
		items = images_alloc(images_count(c->store), sizeof(*items));
		for (; (im = store_image_at(c->store, n)) != NULL; n++)
			item_image_fill(&items[n], im);
	}
	images_reply_list(call, items, n);
	free(items);
}

/* The config, which the store has checked to be JSON, as "imageSpec". */
static char *
images_info(struct store *s, const char *id)
{
	static const char head[] = "{\"imageSpec\":";
	uint8_t *config;
	char *text;
	size_t len;
	struct cerr err;

	if (store_image_config(s, id, &config, &len, &err) == -1)
		return NULL;
	text = images_alloc(1, sizeof(head) + len + 1);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + sizeof(head) - 1, config, len);
	text[sizeof(head) - 1 + len] = '}';
	free(config);
	return text;
}

static void
images_reply_status(struct store *s, struct link_call *call,
    const struct store_image *im, bool verbose)
{
	Runtime__V1__ImageStatusResponse body =
	    RUNTIME__V1__IMAGE_STATUS_RESPONSE__INIT;
	Runtime__V1__ImageStatusResponse__InfoEntry info =
	    RUNTIME__V1__IMAGE_STATUS_RESPONSE__INFO_ENTRY__INIT;
	Runtime__V1__ImageStatusResponse__InfoEntry *infos[] = { &info };
	struct item_image item;
	char *text = NULL;

	/* A damaged one counts as absent, so that it is pulled again. */
	if (im != NULL && !im->damaged) {
		item_image_fill(&item, im);
		body.image = &item.image;
		if (verbose)
			text = images_info(s, im->id);
	}
	if (text != NULL) {
		info.key = item_str("info");
		info.value = text;
		body.info = infos;
		body.n_info = 1;
	}
	link_reply(call, MSG_IMG_STATUS_IS, &body, NULL, 0);
	free(text);
}

/* An ImageStatus that waits until additional stores have told. */
struct images_asked {
	struct images_ctx *ctx;
	struct link_call *call;
	bool verbose;
	char what[];
};

static void
images_status_settled(void *arg)
{
	struct images_asked *a = arg;

	images_reply_status(a->ctx->store, a->call,
	    images_find(a->ctx, a->what), a->verbose);
	free(a);
}

/* What is here need not wait for what is elsewhere. */
void
images_status(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct images_ctx *c = ctx;
	const Runtime__V1__ImageStatusRequest *req = m->body;
	const struct store_image *im;
	struct images_asked *a;

	if (req->image == NULL || *req->image->image == '\0') {
		images_refuse(call, CERR_INVALID_ARGUMENT,
		    "image.image: empty");
		return;
	}
	im = images_find(c, req->image->image);
	if (im != NULL && !im->damaged) {
		images_reply_status(c->store, call, im, req->verbose);
		return;
	}
	a = images_alloc(1, sizeof(*a) + strlen(req->image->image) + 1);
	a->ctx = c;
	a->call = call;
	a->verbose = req->verbose;
	memcpy(a->what, req->image->image, strlen(req->image->image) + 1);
	(void)store_when_settled(c->store, images_status_settled, a);
}

static void
images_removed(void *arg, const struct cerr *err)
{
	struct link_call *call = arg;
	Criod__Empty empty = CRIOD__EMPTY__INIT;

	if (err != NULL)
		link_refuse(call, err);
	else
		link_reply(call, MSG_IMG_REMOVED, &empty, NULL, 0);
}

void
images_remove(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct images_ctx *c = ctx;
	const Runtime__V1__RemoveImageRequest *req = m->body;
	const struct store_image *im;

	if (req->image == NULL || *req->image->image == '\0') {
		images_refuse(call, CERR_INVALID_ARGUMENT,
		    "image.image: empty");
		return;
	}
	im = images_find(c, req->image->image);
	if (im == NULL)
		images_removed(call, NULL);
	else
		store_image_remove(c->store, im->id, images_removed, call);
}

void
images_fsinfo(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct images_ctx *c = ctx;
	struct item_fs it;

	(void)m;
	item_fs_fill(&it, c->store);
	link_reply(call, MSG_IMG_FSINFO_IS, &it.body, NULL, 0);
}

/* ---- execd ---- */

static void
images_fill_lease(Criod__Lease *body, const struct store_image *im,
    const struct imgconf *conf)
{
	body->image_id = item_str(im->id);
	body->image_ref = item_str(im->ndigests > 0 ? im->digests[0] : im->id);
	memcpy(&body->layers, &im->layers, sizeof(body->layers));
	body->n_layers = im->nlayers;
	body->user = conf->user;
	body->working_dir = conf->working_dir;
	body->stop_signal = conf->stop_signal;
	body->env = conf->env.items;
	body->n_env = conf->env.n;
	body->entrypoint = conf->entrypoint.items;
	body->n_entrypoint = conf->entrypoint.n;
	body->cmd = conf->cmd.items;
	body->n_cmd = conf->cmd.n;
	body->volumes = conf->volumes.items;
	body->n_volumes = conf->volumes.n;
}

static struct imgconf *
images_config(struct store *s, const char *id, struct cerr *err)
{
	uint8_t *config;
	size_t len;
	struct imgconf *conf;

	if (store_image_config(s, id, &config, &len, err) == -1)
		return NULL;
	conf = imgconf_parse(config, len, err);
	free(config);
	return conf;
}

/*
 * One LEASE_GET, until it is known whether the policy accepts the image, then
 * whether it is whole.
 */
struct images_lease {
	struct images_ctx *ctx;
	struct store *store;
	struct grant *grant;
	struct link_call *call;
	char *container, *what, *name, *ns; /* of the request */
	char *id;
};

static void
images_lease_free(struct images_lease *g)
{
	free(g->container);
	free(g->what);
	free(g->name);
	free(g->ns);
	free(g->id);
	free(g);
}

static int
images_lease_take(struct images_lease *g, struct imgconf **conf,
    struct cerr *err)
{
	*conf = images_config(g->store, g->id, err);
	if (*conf == NULL)
		return -1;
	return store_lease_get(g->store, g->container, g->id, err);
}

static void
images_lease_ready(void *arg, const struct cerr *why)
{
	struct images_lease *g = arg;
	Criod__Lease body = CRIOD__LEASE__INIT;
	struct imgconf *conf = NULL;
	struct cerr err;

	if (why != NULL) {
		link_refuse(g->call, why);
	} else if (images_lease_take(g, &conf, &err) == -1) {
		link_refuse(g->call, &err);
	} else {
		images_fill_lease(&body, store_image_find(g->store, g->id),
		    conf);
		link_reply(g->call, MSG_LEASE, &body, NULL, 0);
	}
	imgconf_free(conf);
	images_lease_free(g);
}

static void
images_lease_granted(void *arg, const struct cerr *err)
{
	struct images_lease *g = arg;

	link_call_on_cancel(g->call, NULL, NULL);
	if (err == NULL) {
		store_image_settle(g->store, g->id, images_lease_ready, g);
		return;
	}
	link_refuse(g->call, err);
	images_lease_free(g);
}

static void
images_lease_cancelled(void *arg)
{
	struct images_lease *g = arg;

	grant_cancel(g->grant);
	images_refuse(g->call, CERR_CANCELLED, "the create was cancelled");
	images_lease_free(g);
}

static char *
images_strdup(const char *s)
{
	char *p = strdup(s);

	if (p == NULL)
		fatal("strdup");
	return p;
}

static void
images_lease_begin(void *arg)
{
	struct images_lease *g = arg;
	const struct store_image *im = images_find(g->ctx, g->what);
	struct grant *grant;
	struct cerr err;

	if (im == NULL) {
		(void)cerr_set(&err, CERR_NOT_FOUND, "no image %.256s",
		    g->what);
		link_refuse(g->call, &err);
		images_lease_free(g);
		return;
	}
	g->id = images_strdup(im->id);
	grant = grant_start(g->ctx->judge, g->store, im, g->name, g->ns,
	    images_lease_granted, g);
	if (grant == NULL) /* it is decided */
		return;
	g->grant = grant;
	link_call_on_cancel(g->call, images_lease_cancelled, g);
}

void
images_lease_get(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct images_ctx *c = ctx;
	const Criod__LeaseGet *req = m->body;
	const struct store_image *im = images_find(c, req->image);
	struct images_lease *g = images_alloc(1, sizeof(*g));

	g->ctx = c;
	g->store = c->store;
	g->call = call;
	g->container = images_strdup(req->container_id);
	g->what = images_strdup(req->image);
	g->name = images_strdup(req->name);
	g->ns = images_strdup(req->ns);
	if (im != NULL && !im->damaged)
		images_lease_begin(g);
	else
		(void)store_when_settled(c->store, images_lease_begin, g);
}

void
images_lease_put(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct images_ctx *c = ctx;
	const Criod__LeasePut *req = m->body;

	(void)call;
	store_lease_put(c->store, req->container_id);
}

void
images_lease_have(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct images_ctx *c = ctx;
	const Criod__LeaseHave *req = m->body;

	(void)call;
	if (*req->container_id == '\0')
		store_lease_end(c->store);
	else
		store_lease_have(c->store, req->container_id, req->image_id);
}

void
images_execd_attached(void *ctx)
{
	struct images_ctx *c = ctx;

	store_lease_begin(c->store);
}
