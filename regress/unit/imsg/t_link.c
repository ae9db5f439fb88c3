/* Two ends of a link in one loop: requests, errors, cancels, lost peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>

#include <event2/event.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/codec.h"
#include "imsg/link.h"
#include "proto/msg.pb-c.h"

struct fixture {
	struct event_base *base;
	struct link *front, *netd;
	struct link_call *held; /* a call that is not answered yet */
	int replies, cancels, lost;
	const char *breach;
	struct cerr err;
	char ip[64];
};

static struct fixture fx;

static void
take_add(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__NetPod *pod = m->body;
	Criod__NetAdded added = CRIOD__NET_ADDED__INIT;
	struct cerr err;
	char ip[] = "10.0.0.1", *ips[] = { ip };

	(void)ctx;
	if (strcmp(pod->name, "hold") == 0) {
		fx.held = call;
		return;
	}
	if (strcmp(pod->name, "bad") == 0) {
		(void)cerr_set(&err, CERR_NOT_FOUND, "no %s here", pod->name);
		link_refuse(call, &err);
		return;
	}
	added.ips = ips;
	added.n_ips = 1;
	link_reply(call, MSG_NET_ADDED, &added, NULL, 0);
}

static void
lost(void *ctx, struct link *link, const char *breach)
{
	(void)ctx;
	(void)link;
	fx.lost++;
	fx.breach = breach;
}

static const struct link_handler netd_handlers[] = {
	{ MSG_NET_ADD, take_add },
};
static const struct link_def netd_def = {
	.self = ROLE_NETD,
	.peer = ROLE_FRONT,
	.handlers = netd_handlers,
	.nhandlers = 1,
	.lost = lost,
	.pb = &codec_pb,
};
static const struct link_def front_def = {
	.self = ROLE_FRONT,
	.peer = ROLE_NETD,
	.lost = lost,
	.pb = &codec_pb,
};

static int
setup(void **state)
{
	int pair[2];

	(void)state;
	memset(&fx, 0, sizeof(fx));
	fx.base = event_base_new();
	fx.front = link_new(fx.base, &front_def, &fx);
	fx.netd = link_new(fx.base, &netd_def, &fx);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	link_attach(fx.front, pair[0]);
	link_attach(fx.netd, pair[1]);
	return 0;
}

static int
teardown(void **state)
{
	struct cerr err;

	(void)state;
	link_free(fx.front);
	link_free(fx.netd);
	if (fx.held != NULL) {
		(void)cerr_set(&err, CERR_ABORTED, "test over");
		link_refuse(fx.held, &err);
	}
	event_base_free(fx.base);
	return 0;
}

static void
replied(void *arg, struct link_msg *m, const struct cerr *err)
{
	(void)arg;
	fx.replies++;
	if (m == NULL) {
		fx.err = *err;
		return;
	}
	(void)snprintf(fx.ip, sizeof(fx.ip), "%s",
	    ((const Criod__NetAdded *)m->body)->ips[0]);
}

static uint32_t
ask(const char *name, struct mono deadline)
{
	Criod__NetPod pod = CRIOD__NET_POD__INIT;
	char buf[32];

	(void)snprintf(buf, sizeof(buf), "%s", name);
	pod.name = buf;
	return link_request(fx.front, MSG_NET_ADD, &pod, NULL, 0, deadline,
	    replied, NULL);
}

static void
run_ms(int ms)
{
	struct timeval tv = { 0, ms * 1000 };

	(void)event_base_loopexit(fx.base, &tv);
	(void)event_base_dispatch(fx.base);
}

static void
answers(void **state)
{
	(void)state;
	(void)ask("good", mono_none());
	assert_int_equal(fx.replies, 0); /* never from inside the call */
	for (int i = 0; i < 50 && fx.replies == 0; i++)
		run_ms(20);
	assert_int_equal(fx.replies, 1);
	assert_string_equal(fx.ip, "10.0.0.1");
}

static void
refusals_carry_code_and_text(void **state)
{
	(void)state;
	(void)ask("bad", mono_none());
	run_ms(20);
	assert_int_equal(fx.err.code, CERR_NOT_FOUND);
	assert_string_equal(fx.err.text, "no bad here");
}

static void
on_cancel(void *arg)
{
	(void)arg;
	fx.cancels++;
}

static void
deadline_passes_and_the_peer_hears(void **state)
{
	(void)state;
	(void)ask("hold", mono_after_ms(30));
	run_ms(10);
	assert_non_null(fx.held);
	link_call_on_cancel(fx.held, on_cancel, NULL);
	run_ms(60);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fx.err.code, CERR_DEADLINE_EXCEEDED);
	assert_int_equal(fx.cancels, 1);
}

static void
cancel_forgets(void **state)
{
	uint32_t id;

	(void)state;
	id = ask("hold", mono_none());
	run_ms(10);
	link_call_on_cancel(fx.held, on_cancel, NULL);
	link_cancel(fx.front, id);
	run_ms(20);
	assert_int_equal(fx.replies, 0);
	assert_int_equal(fx.cancels, 1);
	assert_true(link_call_cancelled(fx.held));
}

static void
cancel_waits(void **state)
{
	struct cerr err;
	uint32_t id;

	(void)state;
	id = ask("hold", mono_none());
	run_ms(10);
	link_call_on_cancel(fx.held, on_cancel, NULL);
	link_cancel_wait(fx.front, id);
	run_ms(20);
	assert_int_equal(fx.cancels, 1);
	assert_int_equal(fx.replies, 0);
	(void)cerr_set(&err, CERR_CANCELLED, "at last");
	link_refuse(fx.held, &err);
	fx.held = NULL;
	run_ms(20);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fx.err.code, CERR_CANCELLED);
}

static void
lost_peer_is_unavailable(void **state)
{
	(void)state;
	(void)ask("hold", mono_none());
	run_ms(10);
	link_free(fx.netd);
	fx.netd = NULL;
	run_ms(20);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fx.err.code, CERR_UNAVAILABLE);
	assert_int_equal(fx.lost, 1);
	assert_null(fx.breach);
	(void)ask("good", mono_none()); /* detached now */
	run_ms(20);
	assert_int_equal(fx.replies, 2);
	assert_int_equal(fx.err.code, CERR_UNAVAILABLE);
}

/* A type that this sender may not send cuts it off, and only it. */
static void
breach_cuts_off(void **state)
{
	Criod__PodId pod = CRIOD__POD_ID__INIT;

	(void)state;
	(void)link_send(fx.front, MSG_POD_REMOVED, &pod, NULL, 0);
	run_ms(20);
	assert_false(link_attached(fx.netd));
	assert_int_equal(fx.lost, 2); /* the breach here, end of file there */
}

static void
answer_of_the_wrong_type(void **state)
{
	Criod__NetStatus st = CRIOD__NET_STATUS__INIT;

	(void)state;
	(void)ask("hold", mono_none());
	run_ms(10);
	link_reply(fx.held, MSG_NET_STATUS_IS, &st, NULL, 0);
	fx.held = NULL;
	run_ms(20);
	assert_false(link_attached(fx.front));
	assert_int_equal(fx.err.code, CERR_UNAVAILABLE);
}

static void
too_long_is_not_sent(void **state)
{
	size_t max = msg_info(MSG_NET_ADD)->max;
	Criod__NetPod pod = CRIOD__NET_POD__INIT;
	char *name = calloc(1, max + 1);

	(void)state;
	assert_non_null(name);
	memset(name, 'x', max);
	pod.name = name;
	(void)link_request(fx.front, MSG_NET_ADD, &pod, NULL, 0, mono_none(),
	    replied, NULL);
	run_ms(20);
	free(name);
	assert_int_equal(fx.err.code, CERR_RESOURCE_EXHAUSTED);
	assert_true(link_attached(fx.front));
	(void)ask("good", mono_none());
	run_ms(20);
	assert_string_equal(fx.ip, "10.0.0.1");
}

static void
reattach_works(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	link_attach(fx.front, pair[0]);
	link_attach(fx.netd, pair[1]);
	(void)ask("good", mono_none());
	run_ms(20);
	assert_string_equal(fx.ip, "10.0.0.1");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(answers),
		T(refusals_carry_code_and_text),
		T(deadline_passes_and_the_peer_hears),
		T(cancel_forgets),
		T(cancel_waits),
		T(lost_peer_is_unavailable),
		T(breach_cuts_off),
		T(answer_of_the_wrong_type),
		T(too_long_is_not_sent),
		T(reattach_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
