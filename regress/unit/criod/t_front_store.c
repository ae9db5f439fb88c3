#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "criod/ctr.h"
#include "criod/filter_match.h"
#include "criod/front.h"
#include "criod/orphan.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "imsg/codec.h"
#include "imsg/link.h"
#include "lib/log.h"

#define POD "aa00000000000000000000000000000000000000000000000000000000000000"
#define CTR "bb00000000000000000000000000000000000000000000000000000000000000"

/* execd and netd, who have nothing to remove. */
static void
peer_removed(void *ctx, struct link_call *call, struct link_msg *m)
{
	Criod__Empty done = CRIOD__EMPTY__INIT;

	(void)ctx;
	link_reply(call, msg_info(m->type)->reply, &done, NULL, 0);
}

static const struct link_handler peer_handlers[] = {
	{ MSG_POD_REMOVE, peer_removed },
	{ MSG_CTR_REMOVE, peer_removed },
	{ MSG_NET_DEL, peer_removed },
};

/* Each link's near end and far end. */
static const struct link_def execd_near = { .self = ROLE_FRONT,
	.peer = ROLE_EXECD,
	.pb = &codec_pb };
static const struct link_def execd_far = { .self = ROLE_EXECD,
	.peer = ROLE_FRONT,
	.handlers = peer_handlers,
	.nhandlers = 3,
	.pb = &codec_pb };
static const struct link_def netd_near = { .self = ROLE_FRONT,
	.peer = ROLE_NETD,
	.pb = &codec_pb };
static const struct link_def netd_far = { .self = ROLE_NETD,
	.peer = ROLE_FRONT,
	.handlers = peer_handlers,
	.nhandlers = 3,
	.pb = &codec_pb };

struct world {
	char dir[64];
	struct front front;
};

static int
open_dir(const struct world *w, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	(void)mkdir(path, 0700);
	return open(path, O_RDONLY | O_DIRECTORY);
}

static void
front_new(struct world *w)
{
	static const Criod__BootFront boot = CRIOD__BOOT_FRONT__INIT;
	struct front *f = &w->front;

	memset(f, 0, sizeof(*f));
	f->boot = &boot;
	TAILQ_INIT(&f->pods);
	TAILQ_INIT(&f->ctrs);
	LIST_INIT(&f->orphans);
	LIST_INIT(&f->foreigns);
	f->base = event_base_new();
	f->execd = f->imaged = link_new(f->base, &execd_near, f);
	f->netd = link_new(f->base, &netd_near, f);
	f->store.dir = open_dir(w, ".");
	f->store.pod_dir = open_dir(w, "pod");
	f->store.ctr_dir = open_dir(w, "ctr");
}

static struct link *
front_peer(struct front *f, struct link *near, const struct link_def *def)
{
	struct link *far = link_new(f->base, def, NULL);
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	link_attach(near, sv[0]);
	link_attach(far, sv[1]);
	return far;
}

static bool
front_busy(const struct front *f)
{
	const struct pod *pod;
	const struct ctr *c;

	TAILQ_FOREACH(pod, &f->pods, entry) {
		if (pod->create != NULL)
			return true;
	}
	TAILQ_FOREACH(c, &f->ctrs, entry) {
		if (c->create != NULL)
			return true;
	}
	return !LIST_EMPTY(&f->orphans);
}

static void
front_hurry(struct front *f)
{
	struct pod *pod;
	struct ctr *c;

	TAILQ_FOREACH(pod, &f->pods, entry)
		pod_hurry(pod);
	TAILQ_FOREACH(c, &f->ctrs, entry)
		ctr_hurry(c);
	orphan_hurry(f);
}

/* With its peers there, all that is to be undone is undone. */
static void
front_settle(struct front *f)
{
	struct link *execd = front_peer(f, f->execd, &execd_far);
	struct link *netd = front_peer(f, f->netd, &netd_far);

	front_hurry(f);
	for (int i = 0; i < 1000 && front_busy(f); i++)
		(void)event_base_loop(f->base, EVLOOP_ONCE);
	assert_false(front_busy(f));
	link_free(execd);
	link_free(netd);
}

static void
front_free(struct front *f)
{
	front_settle(f);
	while (!TAILQ_EMPTY(&f->ctrs))
		ctr_free(TAILQ_FIRST(&f->ctrs));
	while (!TAILQ_EMPTY(&f->pods))
		pod_free(TAILQ_FIRST(&f->pods));
	link_free(f->execd);
	link_free(f->netd);
	event_base_free(f->base);
	free(f->keep.drops);
	(void)close(f->store.dir);
	(void)close(f->store.pod_dir);
	(void)close(f->store.ctr_dir);
}

static int
setup(void **state)
{
	struct world *w = pb_calloc(1, sizeof(*w));

	log_configure(LOG_LVL_ERROR, LOG_FMT_TEXT);
	(void)strcpy(w->dir, "/tmp/criod-t_front_store.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	front_new(w);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	char cmd[128];

	front_free(&w->front);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
	(void)!system(cmd);
	free(w);
	return 0;
}

static Runtime__V1__PodSandboxConfig *
pod_config(void)
{
	Runtime__V1__PodSandboxConfig c = RUNTIME__V1__POD_SANDBOX_CONFIG__INIT;
	Runtime__V1__PodSandboxMetadata m =
	    RUNTIME__V1__POD_SANDBOX_METADATA__INIT;
	Runtime__V1__PodSandboxConfig__LabelsEntry e[2] = {
		RUNTIME__V1__POD_SANDBOX_CONFIG__LABELS_ENTRY__INIT,
		RUNTIME__V1__POD_SANDBOX_CONFIG__LABELS_ENTRY__INIT,
	};
	Runtime__V1__PodSandboxConfig__LabelsEntry *labels[] = { &e[0], &e[1] };

	m.name = pb_str("n");
	m.uid = pb_str("u");
	m.namespace_ = pb_str("ns");
	m.attempt = 3;
	c.metadata = &m;
	e[0].key = pb_str("app");
	e[0].value = pb_str("a\nb");
	e[1].key = pb_str("empty");
	c.n_labels = 2;
	c.labels = labels;
	return pb_copy(&c);
}

static Runtime__V1__ContainerConfig *
ctr_config(void)
{
	Runtime__V1__ContainerConfig c = RUNTIME__V1__CONTAINER_CONFIG__INIT;
	Runtime__V1__ContainerMetadata m =
	    RUNTIME__V1__CONTAINER_METADATA__INIT;
	Runtime__V1__ImageSpec i = RUNTIME__V1__IMAGE_SPEC__INIT;

	m.name = pb_str("c");
	i.image = pb_str("busybox");
	c.metadata = &m;
	c.image = &i;
	return pb_copy(&c);
}

static struct pod *
make_pod(struct front *f, enum pod_state state)
{
	struct pod *pod = pod_new(f, POD, pod_config(), "crun");
	char *ips[] = { pb_str("10.0.0.1"), pb_str("::1") };

	pod->state = state;
	pod->created_at = 77;
	pod->net_done = true;
	pod_set_ips(pod, ips, 2);
	pod_save(pod);
	return pod;
}

static struct ctr *
make_ctr(struct front *f, struct pod *pod, enum ctr_state state)
{
	struct ctr *c = ctr_new(f, CTR, pod, ctr_config());
	Criod__CtrCreated made = CRIOD__CTR_CREATED__INIT;

	made.image_id = pb_str("sha256:x");
	made.stop_signal = 3;
	c->made = pb_copy(&made);
	c->state = state;
	c->created_at = 78;
	c->started_at = 79;
	c->finished_at = 80;
	c->exit_code = 9;
	ctr_set_text(&c->reason, "OOMKilled");
	ctr_set_text(&c->message, "m");
	ctr_set_text(&c->image_name, "busybox:latest");
	ctr_save(c);
	return c;
}

static void
reload(struct world *w)
{
	struct cerr err;

	front_free(&w->front);
	front_new(w);
	assert_int_equal(store_load(&w->front, &err), 0);
	store_resume(&w->front);
}

static void
test_round_trip(void **state)
{
	struct world *w = *state;
	struct pod *pod = make_pod(&w->front, POD_READY);
	struct ctr *c = make_ctr(&w->front, pod, CTR_EXITED);

	reload(w);
	pod = pod_by_id(&w->front, POD);
	c = ctr_by_id(&w->front, CTR);
	assert_non_null(pod);
	assert_non_null(c);
	assert_int_equal(pod->state, POD_READY);
	assert_int_equal(pod->created_at, 77);
	assert_true(pod->net_done);
	assert_int_equal(pod->nips, 2);
	assert_string_equal(pod->ips[1], "::1");
	assert_string_equal(pod->runtime, "crun");
	assert_int_equal(pod->config->metadata->attempt, 3);
	assert_string_equal(pod->config->labels[0]->value, "a\nb");
	assert_string_equal(pod->config->labels[1]->value, "");
	assert_ptr_equal(c->pod, pod);
	assert_int_equal(c->state, CTR_EXITED);
	assert_int_equal(c->exit_code, 9);
	assert_int_equal(c->finished_at, 80);
	assert_string_equal(c->reason, "OOMKilled");
	assert_string_equal(c->image_name, "busybox:latest");
	assert_int_equal(c->made->stop_signal, 3);
}

/* However a record is damaged, the others are served. */
static void
test_every_damage(void **state)
{
	struct world *w = *state;
	struct pod *pod = make_pod(&w->front, POD_READY);
	char path[200];
	struct stat st;

	(void)make_ctr(&w->front, pod, CTR_RUNNING);
	(void)snprintf(path, sizeof(path), "%s/ctr/" CTR, w->dir);
	assert_int_equal(stat(path, &st), 0);
	for (off_t i = 0; i <= st.st_size; i += 7) {
		struct cerr err;
		char bad[220];

		front_free(&w->front);
		front_new(w);
		assert_int_equal(truncate(path, i == st.st_size ? 0 : i), 0);
		assert_int_equal(store_load(&w->front, &err), 0);
		assert_non_null(pod_by_id(&w->front, POD));
		assert_null(ctr_by_id(&w->front, CTR));
		assert_false(LIST_EMPTY(&w->front.orphans));
		(void)snprintf(bad, sizeof(bad), "%s.bad", path);
		assert_int_equal(rename(bad, path), 0);
		assert_int_equal(truncate(path, st.st_size), 0);
	}
}

static void
test_half_made_is_hidden(void **state)
{
	struct world *w = *state;
	struct pod *pod = make_pod(&w->front, POD_NEW);
	struct cerr err;

	(void)make_ctr(&w->front, pod, CTR_NEW);
	reload(w);
	pod = pod_by_id(&w->front, POD);
	assert_non_null(pod->create);
	assert_true(pod->released);
	assert_null(pod_find(&w->front, POD, &err));
	assert_int_equal(err.code, CERR_NOT_FOUND);
	assert_null(ctr_find(&w->front, CTR, &err));
	front_settle(&w->front);
	assert_null(pod_by_id(&w->front, POD));
	assert_null(ctr_by_id(&w->front, CTR));
}

static void
test_filters(void **state)
{
	struct world *w = *state;
	struct pod *pod = make_pod(&w->front, POD_READY);
	Runtime__V1__PodSandboxFilter f = RUNTIME__V1__POD_SANDBOX_FILTER__INIT;
	Runtime__V1__PodSandboxStateValue v =
	    RUNTIME__V1__POD_SANDBOX_STATE_VALUE__INIT;
	Runtime__V1__PodSandboxFilter__LabelSelectorEntry e =
	    RUNTIME__V1__POD_SANDBOX_FILTER__LABEL_SELECTOR_ENTRY__INIT;
	Runtime__V1__PodSandboxFilter__LabelSelectorEntry *list[] = { &e };

	assert_true(filter_match_pod(pod, NULL));
	assert_true(filter_match_pod(pod, &f));
	f.id = pb_str("aa0");
	f.state = &v;
	assert_true(filter_match_pod(pod, &f));
	e.key = pb_str("empty");
	f.label_selector = list;
	f.n_label_selector = 1;
	assert_true(filter_match_pod(pod, &f));
	e.key = pb_str("none");
	assert_false(filter_match_pod(pod, &f));
	e.key = pb_str("app");
	assert_false(filter_match_pod(pod, &f));
	e.value = pb_str("a\nb");
	assert_true(filter_match_pod(pod, &f));
	v.state = RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
	assert_false(filter_match_pod(pod, &f));
	f.state = NULL;
	f.id = pb_str("ab");
	assert_false(filter_match_pod(pod, &f));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_round_trip),
		T(test_every_damage),
		T(test_half_made_is_hidden),
		T(test_filters),
	};

	log_init("t_front_store");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
