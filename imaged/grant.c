#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#include "imaged/grant.h"
#include "imaged/ref.h"
#include "imaged/sigset.h"
#include "imaged/store.h"
#include "imaged/judge.h"

#define GRANT_NAMES_MAX 128 /* of an image that are tried */

struct grant {
	struct judge *judge;
	char *ns;
	struct ref *names; /* one of them must be accepted */
	size_t n, at;
	bool nameless; /* there are none */
	struct sigset sigs;
	struct judge_check *check;
	grant_fn fn;
	void *arg;
	struct cerr why; /* the last that was refused */
};

static void
grant_free(struct grant *g)
{
	judge_cancel(g->check);
	sigset_clear(&g->sigs);
	free(g->names);
	free(g->ns);
	free(g);
}

void
grant_cancel(struct grant *g)
{
	if (g != NULL)
		grant_free(g);
}

static void
grant_end(struct grant *g, const struct cerr *err)
{
	grant_fn fn = g->fn;
	void *arg = g->arg;
	struct cerr why;

	if (err != NULL)
		why = *err;
	grant_free(g);
	fn(arg, err != NULL ? &why : NULL);
}

static const struct ref *
grant_name(const struct grant *g)
{
	return g->nameless ? NULL : &g->names[g->at];
}

static void
grant_refused(struct grant *g, const char *why)
{
	char text[REF_TEXT_SIZE] = "without a name";

	if (!g->nameless)
		ref_text(grant_name(g), text);
	(void)cerr_set(&g->why, CERR_UNKNOWN, JUDGE_PREFIX "image %s: %s", text,
	    why);
	g->at++;
}

static void grant_checked(void *arg, const struct cerr *err);

/* True when it is decided; false while a check is under way. */
static bool
grant_try(struct grant *g, bool *granted)
{
	enum judge_verdict v;

	*granted = false;
	while (g->at < g->n) {
		v = judge_ask(g->judge, g->ns, grant_name(g));
		if (v == JUDGE_ACCEPT) {
			*granted = true;
			return true;
		}
		if (v == JUDGE_SIGNATURE) {
			g->check = judge_start(g->judge, g->ns, grant_name(g),
			    &g->sigs, grant_checked, g);
			return false;
		}
		grant_refused(g, JUDGE_REJECTED);
	}
	return true;
}

static void
grant_checked(void *arg, const struct cerr *err)
{
	struct grant *g = arg;
	bool granted;

	g->check = NULL;
	if (err == NULL) {
		grant_end(g, NULL);
		return;
	}
	grant_refused(g, err->text);
	if (grant_try(g, &granted))
		grant_end(g, granted ? NULL : &g->why);
}

/* ---- names ---- */

static bool
grant_same_repository(const struct ref *a, const struct ref *b)
{
	return strcmp(a->domain, b->domain) == 0 &&
	       strcmp(a->path, b->path) == 0;
}

static void
grant_add_names(struct grant *g, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n && g->n < GRANT_NAMES_MAX; i++) {
		if (ref_parse(texts[i], &g->names[g->n], NULL) == 0)
			g->n++;
	}
}

/* The name that was asked for, alone, if it is one of the image's. */
static void
grant_choose(struct grant *g, const char *name)
{
	struct ref asked;

	if (digest_valid(name) || ref_parse(name, &asked, NULL) == -1)
		return;
	for (size_t i = 0; i < g->n; i++) {
		if (grant_same_repository(&asked, &g->names[i])) {
			g->names[0] = asked;
			g->n = 1;
			return;
		}
	}
}

static int
grant_add_signatures(void *arg, const uint8_t *buf, size_t len,
    struct cerr *err)
{
	struct grant *g = arg;

	return sigset_unpack(&g->sigs, buf, len, err);
}

struct grant *
grant_start(struct judge *t, struct store *s, const struct store_image *im,
    const char *name, const char *ns, grant_fn fn, void *arg)
{
	struct grant *g = calloc(1, sizeof(*g));
	struct cerr err;
	bool granted;

	if (g == NULL)
		fatal("grant: calloc");
	g->judge = t;
	g->fn = fn;
	g->arg = arg;
	g->ns = strdup(ns);
	g->names = calloc(GRANT_NAMES_MAX, sizeof(*g->names));
	if (g->ns == NULL || g->names == NULL)
		fatal("grant: calloc");
	grant_add_names(g, im->digests, im->ndigests);
	grant_add_names(g, im->tags, im->ntags);
	grant_choose(g, name);
	g->nameless = g->n == 0;
	if (g->nameless)
		g->n = 1;
	if (store_image_signatures(s, im->id, grant_add_signatures, g, &err) ==
	    -1)
		log_warn("image %s: %s", im->id, err.text);
	if (!grant_try(g, &granted))
		return g;
	grant_end(g, granted ? NULL : &g->why);
	return NULL;
}
