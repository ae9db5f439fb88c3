/*
 * The store with a parent and unpack programs played by this test, all on one
 * event loop.
 */
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <event2/event.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "imaged/digest.h"
#include "imaged/image.h"
#include "imaged/store.h"
#include "imsg/fixed.h"
#include "imsg/link.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "lib/pattern.h"

#define CTR_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define CTR_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct t {
	char root[64];
	struct event_base *base;
	struct link *parent;	/* imaged's end */
	struct link *as_parent; /* the parent's end */
	struct link *unpack[64];
	uint64_t number[64];
	size_t nunpack;
	unsigned int spawns, packs;
	uint64_t spoilt;     /* layer that pack finds damaged */
	enum cerr_code fail; /* unpack answers with it */
	bool stall;	     /* unpack does not answer */
	struct link_call *stalled[8];
	size_t nstalled;
	struct store *store;
	const char *boot;
	/* what a callback brought */
	int ended;
	uint64_t layer, size;
	struct cerr err;
};

/* ---- the other side ---- */

static void
t_layer_path(struct t *t, uint64_t number, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/layer/%llu/fs", t->root,
	    (unsigned long long)number);
}

static uint64_t
t_number(struct t *t, void *ctx)
{
	return t->number[(size_t)((struct link **)ctx - t->unpack)];
}

static struct t *t_now;

static void
t_unpack_layer(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct t *t = t_now;
	const struct fixed_unpack_layer *l = m->body;
	struct fixed_unpack_done done = { .bytes = 5000, .inodes = 2 };
	char path[PATH_MAX];
	struct cerr err;
	FILE *f;

	if (t->stall) {
		t->stalled[t->nstalled++] = call;
		return;
	}
	if (t->fail != CERR_OK) {
		(void)cerr_set(&err, t->fail, "unpack says no");
		link_refuse(call, &err);
		return;
	}
	t_layer_path(t, t_number(t, ctx), path);
	(void)strncat(path, "/file", sizeof(path) - strlen(path) - 1);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fclose(f);
	memcpy(done.diff_id, l->diff_id, sizeof(done.diff_id));
	link_reply(call, MSG_UNPACK_DONE, &done, NULL, 0);
}

static void
t_unpack_remove(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct t *t = t_now;
	struct fixed_unpack_done done = { 0 };
	char path[PATH_MAX];

	(void)m;
	t_layer_path(t, t_number(t, ctx), path);
	(void)strncat(path, "/file", sizeof(path) - strlen(path) - 1);
	(void)unlink(path);
	link_reply(call, MSG_UNPACK_DONE, &done, NULL, 0);
}

static const struct link_handler t_unpack_handlers[] = {
	{ MSG_UNPACK_LAYER, t_unpack_layer },
	{ MSG_UNPACK_REMOVE, t_unpack_remove },
};
static const struct link_def t_unpack_def = {
	.self = ROLE_UNPACK,
	.peer = ROLE_IMAGED,
	.handlers = t_unpack_handlers,
	.nhandlers = 2,
};

static void
t_pack(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct t *t = t_now;
	struct fixed_pack_done done = { .size = 1234 };
	struct cerr err;

	(void)m;
	t->packs++;
	if (t_number(t, ctx) == t->spoilt) {
		(void)cerr_set(&err, CERR_DATA_LOSS, "another content");
		link_refuse(call, &err);
		return;
	}
	link_reply(call, MSG_PACK_DONE, &done, NULL, 0);
}

static const struct link_handler t_pack_handlers[] = {
	{ MSG_PACK_LAYER, t_pack },
	{ MSG_PACK_SIZE, t_pack },
};
static const struct link_def t_pack_def = {
	.self = ROLE_PACK,
	.peer = ROLE_IMAGED,
	.handlers = t_pack_handlers,
	.nhandlers = 2,
};

static void
t_spawn(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct t *t = ctx;
	const struct fixed_unpack_spawn *s = m->body;
	struct fixed_none none = { 0 };
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	assert_true(t->nunpack < 64);
	t->number[t->nunpack] = s->layer;
	t->unpack[t->nunpack] = link_new(t->base,
	    s->op == 2 ? &t_pack_def : &t_unpack_def, &t->unpack[t->nunpack]);
	link_attach(t->unpack[t->nunpack++], sv[1]);
	if (s->op == 0)
		t->spawns++;
	link_reply(call, MSG_UNPACK_LINK, &none, &sv[0], 1);
}

static const struct link_handler t_parent_handlers[] = {
	{ MSG_UNPACK_SPAWN, t_spawn },
};
static const struct link_def t_parent_def = {
	.self = ROLE_PARENT,
	.peer = ROLE_IMAGED,
	.handlers = t_parent_handlers,
	.nhandlers = 1,
};
static const struct link_def t_imaged_def = {
	.self = ROLE_IMAGED,
	.peer = ROLE_PARENT,
};

/* ---- fixture ---- */

static const char *const t_pinned[] = { "registry.test/pause:1", "quay.io/*",
	"*keep*", "busybox" };

static void
t_open(struct t *t)
{
	struct store_def def = { .base = t->base,
		.parent = t->parent,
		.root = t->root,
		.image_directory = "/var/lib/x",
		.boot = t->boot,
		.pinned = t_pinned,
		.npinned = 4 };
	struct cerr err;

	t->store = store_open(&def, &err);
	if (t->store == NULL)
		fail_msg("%s", err.text);
	store_start(t->store);
}

static void
t_settle(struct t *t)
{
	store_lease_begin(t->store);
	store_lease_end(t->store);
}

static void
t_reopen(struct t *t)
{
	store_free(t->store);
	t_open(t);
}

static void
t_connect(struct t *t)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	link_attach(t->parent, sv[0]);
	link_attach(t->as_parent, sv[1]);
}

static int
t_setup(void **state)
{
	struct t *t = calloc(1, sizeof(*t));

	(void)strncpy(t->root, "/tmp/t_store.XXXXXX", sizeof(t->root) - 1);
	assert_non_null(mkdtemp(t->root));
	t->base = event_base_new();
	t->parent = link_new(t->base, &t_imaged_def, t);
	t->as_parent = link_new(t->base, &t_parent_def, t);
	t_connect(t);
	t_now = t;
	t->boot = "boot-1";
	t_open(t);
	*state = t;
	return 0;
}

/* Lets things happen that no callback tells. */
static void
t_idle(struct t *t)
{
	struct timeval tv = { 0, 50000 };

	(void)event_base_loopexit(t->base, &tv);
	(void)event_base_dispatch(t->base);
}

static int
t_rm(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int
t_teardown(void **state)
{
	struct t *t = *state;

	store_free(t->store);
	t_idle(t); /* what was cancelled ends in the loop */
	for (size_t i = 0; i < t->nstalled; i++)
		link_refuse(t->stalled[i], &t->err);
	link_free(t->parent);
	link_free(t->as_parent);
	for (size_t i = 0; i < t->nunpack; i++)
		link_free(t->unpack[i]);
	event_base_free(t->base);
	(void)nftw(t->root, t_rm, 16, FTW_DEPTH | FTW_PHYS);
	free(t);
	return 0;
}

/* Runs the loop until *what is n, for five seconds at most. */
static void
t_until(struct t *t, const int *what, int n)
{
	struct mono end = mono_after_ms(5000);

	while (*what != n && !mono_passed(end)) {
		struct timeval tv = { 0, 20000 };

		(void)event_base_loopexit(t->base, &tv);
		(void)event_base_loop(t->base, EVLOOP_ONCE);
	}
	assert_int_equal(*what, n);
}

static void
t_layer_end(void *arg, const struct cerr *err, uint64_t layer)
{
	struct t *t = arg;

	t->ended++;
	t->layer = layer;
	if (err != NULL)
		t->err = *err;
}

static const char *
t_diff(char c)
{
	static char buf[8][65];
	static unsigned int n;
	char *s = buf[n++ % 8];

	memset(s, c, 64);
	s[64] = '\0';
	return s;
}

static struct store_unpack *
t_start(struct t *t, char c)
{
	struct store_blob blob = { .fd = open("/dev/null", O_RDONLY),
		.compression = STORE_GZIP,
		.size = 100 };

	return store_layer_unpack(t->store, &blob, t_diff(c), t_layer_end, t);
}

/* A layer, held. */
static uint64_t
t_layer(struct t *t, char c)
{
	t->ended = 0;
	t->err.code = CERR_OK;
	(void)t_start(t, c);
	t_until(t, &t->ended, 1);
	return t->layer;
}

static bool
t_there(struct t *t, uint64_t number)
{
	char path[PATH_MAX];
	struct stat st;

	t_layer_path(t, number, path);
	*strrchr(path, '/') = '\0';
	return stat(path, &st) == 0;
}

static void
t_gone(struct t *t, uint64_t number)
{
	struct mono end = mono_after_ms(5000);

	while (t_there(t, number) && !mono_passed(end))
		t_idle(t);
	assert_false(t_there(t, number));
}

static const char *
t_id(char c)
{
	static char buf[8][80];
	static unsigned int n;
	char *s = buf[n++ % 8];

	(void)snprintf(s, 80, "sha256:%s", t_diff(c));
	return s;
}

static int
t_commit(struct t *t, char id, const char *const *names, size_t nnames,
    const uint64_t *layers, size_t nlayers, struct cerr *err)
{
	static const char config[] = "{\"config\":{\"User\":\"12\"}}";
	struct store_new_image n = { .id = t_id(id),
		.config = (const uint8_t *)config,
		.config_len = sizeof(config) - 1,
		.manifest_digest = t_id(id),
		.manifest = (const uint8_t *)"{}",
		.manifest_len = 2,
		.names = names,
		.nnames = nnames,
		.layers = layers,
		.nlayers = nlayers };

	return store_image_commit(t->store, &n, err);
}

/* An image of one layer, and its layer's number. */
static uint64_t
t_image(struct t *t, char id, const char *name, char layer)
{
	uint64_t number = t_layer(t, layer);
	struct cerr err;

	assert_int_not_equal(number, 0);
	assert_int_equal(t_commit(t, id, &name, 1, &number, 1, &err), 0);
	store_layer_drop(t->store, number);
	return number;
}

static void
t_done(void *arg, const struct cerr *err)
{
	struct t *t = arg;

	t->ended++;
	t->err.code = CERR_OK;
	if (err != NULL)
		t->err = *err;
}

static enum cerr_code
t_remove(struct t *t, char id)
{
	t->ended = 0;
	store_image_remove(t->store, t_id(id), t_done, t);
	t_until(t, &t->ended, 1);
	return t->err.code;
}

static size_t
t_count(struct t *t)
{
	size_t n = 0;

	while (store_image_at(t->store, n) != NULL)
		n++;
	return n;
}

/* ---- tests ---- */

static void
t_keeps(void **state)
{
	struct t *t = *state;
	const struct store_image *im;
	uint64_t number = t_image(t, '1', "h.test/a:1", 'a');
	uint8_t *config;
	size_t len;
	struct cerr err;

	for (int i = 0; i < 2; i++) {
		im = store_image_find(t->store, "h.test/a:1");
		assert_non_null(im);
		assert_string_equal(im->id, t_id('1'));
		assert_int_equal(im->ntags, 1);
		assert_int_equal(im->ndigests, 0);
		assert_int_equal(im->nlayers, 1);
		assert_int_equal(im->layers[0], number);
		assert_true(im->size > 5000);
		assert_string_equal(im->user, "12");
		assert_false(im->pinned);
		assert_int_equal(store_image_config(t->store, im->id, &config,
				     &len, &err),
		    0);
		assert_int_equal(len, strlen((char *)config));
		free(config);
		t_reopen(t);
	}
	assert_int_equal(store_layer_find(t->store, t_diff('a')), number);
	store_layer_drop(t->store, number);
	/* no number twice, also after a restart */
	assert_true(t_layer(t, 'b') > number);
	store_layer_drop(t->store, t->layer);
}

static void
t_finds(void **state)
{
	struct t *t = *state;

	t_image(t, '1', "h.test/a:1", 'a');
	t_image(t, '2', "h.test/b@sha256:ff", 'b');
	assert_non_null(store_image_find(t->store, t_id('1')));
	assert_non_null(store_image_find(t->store, t_diff('1')));
	assert_non_null(store_image_find(t->store, "111111"));
	assert_non_null(store_image_find(t->store, "sha256:2222222"));
	assert_null(store_image_find(t->store, "11111"));
	assert_null(store_image_find(t->store, "111112"));
	assert_null(store_image_find(t->store, "h.test/a:2"));
	assert_null(store_image_find(t->store, ""));
	assert_int_equal(
	    store_image_find(t->store, "h.test/b@sha256:ff")->ndigests, 1);
}

static void
t_ambiguous(void **state)
{
	struct t *t = *state;
	uint64_t number = t_layer(t, 'a');
	struct cerr err;
	struct store_new_image n = { .id = t_id('1'),
		.config = (const uint8_t *)"{}",
		.config_len = 2,
		.manifest_digest = t_id('1'),
		.manifest = (const uint8_t *)"{}",
		.manifest_len = 2,
		.layers = &number,
		.nlayers = 1 };
	char other[80];

	assert_int_equal(store_image_commit(t->store, &n, &err), 0);
	memcpy(other, n.id, 72);
	other[71 - 1] = '2';
	n.id = other;
	assert_int_equal(store_image_commit(t->store, &n, &err), 0);
	store_layer_drop(t->store, number);
	assert_int_equal(t_count(t), 2);
	assert_null(store_image_find(t->store, "1111111"));
	assert_non_null(store_image_find(t->store, other));
}

/* The same layer five times: the first that is ready is everybody's. */
static void
t_first_is_the_one(void **state)
{
	struct t *t = *state;

	for (int i = 0; i < 5; i++)
		(void)t_start(t, 'a');
	t_until(t, &t->ended, 5);
	assert_int_equal(t->spawns, STORE_UNPACK_MAX);
	assert_int_not_equal(t->layer, 0);
	for (int i = 0; i < 5; i++)
		store_layer_drop(t->store, t->layer);
	assert_int_equal(t_layer(t, 'a'), t->layer);
	assert_int_equal(t->spawns, STORE_UNPACK_MAX);
	store_layer_drop(t->store, t->layer);
	t_settle(t);
	for (uint64_t n = 1; n <= 5; n++) {
		if (n != t->layer)
			t_gone(t, n);
	}
}

/* One that never ends, and one that fails, disturb no other. */
static void
t_claims(void **state)
{
	struct t *t = *state;

	t->stall = true;
	(void)t_start(t, 'a');
	t_idle(t);
	t->stall = false;
	t->fail = CERR_INVALID_ARGUMENT;
	assert_int_equal(t_layer(t, 'a'), 0);
	assert_int_equal(t->err.code, CERR_INVALID_ARGUMENT);
	t->fail = CERR_OK;
	t->err.code = CERR_OK;
	t->ended = 0;
	(void)t_start(t, 'a');
	t_until(t, &t->ended, 2); /* the slow one has it, too */
	assert_int_equal(t->err.code, CERR_OK);
	assert_int_equal(t->layer, 3);
	store_layer_drop(t->store, 3);
	store_layer_drop(t->store, 3);
	t_settle(t);
	t_gone(t, 1);
	t_gone(t, 2);
}

static void
t_bound(void **state)
{
	struct t *t = *state;
	struct store_unpack *u[4];

	t->stall = true;
	for (int i = 0; i < 4; i++)
		u[i] = t_start(t, (char)('a' + i));
	t_idle(t);
	assert_int_equal(t->spawns, STORE_UNPACK_MAX);
	store_unpack_cancel(u[0]);
	t_idle(t);
	assert_int_equal(t->spawns, STORE_UNPACK_MAX + 1);
	t_settle(t);
	for (int i = 1; i < 4; i++)
		store_unpack_cancel(u[i]);
	for (uint64_t n = 1; n <= 4; n++)
		t_gone(t, n);
}

static void
t_fails(void **state)
{
	struct t *t = *state;

	t->fail = CERR_INVALID_ARGUMENT;
	assert_int_equal(t_layer(t, 'a'), 0);
	assert_int_equal(t->err.code, CERR_INVALID_ARGUMENT);
	t_gone(t, 1);
	t->fail = CERR_OK;
	assert_int_equal(t_layer(t, 'a'), 2);
	store_layer_drop(t->store, 2);
}

/* No space: what is only kept for a later pull goes. */
static void
t_gives_space(void **state)
{
	struct t *t = *state;
	uint64_t idle = t_layer(t, 'a'), held = t_layer(t, 'b');
	uint64_t used = t_image(t, '1', "h.test/a:1", 'c');

	store_layer_drop(t->store, idle);
	t->fail = CERR_RESOURCE_EXHAUSTED;
	assert_int_equal(t_layer(t, 'd'), 0);
	t_gone(t, idle);
	assert_true(t_there(t, held));
	assert_true(t_there(t, used));
	store_layer_drop(t->store, held);
}

static void
t_removes(void **state)
{
	struct t *t = *state;
	struct cerr err;
	uint64_t both[2] = { t_layer(t, 'a'), t_layer(t, 'b') };
	const char *name = "h.test/two:1";

	t_settle(t);
	assert_int_equal(t_commit(t, '1', &name, 1, &both[0], 1, &err), 0);
	assert_int_equal(t_commit(t, '2', NULL, 0, both, 2, &err), 0);
	store_layer_drop(t->store, both[0]);
	store_layer_drop(t->store, both[1]);
	assert_int_equal(t_remove(t, '2'), CERR_OK);
	assert_int_equal(t_count(t), 1);
	assert_true(t_there(t, both[0]));
	assert_false(t_there(t, both[1]));
	assert_int_equal(t_remove(t, '2'), CERR_OK);
	assert_int_equal(t_remove(t, '1'), CERR_OK);
	assert_false(t_there(t, both[0]));
	assert_int_equal(t_count(t), 0);
	t_reopen(t);
	assert_int_equal(t_count(t), 0);
}

/* security.md §3 row 21: between check and use a layer is held. */
static void
t_held(void **state)
{
	struct t *t = *state;
	uint64_t number = t_image(t, '1', "h.test/a:1", 'a');
	struct cerr err;

	t_settle(t);
	assert_int_equal(store_layer_find(t->store, t_diff('a')), number);
	assert_int_equal(t_remove(t, '1'), CERR_OK);
	assert_true(t_there(t, number));
	assert_int_equal(t_commit(t, '2', NULL, 0, &number, 1, &err), 0);
	store_layer_drop(t->store, number);
	t_reopen(t);
	assert_non_null(store_image_find(t->store, t_id('2')));
}

static void
t_leases(void **state)
{
	struct t *t = *state;
	struct cerr err;

	t_image(t, '1', "h.test/a:1", 'a');
	t_settle(t);
	assert_int_equal(store_lease_get(t->store, CTR_A, t_id('1'), &err), 0);
	assert_int_equal(store_lease_get(t->store, CTR_A, t_id('1'), &err), 0);
	assert_int_equal(store_lease_get(t->store, CTR_B, t_id('9'), &err), -1);
	assert_int_equal(err.code, CERR_NOT_FOUND);
	assert_int_equal(store_lease_get(t->store, "../x", t_id('1'), &err),
	    -1);
	assert_int_equal(t_remove(t, '1'), CERR_FAILED_PRECONDITION);
	assert_non_null(strstr(t->err.text, CTR_A));
	store_lease_put(t->store, CTR_A);
	assert_int_equal(t_remove(t, '1'), CERR_OK);
}

/* After a restart nothing is removed before execd has spoken. */
static void
t_leases_restart(void **state)
{
	struct t *t = *state;
	uint64_t number = t_image(t, '1', "h.test/a:1", 'a');

	t_reopen(t);
	t->ended = 0;
	store_image_remove(t->store, t_id('1'), t_done, t);
	t_idle(t);
	assert_int_equal(t->ended, 0);
	store_lease_begin(t->store);
	store_lease_have(t->store, CTR_A, t_id('1'));
	store_lease_end(t->store);
	t_until(t, &t->ended, 1);
	assert_int_equal(t->err.code, CERR_FAILED_PRECONDITION);
	assert_true(t_there(t, number));
	/* execd restarts and does not have it any more */
	t_settle(t);
	assert_int_equal(t_remove(t, '1'), CERR_OK);
}

static void
t_names_move(void **state)
{
	struct t *t = *state;
	const struct store_image *im;

	t_image(t, '1', "h.test/a:1", 'a');
	t_image(t, '2', "h.test/a:1", 'b');
	for (int i = 0; i < 2; i++) {
		im = store_image_find(t->store, "h.test/a:1");
		assert_string_equal(im->id, t_id('2'));
		assert_int_equal(store_image_find(t->store, t_id('1'))->ntags,
		    0);
		t_reopen(t);
	}
}

static void
t_pins(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool match;
	} rows[] = {
		{ "a/b:1", "a/b:1", true },
		{ "a/b:1", "a/b:11", false },
		{ "a/*", "a/b:1", true },
		{ "a/*", "xa/b:1", false },
		{ "*b*", "a/b:1", true },
		{ "*c*", "a/b:1", false },
		{ "*", "anything", true },
		{ "**", "anything", true },
		{ "", "x", false },
	};
	struct t *t = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(pattern_match(rows[i].pattern, rows[i].name),
		    rows[i].match);
	t_image(t, '1', "docker.io/library/busybox:latest", 'a');
	t_image(t, '2', "h.test/keeper:1", 'b');
	t_image(t, '3', "h.test/else:1", 'c');
	assert_true(store_image_find(t->store, t_id('1'))->pinned);
	assert_true(store_image_find(t->store, t_id('2'))->pinned);
	assert_false(store_image_find(t->store, t_id('3'))->pinned);
}

/* A layer named twice is mounted once, where it is highest. */
static void
t_twice(void **state)
{
	struct t *t = *state;
	uint64_t a = t_layer(t, 'a'), b = t_layer(t, 'b');
	uint64_t list[4] = { a, b, a, a };
	const struct store_image *im;
	struct cerr err;

	t_settle(t);
	assert_int_equal(t_commit(t, '1', NULL, 0, list, 4, &err), 0);
	store_layer_drop(t->store, a);
	store_layer_drop(t->store, b);
	for (int i = 0; i < 2; i++) {
		im = store_image_find(t->store, t_id('1'));
		assert_int_equal(im->nlayers, 2);
		assert_int_equal(im->layers[0], b);
		assert_int_equal(im->layers[1], a);
		t_reopen(t);
	}
	t_settle(t);
	assert_int_equal(t_remove(t, '1'), CERR_OK);
	assert_false(t_there(t, a) || t_there(t, b));
}

static void
t_refuses(void **state)
{
	struct t *t = *state;
	uint64_t many[STORE_LAYERS_MAX + 1] = { 0 };
	uint64_t missing = 77;
	struct cerr err;

	assert_int_equal(t_commit(t, '1', NULL, 0, NULL, 0, &err), -1);
	assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	assert_int_equal(t_commit(t, '1', NULL, 0, many, STORE_LAYERS_MAX + 1,
			     &err),
	    -1);
	assert_int_equal(err.code, CERR_INVALID_ARGUMENT);
	assert_int_equal(t_commit(t, '1', NULL, 0, &missing, 1, &err), -1);
	assert_int_equal(t_commit(t, 'X', NULL, 0, &missing, 1, &err), -1);
	assert_int_equal(t_count(t), 0);
}

/* What a crash left: directories without rows, rows without directories. */
static void
t_repairs(void **state)
{
	struct t *t = *state;
	uint64_t kept = t_image(t, '1', "h.test/a:1", 'a');
	uint64_t lost = t_image(t, '2', "h.test/b:1", 'b');
	uint64_t half = t_layer(t, 'c');
	char path[PATH_MAX], to[PATH_MAX + 8];

	store_layer_drop(t->store, half);
	t_layer_path(t, lost, path);
	(void)snprintf(to, sizeof(to), "%s.gone", t->root);
	assert_int_equal(rename(path, to), 0);
	(void)nftw(to, t_rm, 16, FTW_DEPTH | FTW_PHYS);
	t_reopen(t);
	assert_int_equal(t_count(t), 1);
	t_idle(t);
	assert_true(t_there(t, half)); /* not before execd spoke */
	t_settle(t);
	t_gone(t, half);
	assert_false(t_there(t, lost));
	assert_true(t_there(t, kept));
	/* the lost layer can come back, under a new number */
	assert_true(t_image(t, '2', "h.test/b:1", 'b') > half);
	t_reopen(t);
	assert_int_equal(t_count(t), 2);
}

static void
t_path(struct t *t, const char *name, char path[PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/%s", t->root, name);
}

static void
t_spoil(struct t *t, const char *name)
{
	char path[PATH_MAX];
	int fd;

	t_path(t, name, path);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "no database at all, but long enough", 35),
	    35);
	(void)close(fd);
	(void)strcat(path, "-wal");
	(void)unlink(path);
}

/* security.md §3 row 14: a catalogue that is gone or damaged. */
static void
t_spare(void **state)
{
	static const char *const files[] = { "catalogue.db", "catalogue.db-wal",
		"spare.db", "spare.db-wal" };
	struct t *t = *state;
	char path[PATH_MAX];

	(void)t_image(t, '1', "h.test/a:1", 'a');
	for (size_t i = 0; i < 4; i++) {
		(void)t_image(t, (char)('2' + i), "h.test/b:1",
		    (char)('b' + i));
		store_free(t->store);
		t_path(t, files[i], path);
		assert_int_equal(unlink(path), 0);
		t_open(t);
		assert_int_equal(t_count(t), 2 + i);
		assert_non_null(store_image_find(t->store, "h.test/b:1"));
		t_settle(t);
	}
	store_free(t->store);
	t_spoil(t, "catalogue.db");
	t_open(t);
	assert_int_equal(t_count(t), 5);
	store_free(t->store);
	t_spoil(t, "spare.db");
	t_open(t);
	assert_int_equal(t_count(t), 5);
	t_settle(t);
	t_idle(t);
	for (uint64_t n = 1; n <= 5; n++)
		assert_true(t_there(t, n));
}

static void
t_damaged(void **state)
{
	struct t *t = *state;
	uint64_t number = t_image(t, '1', "h.test/a:1", 'a');

	store_free(t->store);
	t_spoil(t, "catalogue.db");
	t_spoil(t, "spare.db");
	t_open(t);
	assert_int_equal(t_count(t), 0);
	/* a container uses what is not known any more: hands off */
	store_lease_begin(t->store);
	store_lease_have(t->store, CTR_A, t_id('1'));
	store_lease_end(t->store);
	t_idle(t);
	assert_true(t_there(t, number));
}

/* security.md §3 row 15: no space at all, and removal works. */
static void
t_full_disk(void **state)
{
	struct t *t = *state;
	char path[PATH_MAX], junk[4096] = { 0 };
	int fd;
	struct cerr err;

	store_free(t->store);
	if (mount("t_store", t->root, "tmpfs", 0, "size=8m,nr_inodes=100") ==
	    -1) {
		t_open(t);
		skip();
	}
	t_open(t);
	t_settle(t);
	t_image(t, '1', "h.test/a:1", 'a');
	t_image(t, '2', "h.test/b:1", 'b');
	(void)snprintf(path, sizeof(path), "%s/junk", t->root);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	while (write(fd, junk, sizeof(junk)) > 0)
		;
	for (int i = 0; i < 100; i++) {
		(void)snprintf(path, sizeof(path), "%s/junk%d", t->root, i);
		(void)close(open(path, O_WRONLY | O_CREAT, 0600));
	}
	/* until the log of the catalogue cannot grow any more */
	for (int i = 0; i < 1000; i++) {
		uint64_t number = store_layer_find(t->store, t_diff('a'));
		char name[32];
		const char *names = name;

		(void)snprintf(name, sizeof(name), "h.test/a:%d", i);
		if (t_commit(t, '1', &names, 1, &number, 1, &err) == -1) {
			store_layer_drop(t->store, number);
			break;
		}
		store_layer_drop(t->store, number);
		assert_int_not_equal(i, 999);
	}
	assert_int_equal(err.code, CERR_RESOURCE_EXHAUSTED);
	assert_int_equal(t_remove(t, '1'), CERR_OK);
	assert_int_equal(t_remove(t, '2'), CERR_OK);
	assert_int_equal(t_count(t), 0);
	t_reopen(t);
	assert_int_equal(t_count(t), 0);
	store_free(t->store);
	(void)close(fd);
	assert_int_equal(umount(t->root), 0);
	t_open(t);
}

/* ---- kill -9 ---- */

static void
t_churn(struct t *t)
{
	t_settle(t);
	for (unsigned int i = 0;; i++) {
		char id = (char)('1' + i % 5), layer = (char)('a' + i % 3);
		char name[64];

		(void)snprintf(name, sizeof(name), "h.test/i:%u", i % 4);
		(void)t_image(t, id, name, layer);
		if (i % 3 == 0)
			(void)t_remove(t, (char)('1' + (i + 2) % 5));
		for (size_t k = 0; k < t->nunpack; k++)
			link_free(t->unpack[k]);
		t->nunpack = 0;
	}
}

static void
t_check_whole(struct t *t)
{
	const struct store_image *im;

	for (size_t i = 0; (im = store_image_at(t->store, i)) != NULL; i++) {
		uint8_t *config;
		size_t len;
		struct cerr err;

		assert_true(im->size > 0);
		for (size_t k = 0; k < im->nlayers; k++)
			assert_true(t_there(t, im->layers[k]));
		assert_int_equal(store_image_config(t->store, im->id, &config,
				     &len, &err),
		    0);
		free(config);
	}
}

static void
t_killed(void **state)
{
	struct t *t = *state;
	unsigned int images = 0;

	for (unsigned int i = 0; i < 60; i++) {
		pid_t pid;

		store_free(t->store);
		pid = fork();
		assert_int_not_equal(pid, -1);
		if (pid == 0) {
			(void)event_reinit(t->base);
			/* what the last child said is in the old one */
			t_connect(t);
			t_open(t);
			t_churn(t);
		}
		(void)usleep(1000 + i * 1700);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		t_open(t);
		t_check_whole(t);
		images += (unsigned int)t_count(t);
	}
	assert_true(images > 0);
	t_settle(t);
	t_idle(t);
	t_check_whole(t);
}

static void
t_usage(void **state)
{
	struct t *t = *state;
	struct store_usage u;

	t_image(t, '1', "h.test/a:1", 'a');
	t_image(t, '2', "h.test/b:1", 'b');
	t_image(t, '3', "h.test/c:1", 'b');
	store_usage(t->store, &u);
	assert_string_equal(u.directory, "/var/lib/x");
	assert_int_equal(u.inodes, 6); /* each with its recipe */
	assert_true(u.bytes > 10000 && u.bytes < 11000);
}

static void
t_read_end(void *arg, const struct store_read_done *done,
    const struct cerr *err)
{
	struct t *t = arg;

	t->ended++;
	t->err.code = CERR_OK;
	t->size = done != NULL ? done->size : 0;
	if (err != NULL)
		t->err = *err;
}

static enum cerr_code
t_read(struct t *t, uint64_t layer)
{
	struct cerr err;

	t->ended = 0;
	if (store_layer_read(t->store, layer, -1, false, t_read_end, t, &err) ==
	    -1)
		return err.code;
	t_until(t, &t->ended, 1);
	return t->err.code;
}

static bool
t_is_damaged(struct t *t, char id)
{
	return store_image_find(t->store, t_id(id))->damaged;
}

/* One damaged layer of three images; what is repaired, and when it goes. */
static void
t_quarantine(void **state)
{
	struct t *t = *state;
	uint64_t bad = t_image(t, '1', "h.test/a:1", 'a'), good;
	struct cerr err;

	(void)t_image(t, '2', "h.test/b:1", 'a');
	(void)t_image(t, '3', "h.test/c:1", 'c');
	t_settle(t);
	assert_int_equal(store_lease_get(t->store, CTR_A, t_id('1'), &err), 0);
	assert_int_equal(t_read(t, bad), CERR_OK);
	assert_int_equal(t->size, 1234);
	assert_int_equal(t_read(t, 77), CERR_NOT_FOUND);
	t->spoilt = bad;
	assert_int_equal(t_read(t, bad), CERR_DATA_LOSS);
	for (int i = 0; i < 2; i++) {
		assert_true(t_is_damaged(t, '1') && t_is_damaged(t, '2'));
		assert_false(t_is_damaged(t, '3'));
		assert_int_equal(store_layer_find(t->store, t_diff('a')), 0);
		assert_int_equal(store_lease_get(t->store, CTR_B, t_id('1'),
				     &err),
		    -1);
		assert_int_equal(err.code, CERR_DATA_LOSS);
		t_reopen(t);
		store_lease_begin(t->store);
		store_lease_have(t->store, CTR_A, t_id('1'));
		store_lease_end(t->store);
	}
	good = t_image(t, '1', "h.test/a:1", 'a');
	assert_int_not_equal(good, bad);
	assert_false(t_is_damaged(t, '1'));
	assert_true(t_is_damaged(t, '2'));
	assert_int_equal(t_image(t, '2', "h.test/b:1", 'a'), good);
	assert_false(t_is_damaged(t, '2'));
	assert_int_equal(store_image_find(t->store, t_id('1'))->layers[0],
	    good);
	/* the container stands on it, after a restart too */
	t_reopen(t);
	store_lease_begin(t->store);
	store_lease_have(t->store, CTR_A, t_id('1'));
	store_lease_end(t->store);
	t_idle(t);
	assert_true(t_there(t, bad));
	store_lease_put(t->store, CTR_A);
	t_gone(t, bad);
	t_reopen(t);
	assert_int_equal(t_count(t), 3);
}

static void
t_ready(void *arg, const struct cerr *err)
{
	struct t *t = arg;

	assert_null(err);
	t->ended++;
}

/* security.md §3 rows 11, 12: what was written before a power cut. */
static void
t_unclean(void **state)
{
	struct t *t = *state;
	uint64_t old = t_image(t, '1', "h.test/a:1", 'a'), number;

	store_clean(t->store);
	t->boot = "boot-2";
	t_reopen(t);
	number = t_image(t, '2', "h.test/b:1", 'b');
	(void)t_image(t, '3', "h.test/c:1", 'c');
	t_reopen(t); /* imaged alone died */
	t_idle(t);
	assert_int_equal(t->packs, 0);
	t->boot = "boot-3";
	t->spoilt = number;
	t_reopen(t);
	/* who waits is served before the rest */
	t->ended = 0;
	store_image_settle(t->store, t_id('3'), t_ready, t);
	store_image_settle(t->store, t_id('2'), t_ready, t);
	store_image_settle(t->store, t_id('1'), t_ready, t);
	assert_int_equal(t->ended, 1); /* known to be whole */
	t_until(t, &t->ended, 3);
	assert_int_equal(t->packs, 2);
	assert_false(t_is_damaged(t, '1'));
	assert_true(t_is_damaged(t, '2'));
	assert_false(t_is_damaged(t, '3'));
	/* neither is looked at again */
	t->boot = "boot-4";
	t_reopen(t);
	t_idle(t);
	assert_int_equal(t->packs, 2);
	assert_true(t_there(t, old));
}

#define T(name) cmocka_unit_test_setup_teardown(name, t_setup, t_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(t_keeps),
		T(t_finds),
		T(t_ambiguous),
		T(t_first_is_the_one),
		T(t_claims),
		T(t_bound),
		T(t_fails),
		T(t_gives_space),
		T(t_removes),
		T(t_held),
		T(t_leases),
		T(t_leases_restart),
		T(t_names_move),
		T(t_pins),
		T(t_twice),
		T(t_refuses),
		T(t_repairs),
		T(t_spare),
		T(t_quarantine),
		T(t_unclean),
		T(t_damaged),
		T(t_full_disk),
		T(t_killed),
		T(t_usage),
	};

	log_init("t_store");
	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	json_init();
	digest_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
