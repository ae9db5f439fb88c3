#include <stdlib.h>
#include <string.h>

#include "imsg/fixed.h"
#include "imsg/link.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "proto/msg.pb-c.h"

#include "imaged/digest.h"
#include "imaged/regconf.h"
#include "imaged/regnow.h"

#define REGNOW_MS 10000

struct regnow {
	struct link *parent;
	const Criod__BootImaged *boot;
	struct regconf *base;
	struct regconf *conf;	/* with the files of have; NULL: none yet */
	char have[DIGEST_SIZE]; /* of what the parent read last */
};

struct regnow_ask {
	struct regnow *regnow;
	uint32_t id;
	regnow_fn fn;
	void *arg;
};

struct regnow *
regnow_new(struct link *parent, const Criod__BootImaged *boot)
{
	struct regnow *rn = calloc(1, sizeof(*rn));

	if (rn == NULL)
		fatal("regnow: calloc");
	rn->parent = parent;
	rn->boot = boot;
	rn->base = regconf_new(boot);
	return rn;
}

const struct regconf *
regnow_base(const struct regnow *rn)
{
	return rn->base;
}

static void
regnow_digest(const Criod__RegistryFiles *files, char digest[DIGEST_SIZE])
{
	struct digest *d = digest_new();

	for (size_t i = 0; i < files->n_files; i++) {
		const Criod__RegistryFile *f = files->files[i];

		digest_update(d, &f->kind, sizeof(f->kind));
		digest_update(d, f->path, strlen(f->path) + 1);
		digest_update(d, f->wrong, strlen(f->wrong) + 1);
		digest_update(d, &f->text.len, sizeof(f->text.len));
		digest_update(d, f->text.data, f->text.len);
	}
	digest_final(d, digest);
	digest_free(d);
}

static void
regnow_log(void *arg, const char *why)
{
	(void)arg;
	log_error("%s", why);
}

/* BOOT's files, then these; pulls under way keep what they began with. */
static void
regnow_take(struct regnow *rn, const Criod__RegistryFiles *files)
{
	Criod__BootImaged all = *rn->boot;

	all.n_files += files->n_files;
	all.files = calloc(all.n_files + 1, sizeof(*all.files));
	if (all.files == NULL)
		fatal("regnow: calloc");
	for (size_t i = 0; i < all.n_files; i++)
		all.files[i] = i < rn->boot->n_files
				   ? rn->boot->files[i]
				   : files->files[i - rn->boot->n_files];
	regconf_unref(rn->conf);
	rn->conf = regconf_new(&all);
	free(all.files);
	regconf_each_wrong(rn->conf, regnow_log, NULL);
}

static void
regnow_came(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct regnow_ask *a = arg;
	struct regnow *rn = a->regnow;
	char digest[DIGEST_SIZE];

	if (err == NULL) {
		regnow_digest(m->body, digest);
		if (rn->conf == NULL || strcmp(digest, rn->have) != 0) {
			regnow_take(rn, m->body);
			memcpy(rn->have, digest, sizeof(digest));
		}
	}
	a->fn(a->arg, err == NULL ? rn->conf : NULL, err);
	free(a);
}

struct regnow_ask *
regnow_start(struct regnow *rn, regnow_fn fn, void *arg)
{
	struct regnow_ask *a = calloc(1, sizeof(*a));
	struct fixed_none none = { 0 };

	if (a == NULL)
		fatal("regnow: calloc");
	*a = (struct regnow_ask){ .regnow = rn, .fn = fn, .arg = arg };
	a->id = link_request(rn->parent, MSG_REG_TAKE, &none, NULL, 0,
	    mono_after_ms(REGNOW_MS), regnow_came, a);
	return a;
}

void
regnow_cancel(struct regnow_ask *a)
{
	if (a == NULL)
		return;
	link_cancel(a->regnow->parent, a->id);
	free(a);
}
