#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/checkpoint_list.h"
#include "execd/runtime.h"
#include "execd/runtime_facts.h"
#include "imsg/fixed.h"
#include "lib/fdio.h"
#include "lib/log.h"

enum runtime_state {
	RUNTIME_UNKNOWN, /* not answered yet, or the launcher was away */
	RUNTIME_USABLE,
	RUNTIME_UNUSABLE,
};

struct runtime {
	struct execd *x;
	uint32_t number;
	enum runtime_state state;
	uint32_t request; /* 0: none in flight */
	char reason[256];
	struct runtime_facts facts;
	enum launch_criu criu;
	bool idmap; /* the image store can be shown with other ids */
	bool told;  /* its warning was logged */
	struct event *again;
	int64_t again_ms;
};

#define RUNTIME_AGAIN_MS     1000 /* doubled each time */
#define RUNTIME_AGAIN_MAX_MS 60000

static void
runtime_refuse(struct runtime *r, const struct cerr *err)
{
	char before[sizeof(r->reason)];

	memcpy(before, r->reason, sizeof(before));
	r->state = RUNTIME_UNUSABLE;
	(void)snprintf(r->reason, sizeof(r->reason), "%.250s", err->text);
	if (strcmp(before, r->reason) != 0)
		log_warn("runtime %s cannot be used: %s",
		    runtime_name(r->x, r->number), err->text);
}

static void
runtime_learn(struct runtime *r, const char *text, size_t len)
{
	const struct runtime_facts *f = &r->facts;

	runtime_facts_parse(text, len, &r->facts);
	r->state = RUNTIME_USABLE;
	r->reason[0] = '\0';
	if (f->outdated && !r->told)
		log_warn("runtime %s is %s %d.%d.%d: published holes were "
			 "fixed in later releases; make sure that the "
			 "distribution mended this one",
		    runtime_name(r->x, r->number), f->name, f->version[0],
		    f->version[1], f->version[2]);
	r->told = true;
}

static bool
runtime_all_known(const struct execd *x)
{
	for (size_t i = 0; i < x->nruntimes; i++) {
		if (x->runtimes[i].state == RUNTIME_UNKNOWN)
			return false;
	}
	return true;
}

/* Text of a fact is not const, but nobody writes it. */
static void
runtime_tell_checkpoint(const struct execd *x, uint32_t i,
    Criod__RuntimeFact *fact)
{
	const char *why = runtime_no_checkpoint(x, i);

	fact->checkpoint = why == NULL;
	if (why != NULL)
		memcpy(&fact->no_checkpoint, &why, sizeof(why));
}

/* Answers call, or tells the front unasked. */
static void
runtime_tell(struct execd *x, struct link_call *call)
{
	Criod__RuntimeFacts body;
	Criod__RuntimeFact *facts =
	    execd_alloc(x->nruntimes + 1, sizeof(*facts));
	Criod__RuntimeFact **list =
	    execd_alloc(x->nruntimes + 1, sizeof(*list));

	criod__runtime_facts__init(&body);
	for (size_t i = 0; i < x->nruntimes; i++) {
		struct runtime *r = &x->runtimes[i];

		criod__runtime_fact__init(&facts[i]);
		facts[i].name = x->boot->runtimes[i]->name;
		facts[i].usable = r->state == RUNTIME_USABLE;
		facts[i].reason = r->reason;
		facts[i].recursive_read_only = runtime_rro(x, (uint32_t)i);
		runtime_tell_checkpoint(x, (uint32_t)i, &facts[i]);
		facts[i].user_namespaces = runtime_userns(x, (uint32_t)i);
		list[i] = &facts[i];
	}
	body.runtimes = list;
	body.n_runtimes = x->nruntimes;
	body.launcher_away = x->launcher_away;
	if (call != NULL)
		link_reply(call, MSG_RUNTIMES_ARE, &body, NULL, 0);
	else
		(void)link_send(execd_front(x), MSG_RUNTIMES_NOW, &body, NULL,
		    0);
	free(facts);
	free(list);
}

static void
runtime_answer_all(struct execd *x)
{
	struct execd_wait *w;

	while (runtime_all_known(x) &&
	       (w = SIMPLEQ_FIRST(&x->runtime_waits)) != NULL) {
		SIMPLEQ_REMOVE_HEAD(&x->runtime_waits, entry);
		runtime_tell(x, w->call);
		free(w);
	}
}

static bool
runtime_probing(const struct execd *x)
{
	for (size_t i = 0; i < x->nruntimes; i++) {
		if (x->runtimes[i].request != 0)
			return true;
	}
	return false;
}

/* The launcher is back when it has answered. */
void
runtime_review(struct execd *x)
{
	bool away = !link_attached(execd_launcher(x)) ||
		    (x->launcher_away && runtime_probing(x));

	if (away == x->launcher_away)
		return;
	x->launcher_away = away;
	if (runtime_all_known(x))
		runtime_tell(x, NULL);
}

/* before: what was thought of it. */
static void
runtime_heard(const struct runtime *r, enum runtime_state before)
{
	if (before != RUNTIME_UNKNOWN && before != r->state)
		runtime_tell(r->x, NULL);
	runtime_review(r->x);
	runtime_answer_all(r->x);
}

static void runtime_again(struct runtime *r);

/* One that worked is asked once more before it counts. */
static void
runtime_failed(struct runtime *r, const struct cerr *err)
{
	if (r->state != RUNTIME_USABLE || r->again_ms != 0)
		runtime_refuse(r, err);
	runtime_again(r);
}

static void
runtime_probed(void *arg, struct link_msg *m, const struct cerr *err)
{
	struct runtime *r = arg;
	enum runtime_state before = r->state;
	uint8_t *text;
	size_t len;
	int fd;

	r->request = 0;
	r->idmap =
	    err == NULL && ((const struct fixed_features *)m->body)->idmap != 0;
	r->criu = err == NULL ? ((const struct fixed_features *)m->body)->criu
			      : LAUNCH_CRIU_OFF;
	if (err != NULL) {
		/* The launcher's own absence says nothing of the runtime. */
		if (err->code != CERR_UNAVAILABLE)
			runtime_failed(r, err);
		runtime_heard(r, before);
		return;
	}
	r->again_ms = 0;
	fd = link_take_fd(m, 0);
	if (fdio_memfd_read(fd, RUNTIME_FACTS_MAX, &text, &len) == 0) {
		runtime_learn(r, (const char *)text, len);
		free(text);
	}
	fdio_close(&fd);
	runtime_heard(r, before);
}

void
runtime_init(struct execd *x)
{
	SIMPLEQ_INIT(&x->runtime_waits);
	x->launcher_away = true;
	x->nruntimes = x->boot->n_runtimes;
	x->runtimes = execd_alloc(x->nruntimes + 1, sizeof(*x->runtimes));
	for (size_t i = 0; i < x->nruntimes; i++) {
		x->runtimes[i].x = x;
		x->runtimes[i].number = (uint32_t)i;
	}
}

static void
runtime_ask(struct runtime *r)
{
	struct link *launcher = execd_launcher(r->x);
	struct fixed_runtime body = { r->number };

	if (r->request != 0)
		link_cancel(launcher, r->request);
	r->request = link_request(launcher, MSG_L_FEATURES, &body, NULL, 0,
	    mono_after_ms(EXECD_STEP_MS), runtime_probed, r);
}

static void
runtime_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	runtime_ask(arg);
}

/* It may be installed, or was ended by somebody while it was asked. */
static void
runtime_again(struct runtime *r)
{
	struct timeval tv;

	r->again_ms = r->again_ms == 0 ? RUNTIME_AGAIN_MS : r->again_ms * 2;
	if (r->again_ms > RUNTIME_AGAIN_MAX_MS)
		r->again_ms = RUNTIME_AGAIN_MAX_MS;
	tv = mono_timeval(mono_after_ms(r->again_ms));
	if (r->again == NULL)
		r->again =
		    evtimer_new(helper_base(r->x->helper), runtime_timer, r);
	if (r->again == NULL)
		fatalx("evtimer_new");
	(void)evtimer_add(r->again, &tv);
}

void
runtime_probe(struct execd *x)
{
	for (size_t i = 0; i < x->nruntimes; i++)
		runtime_ask(&x->runtimes[i]);
}

void
runtime_take_list(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct execd *x = ctx;

	(void)m;
	if (runtime_all_known(x))
		runtime_tell(x, call);
	else
		execd_wait_add(&x->runtime_waits, call);
}

int
runtime_find(struct execd *x, const char *name, uint32_t *number,
    struct cerr *err)
{
	const char *want = name[0] != '\0' ? name : x->boot->default_runtime;

	for (size_t i = 0; i < x->nruntimes; i++) {
		if (strcmp(x->boot->runtimes[i]->name, want) != 0)
			continue;
		if (x->runtimes[i].state == RUNTIME_UNUSABLE)
			return cerr_set(err, CERR_FAILED_PRECONDITION,
			    "runtime %s cannot be used: %s", want,
			    x->runtimes[i].reason);
		*number = (uint32_t)i;
		return 0;
	}
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "there is no runtime handler \"%.64s\"", want);
}

const char *
runtime_name(const struct execd *x, uint32_t number)
{
	return x->boot->runtimes[number]->name;
}

bool
runtime_is_shim(const struct execd *x, uint32_t number)
{
	return x->boot->runtimes[number]->type == CRIOD__BOOT_RUNTIME__TYPE__VM;
}

bool
runtime_own_kernel(const struct execd *x, uint32_t number)
{
	return x->boot->runtimes[number]->type !=
	       CRIOD__BOOT_RUNTIME__TYPE__OCI;
}

bool
runtime_userns(const struct execd *x, uint32_t number)
{
	return x->runtimes[number].idmap && !runtime_own_kernel(x, number);
}

/* The launcher makes such mounts; a kernel of one's own must keep them so. */
bool
runtime_rro(const struct execd *x, uint32_t number)
{
	return !runtime_own_kernel(x, number) || x->runtimes[number].facts.rro;
}

const char *
runtime_no_checkpoint(const struct execd *x, uint32_t number)
{
	const struct runtime *r = &x->runtimes[number];
	static const char *const why[] = {
		[LAUNCH_CRIU_OFF] = "criod.conf does not allow it",
		[LAUNCH_CRIU_WORKS] = NULL,
		[LAUNCH_CRIU_ABSENT] = "criu is not installed",
		[LAUNCH_CRIU_FAILS] = "criu check fails with this kernel",
	};

	if (!x->boot->checkpoint)
		return why[LAUNCH_CRIU_OFF];
	if (runtime_own_kernel(x, number) || !r->facts.criu)
		return "the runtime cannot use CRIU";
	return r->criu <= LAUNCH_CRIU_FAILS ? why[r->criu]
					    : why[LAUNCH_CRIU_FAILS];
}
