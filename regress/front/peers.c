/*
 * Plays the front's parent and the helpers it speaks to, with canned answers,
 * and starts the real front between them and a CRI client.  Lines on standard
 * input change how the peers behave; each message they get is a line on
 * standard output.
 *
 *	peers FRONT DIR		DIR/front is the root, DIR/cri, DIR/ctl sockets
 *
 *	fail TYPE CODE COUNT TEXT	refuse the next COUNT (-1: all)
 *	hold TYPE			answer no more; release TYPE
 *	exit ID CODE OOM		that container ends
 *	forget ID			execd knows nothing of it any more
 *	images N			so many are listed, all the same
 *	stubborn N			1: ignores SIGTERM, 2: SIGKILL too
 *	kill				SIGKILL the front; start again
 *	detach ROLE, attach ROLE	the link to the front
 *	garbage ROLE			that peer breaks the protocol
 *	begin SESSION, dial SESSION PORT	as streamd, which says what came
 *	end SESSION, drop SESSION, unbegin	likewise; the last one cancels
 */

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <event2/event.h>

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criod/pb.h"
#include "imsg/codec.h"
#include "imsg/fixed.h"
#include "imsg/link.h"
#include "proto/msg.pb-c.h"

#define PEERS_UID 12345
#define IMAGE_ID                                                               \
	"sha256:"                                                              \
	"1111111111111111111111111111111111111111111111111111111111111111"
#define IMAGE_REF "registry.test/busybox@" IMAGE_ID

struct rule {
	TAILQ_ENTRY(rule) entry;
	enum msg_type type;
	bool hold;
	int code, count;
	char text[128];
};

struct held {
	TAILQ_ENTRY(held) entry;
	struct link *link;
	struct link_call *call;
	enum msg_type type;
	void *body;
};

struct fake_ctr {
	TAILQ_ENTRY(fake_ctr) entry;
	char id[65], pod[65];
	Criod__CtrFact__State state;
	int64_t started_at;
	Criod__CtrExited exit;
};

struct fake_pod {
	TAILQ_ENTRY(fake_pod) entry;
	char id[65];
};

enum { EXECD, NETD, IMAGED, STREAMD, KEEPER, NPEERS };
static const enum role peer_roles[] = { ROLE_EXECD, ROLE_NETD, ROLE_IMAGED,
	ROLE_STREAMD, ROLE_KEEPER };

static struct {
	struct event_base *base;
	const char *front, *dir;
	pid_t pid;
	struct link *parent, *peers[NPEERS];
	int listeners[2];
	int stubborn, images;
	unsigned int nets;
	uint32_t begin; /* the last STREAM_BEGIN */
	TAILQ_HEAD(, rule) rules;
	TAILQ_HEAD(, held) held;
	TAILQ_HEAD(, fake_ctr) ctrs;
	TAILQ_HEAD(, fake_pod) pods;
} w;

static void answer(struct link *, struct link_call *, enum msg_type,
    const void *, int *);

/* The id of whatever a request is about, field 1 in all of them. */
static const char *
body_id(const void *body)
{
	const ProtobufCMessage *m = body;
	const char *s;

	if (m->descriptor->n_fields == 0 ||
	    m->descriptor->fields[0].type != PROTOBUF_C_TYPE_STRING ||
	    m->descriptor->fields[0].label == PROTOBUF_C_LABEL_REPEATED)
		return "-";
	memcpy(&s, (const char *)body + m->descriptor->fields[0].offset,
	    sizeof(s));
	return s;
}

static enum msg_type
type_named(const char *name)
{
	for (unsigned int t = 1; t < MSG_COUNT; t++) {
		if (strcmp(msg_info(t)->name, name) == 0)
			return (enum msg_type)t;
	}
	errx(1, "no type %s", name);
}

static struct rule *
rule_for(enum msg_type type)
{
	struct rule *r;

	TAILQ_FOREACH(r, &w.rules, entry) {
		if (r->type == type)
			return r;
	}
	return NULL;
}

static void
held_cancelled(void *arg)
{
	struct held *h = arg;
	struct cerr err;

	printf("cancel %s %s\n", msg_info(h->type)->name, body_id(h->body));
	(void)cerr_set(&err, CERR_CANCELLED, "cancelled");
	TAILQ_REMOVE(&w.held, h, entry);
	link_refuse(h->call, &err);
	pb_free(h->body);
	free(h);
}

static struct link *
link_of(const char *role)
{
	for (int i = 0; i < NPEERS; i++) {
		if (strcmp(role_name(peer_roles[i]), role) == 0)
			return w.peers[i];
	}
	errx(1, "no role %s", role);
}

static void
take(void *ctx, struct link_call *call, struct link_msg *m)
{
	struct rule *r = rule_for(m->type);
	struct cerr err;
	struct held *h;

	printf("%s %s\n", msg_info(m->type)->name, body_id(m->body));
	if (call == NULL)
		return;
	if (r != NULL && r->hold) {
		h = pb_calloc(1, sizeof(*h));
		h->link = *(struct link **)ctx;
		h->call = call;
		h->type = m->type;
		h->body = pb_copy(m->body);
		TAILQ_INSERT_TAIL(&w.held, h, entry);
		link_call_on_cancel(call, held_cancelled, h);
		return;
	}
	if (r != NULL && r->count != 0) {
		r->count -= r->count > 0;
		(void)cerr_set(&err, (enum cerr_code)r->code, "%s", r->text);
		link_refuse(call, &err);
		return;
	}
	answer(*(struct link **)ctx, call, m->type, m->body, m->fds);
}

/* ---- execd ---- */

static struct fake_ctr *
ctr_named(const char *id)
{
	struct fake_ctr *c;

	TAILQ_FOREACH(c, &w.ctrs, entry) {
		if (strcmp(c->id, id) == 0)
			return c;
	}
	return NULL;
}

static void
ctr_end(struct fake_ctr *c, int code, bool oom)
{
	if (c->state == CRIOD__CTR_FACT__STATE__EXITED)
		return;
	c->state = CRIOD__CTR_FACT__STATE__EXITED;
	criod__ctr_exited__init(&c->exit);
	c->exit.id = c->id;
	c->exit.exit_code = code;
	c->exit.oom_killed = oom;
	c->exit.finished_at = wall_now_ns();
	(void)link_send(w.peers[EXECD], MSG_CTR_EXITED, &c->exit, NULL, 0);
}

static void
answer_ctr_create(struct link_call *call, const Criod__CtrCreate *r)
{
	Criod__CtrCreated m = CRIOD__CTR_CREATED__INIT;
	Runtime__V1__ContainerUser user = RUNTIME__V1__CONTAINER_USER__INIT;
	Runtime__V1__LinuxContainerUser lin =
	    RUNTIME__V1__LINUX_CONTAINER_USER__INIT;
	struct fake_ctr *c = pb_calloc(1, sizeof(*c));
	char log[4200];

	(void)snprintf(c->id, sizeof(c->id), "%s", r->id);
	(void)snprintf(c->pod, sizeof(c->pod), "%s", r->pod_id);
	TAILQ_INSERT_TAIL(&w.ctrs, c, entry);
	(void)snprintf(log, sizeof(log), "%s/%s", r->pod_config->log_directory,
	    r->config->log_path);
	if (r->target_id[0] != '\0')
		printf("target %s\n", r->target_id);
	lin.uid = lin.gid = 7;
	user.linux = &lin;
	m.image_id = pb_str(IMAGE_ID);
	m.image_ref = pb_str(IMAGE_REF);
	m.user = &user;
	m.stop_signal = SIGQUIT;
	m.pid = 4242;
	m.log_path = log;
	link_reply(call, MSG_CTR_CREATED, &m, NULL, 0);
}

static void
answer_ctr_list(struct link_call *call)
{
	Criod__CtrFacts m = CRIOD__CTR_FACTS__INIT;
	Criod__CtrFact facts[512], *list[512];
	char *pods[512];
	struct fake_ctr *c;
	struct fake_pod *p;

	TAILQ_FOREACH(c, &w.ctrs, entry) {
		Criod__CtrFact *f = &facts[m.n_containers];

		criod__ctr_fact__init(f);
		f->id = c->id;
		f->pod_id = c->pod;
		f->state = c->state;
		f->started_at = c->started_at;
		f->exit = c->state == CRIOD__CTR_FACT__STATE__EXITED ? &c->exit
								     : NULL;
		list[m.n_containers++] = f;
	}
	TAILQ_FOREACH(p, &w.pods, entry)
		pods[m.n_pods++] = p->id;
	m.containers = list;
	m.pods = pods;
	link_reply(call, MSG_CTR_LISTED, &m, NULL, 0);
}

static void
answer_exec(struct link_call *call, const Criod__CtrExec *r)
{
	Criod__CtrExecDone m = CRIOD__CTR_EXEC_DONE__INIT;
	static uint8_t flood[16 * 1024 * 1024];
	const char *what = r->cmd[0];

	printf("output_max %llu timeout_ms %lld\n",
	    (unsigned long long)r->output_max, (long long)r->timeout_ms);
	m.out.data = (uint8_t *)r->cmd[0];
	m.out.len = strlen(r->cmd[0]);
	if (strcmp(what, "flood") == 0) {
		memset(flood, 'x', sizeof(flood));
		m.out.data = m.err.data = flood;
		m.out.len = m.err.len = r->output_max;
	}
	m.timed_out = strcmp(what, "slow") == 0;
	m.exit_code = r->n_cmd > 1 ? atoi(r->cmd[1]) : 0;
	link_reply(call, MSG_CTR_EXEC_DONE, &m, NULL, 0);
}

static void
answer_runtimes(struct link_call *call)
{
	Criod__RuntimeFacts m = CRIOD__RUNTIME_FACTS__INIT;
	Criod__RuntimeFact crun = CRIOD__RUNTIME_FACT__INIT;
	Criod__RuntimeFact *list[] = { &crun };

	crun.name = pb_str("crun");
	crun.usable = true;
	crun.recursive_read_only = true;
	m.n_runtimes = 1;
	m.runtimes = list;
	link_reply(call, MSG_RUNTIMES_ARE, &m, NULL, 0);
}

static void
answer_start(struct link_call *call, const char *id)
{
	Criod__CtrStarted m = CRIOD__CTR_STARTED__INIT;
	struct fake_ctr *c = ctr_named(id);

	c->state = CRIOD__CTR_FACT__STATE__RUNNING;
	c->started_at = m.started_at = wall_now_ns();
	m.pid = 4242;
	link_reply(call, MSG_CTR_STARTED, &m, NULL, 0);
}

static void
answer_signal(struct link_call *call, const Criod__CtrSignal *r)
{
	Criod__Empty none = CRIOD__EMPTY__INIT;
	struct fake_ctr *c = ctr_named(r->id);
	int need = r->signal == SIGKILL ? 2 : 1;
	struct cerr err;

	printf("signal %d\n", r->signal);
	if (c == NULL) {
		(void)cerr_set(&err, CERR_NOT_FOUND, "no such container");
		link_refuse(call, &err);
		return;
	}
	link_reply(call, MSG_CTR_SIGNALLED, &none, NULL, 0);
	if (w.stubborn < need)
		ctr_end(c, 128 + r->signal, false);
}

static void
forget_ctr(const char *id)
{
	struct fake_ctr *c = ctr_named(id);

	if (c == NULL)
		return;
	TAILQ_REMOVE(&w.ctrs, c, entry);
	free(c);
}

static void
forget_pod(const char *id)
{
	struct fake_pod *p;

	TAILQ_FOREACH(p, &w.pods, entry) {
		if (strcmp(p->id, id) == 0)
			break;
	}
	if (p == NULL)
		return;
	TAILQ_REMOVE(&w.pods, p, entry);
	free(p);
}

static void
answer_pod_create(struct link_call *call, const char *id)
{
	Criod__PodCreated m = CRIOD__POD_CREATED__INIT;
	struct fake_pod *p = pb_calloc(1, sizeof(*p));

	(void)snprintf(p->id, sizeof(p->id), "%s", id);
	TAILQ_INSERT_TAIL(&w.pods, p, entry);
	m.runtime = pb_str("crun");
	link_reply(call, MSG_POD_CREATED, &m, NULL, 0);
}

/* ---- netd, imaged ---- */

static void
answer_net_add(struct link_call *call, const Criod__NetPod *r)
{
	Criod__NetAdded m = CRIOD__NET_ADDED__INIT;
	char v4[32], v6[32];
	char *ips[] = { v4, v6 };

	for (size_t i = 0; i < r->n_annotations; i++)
		printf("annotation %s\n", r->annotations[i]->key);
	(void)snprintf(v4, sizeof(v4), "10.9.0.%u", ++w.nets);
	(void)snprintf(v6, sizeof(v6), "fd09::%x", w.nets);
	m.n_ips = 2;
	m.ips = ips;
	link_reply(call, MSG_NET_ADDED, &m, NULL, 0);
}

static void
answer_net_status(struct link_call *call)
{
	Criod__NetStatus m = CRIOD__NET_STATUS__INIT;

	m.ready = true;
	link_reply(call, MSG_NET_STATUS_IS, &m, NULL, 0);
}

static void
fill_image(Runtime__V1__Image *image, char **tags)
{
	runtime__v1__image__init(image);
	image->id = pb_str(IMAGE_ID);
	image->size = 1234;
	tags[0] = pb_str("registry.test/busybox:latest");
	image->n_repo_tags = 1;
	image->repo_tags = tags;
}

static void
answer_img_status(struct link_call *call,
    const Runtime__V1__ImageStatusRequest *r)
{
	Runtime__V1__ImageStatusResponse m =
	    RUNTIME__V1__IMAGE_STATUS_RESPONSE__INIT;
	Runtime__V1__Image image;
	char *tags[1];

	fill_image(&image, tags);
	if (strcmp(r->image->image, "missing") != 0)
		m.image = &image;
	link_reply(call, MSG_IMG_STATUS_IS, &m, NULL, 0);
}

static void
answer_img_list(struct link_call *call)
{
	Runtime__V1__ListImagesResponse m =
	    RUNTIME__V1__LIST_IMAGES_RESPONSE__INIT;
	size_t n = w.images > 0 ? (size_t)w.images : 1;
	Runtime__V1__Image image, **images = calloc(n, sizeof(*images));
	char *tags[1];

	fill_image(&image, tags);
	for (size_t i = 0; i < n; i++)
		images[i] = &image;
	m.n_images = n;
	m.images = images;
	link_reply(call, MSG_IMG_LISTED, &m, NULL, 0);
	free(images);
}

static void
answer_pulled(struct link_call *call, enum msg_type type)
{
	Runtime__V1__PullImageResponse m =
	    RUNTIME__V1__PULL_IMAGE_RESPONSE__INIT;

	m.image_ref = pb_str(IMAGE_ID);
	link_reply(call, type, &m, NULL, 0);
}

/* ---- streamd, and what it asks for ---- */

static void
answer_prepare(struct link_call *call, const Criod__StreamPrepare *r)
{
	Criod__StreamUrl m = CRIOD__STREAM_URL__INIT;
	char url[64];

	(void)snprintf(url, sizeof(url), "http://test/%llu",
	    (unsigned long long)r->session);
	printf("prepare %d %s %d%d%d%d ports", (int)r->kind, r->id, r->stdin,
	    r->stdout, r->stderr, r->tty);
	for (size_t i = 0; i < r->n_ports; i++)
		printf(" %u", r->ports[i]);
	printf("\n");
	m.url = url;
	link_reply(call, MSG_STREAM_URL, &m, NULL, 0);
}

static void
answer_stream(struct link_call *call, const Criod__CtrStream *r)
{
	Criod__Empty none = CRIOD__EMPTY__INIT;

	printf("stream %llu %s %d %d%d%d%d", (unsigned long long)r->session,
	    r->id, r->attach, r->stdin, r->stdout, r->stderr, r->tty);
	for (size_t i = 0; i < r->n_cmd; i++)
		printf(" %s", r->cmd[i]);
	printf("\n");
	link_reply(call, MSG_CTR_STREAMING, &none, NULL, 0);
}

static void
answer_dial(struct link_call *call, const Criod__NetDial *r)
{
	Criod__Empty none = CRIOD__EMPTY__INIT;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	printf("dial %s %d %u\n", r->pod_id, r->host_network, r->port);
	link_reply(call, MSG_NET_DIALLED, &none, &fd, 1);
}

static void
streamd_heard(void *arg, struct link_msg *m, const struct cerr *err)
{
	if (err != NULL)
		printf("heard %s %d %s\n", (char *)arg, (int)err->code,
		    err->text);
	else
		printf("heard %s ok %zu\n", (char *)arg, m->nfds);
	free(arg);
}

static void
cmd_begin(const char *what, unsigned long long number)
{
	Criod__StreamSession m = CRIOD__STREAM_SESSION__INIT;

	m.session = number;
	w.begin = link_request(w.peers[STREAMD], MSG_STREAM_BEGIN, &m, NULL, 0,
	    mono_none(), streamd_heard, pb_strdup(what));
}

static void
cmd_dial(const char *what, unsigned long long number, unsigned int port)
{
	Criod__StreamDial m = CRIOD__STREAM_DIAL__INIT;

	m.session = number;
	m.port = port;
	(void)link_request(w.peers[STREAMD], MSG_STREAM_DIAL, &m, NULL, 0,
	    mono_none(), streamd_heard, pb_strdup(what));
}

static void
cmd_session(enum msg_type type, unsigned long long number)
{
	Criod__StreamSession m = CRIOD__STREAM_SESSION__INIT;

	m.session = number;
	(void)link_send(w.peers[STREAMD], type, &m, NULL, 0);
}

static void
command_stream(const char *line)
{
	unsigned long long number;
	unsigned int port;

	if (sscanf(line, "begin %llu", &number) == 1)
		cmd_begin(line, number);
	else if (sscanf(line, "dial %llu %u", &number, &port) == 2)
		cmd_dial(line, number, port);
	else if (sscanf(line, "end %llu", &number) == 1)
		cmd_session(MSG_STREAM_END, number);
	else if (sscanf(line, "drop %llu", &number) == 1)
		cmd_session(MSG_STREAM_DROP, number);
	else if (strcmp(line, "unbegin") == 0)
		link_cancel(w.peers[STREAMD], w.begin);
}

static void
answer_info(struct link_call *call, const char *id)
{
	Criod__Info m = CRIOD__INFO__INIT;
	char spec[128];

	(void)snprintf(spec, sizeof(spec), "{\"hostname\":\"%s\"}", id);
	m.spec = spec;
	m.pid = 77;
	link_reply(call, MSG_INFO, &m, NULL, 0);
}

static void
answer(struct link *link, struct link_call *call, enum msg_type type,
    const void *body, int *fds)
{
	Criod__Empty none = CRIOD__EMPTY__INIT;
	Runtime__V1__ImageFsInfoResponse fs =
	    RUNTIME__V1__IMAGE_FS_INFO_RESPONSE__INIT;
	Criod__Stats stats = CRIOD__STATS__INIT;

	(void)link;
	(void)fds;
	if (type == MSG_POD_CREATE)
		answer_pod_create(call, body_id(body));
	else if (type == MSG_CTR_CREATE)
		answer_ctr_create(call, body);
	else if (type == MSG_CTR_START)
		answer_start(call, body_id(body));
	else if (type == MSG_CTR_SIGNAL)
		answer_signal(call, body);
	else if (type == MSG_CTR_EXEC)
		answer_exec(call, body);
	else if (type == MSG_CTR_INFO || type == MSG_POD_INFO)
		answer_info(call, body_id(body));
	else if (type == MSG_STREAM_PREPARE)
		answer_prepare(call, body);
	else if (type == MSG_CTR_STREAM)
		answer_stream(call, body);
	else if (type == MSG_NET_DIAL)
		answer_dial(call, body);
	else if (type == MSG_CTR_LIST)
		answer_ctr_list(call);
	else if (type == MSG_RUNTIMES)
		answer_runtimes(call);
	else if (type == MSG_NET_ADD)
		answer_net_add(call, body);
	else if (type == MSG_NET_STATUS)
		answer_net_status(call);
	else if (type == MSG_IMG_STATUS)
		answer_img_status(call, body);
	else if (type == MSG_IMG_LIST)
		answer_img_list(call);
	else if (type == MSG_IMG_PULL || type == MSG_IMG_IMPORT)
		answer_pulled(call, msg_info(type)->reply);
	else if (type == MSG_STATS_GET)
		link_reply(call, MSG_STATS, &stats, NULL, 0);
	else if (type == MSG_IMG_FSINFO)
		link_reply(call, MSG_IMG_FSINFO_IS, &fs, NULL, 0);
	else {
		if (type == MSG_POD_REMOVE)
			forget_pod(body_id(body));
		if (type == MSG_CTR_REMOVE)
			forget_ctr(body_id(body));
		link_reply(call, msg_info(type)->reply, &none, NULL, 0);
	}
}

/* ---- keeper ---- */

/* It has nothing, and says nothing of what it is given. */
static void
keep(void *ctx, struct link_call *call, struct link_msg *m)
{
	Criod__KeepGot nothing = CRIOD__KEEP_GOT__INIT;
	struct fixed_none none = { 0 };

	(void)ctx;
	if (m->type == MSG_KEEP_GET)
		link_reply(call, MSG_KEEP_GOT, &nothing, NULL, 0);
	else if (m->type == MSG_KEEP_SYNC)
		link_reply(call, MSG_KEPT, &none, NULL, 0);
}

/* ---- the links ---- */

#define T(n)                                                                   \
	{                                                                      \
		MSG_##n, take                                                  \
	}
static const struct link_handler handlers[] = { T(POD_CREATE), T(POD_REMOVE),
	T(CTR_CREATE), T(CTR_START), T(CTR_SIGNAL), T(CTR_REMOVE),
	T(CTR_REOPEN), T(CTR_EXEC), T(CTR_UPDATE), T(STATS_GET), T(CTR_LIST),
	T(CTR_DIRS), T(CTR_INFO), T(POD_INFO), T(RUNTIMES), T(NET_ADD),
	T(NET_DEL), T(NET_CHECK), T(NET_STATUS), T(NET_GC), T(IMG_STATUS),
	T(IMG_LIST), T(IMG_PULL), T(IMG_REMOVE), T(IMG_FSINFO), T(IMG_BLOB),
	T(IMG_IMPORT), T(STREAM_PREPARE), T(CTR_STREAM), T(NET_DIAL),
	T(FRONT_FIGURES), { MSG_KEEP_GET, keep }, { MSG_KEEP_PUT, keep },
	{ MSG_KEEP_DROP, keep }, { MSG_KEEP_RETAIN, keep },
	{ MSG_KEEP_SYNC, keep } };

static void
take_ready(void *ctx, struct link_call *call, struct link_msg *m)
{
	(void)ctx;
	(void)call;
	printf("%s\n", msg_info(m->type)->name);
}

static const struct link_handler parent_handlers[] = {
	{ MSG_READY, take_ready },
	{ MSG_PEER_BAD, take_ready },
};

static void
lost(void *ctx, struct link *link, const char *breach)
{
	(void)ctx;
	if (breach != NULL)
		printf("breach %s %s\n", role_name(link_peer(link)), breach);
}

static struct link_def parent_def = {
	.self = ROLE_PARENT,
	.peer = ROLE_FRONT,
	.handlers = parent_handlers,
	.nhandlers = 2,
	.lost = lost,
	.pb = &codec_pb,
};
static struct link_def peer_defs[NPEERS];

static void
send_link(int i)
{
	struct fixed_link l = { peer_roles[i] };
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, sv) == -1)
		err(1, "socketpair");
	(void)link_send(w.parent, MSG_LINK, &l, &sv[1], 1);
	link_attach(w.peers[i], sv[0]);
}

static void
send_boot(void)
{
	Criod__Boot m = CRIOD__BOOT__INIT;
	Criod__BootFront f = CRIOD__BOOT_FRONT__INIT;
	Criod__BootRuntime crun = CRIOD__BOOT_RUNTIME__INIT;
	Criod__BootRuntime *list[] = { &crun };
	char path[4096];
	int root;

	(void)snprintf(path, sizeof(path), "%s/front", w.dir);
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root == -1)
		err(1, "%s", path);
	crun.name = pb_str("crun");
	f.n_runtimes = 1;
	f.runtimes = list;
	f.default_runtime = pb_str("crun");
	f.cgroup_driver = 1;
	f.version = pb_str("0.1.0");
	f.bundle_directory = pb_str("/run/criod/bundle");
	m.log_level = 3;
	m.uid = m.gid = PEERS_UID;
	m.front = &f;
	(void)link_send(w.parent, MSG_BOOT, &m, &root, 1);
}

static void
send_listener(Criod__Listener__Kind kind, int fd)
{
	Criod__Listener m = CRIOD__LISTENER__INIT;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	m.kind = kind;
	m.name = pb_str("test");
	(void)link_send(w.parent, MSG_LISTENER, &m, &copy, 1);
}

static void
start_front(void)
{
	struct fixed_none none = { 0 };
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1)
		err(1, "socketpair");
	fflush(stdout);
	w.pid = fork();
	if (w.pid == 0) {
		int null = open("/dev/null", O_RDWR);

		(void)dup2(null, 0);
		(void)dup2(null, 1);
		(void)dup2(sv[1], 3);
		(void)close_range(4, ~0U, 0);
		(void)execl(w.front, "front", (char *)NULL);
		_exit(127);
	}
	(void)close(sv[1]);
	printf("pid %d\n", (int)w.pid);
	link_attach(w.parent, sv[0]);
	send_boot();
	for (int i = 0; i < NPEERS; i++)
		send_link(i);
	send_listener(CRIOD__LISTENER__KIND__CRI, w.listeners[0]);
	send_listener(CRIOD__LISTENER__KIND__CONTROL, w.listeners[1]);
	(void)link_send(w.parent, MSG_START, &none, NULL, 0);
}

static int
listen_at(const char *name, int type)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", w.dir,
	    name);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    listen(fd, 64) == -1)
		err(1, "%s", sun.sun_path);
	return fd;
}

/* ---- commands ---- */

static void
cmd_release(enum msg_type type)
{
	struct rule *r = rule_for(type);
	struct held *h, *next;

	if (r != NULL) {
		TAILQ_REMOVE(&w.rules, r, entry);
		free(r);
	}
	for (h = TAILQ_FIRST(&w.held); h != NULL; h = next) {
		next = TAILQ_NEXT(h, entry);
		if (h->type != type)
			continue;
		TAILQ_REMOVE(&w.held, h, entry);
		link_call_on_cancel(h->call, NULL, NULL);
		answer(h->link, h->call, h->type, h->body, NULL);
		pb_free(h->body);
		free(h);
	}
}

static struct rule *
cmd_rule(const char *name)
{
	struct rule *r = pb_calloc(1, sizeof(*r));

	r->type = type_named(name);
	TAILQ_INSERT_HEAD(&w.rules, r, entry);
	return r;
}

static void
cmd_kill(void)
{
	(void)kill(w.pid, SIGKILL);
	(void)waitpid(w.pid, NULL, 0);
	start_front();
}

/* A request type that only ever goes the other way. */
static void
cmd_garbage(const char *role)
{
	Criod__CtrExited m = CRIOD__CTR_EXITED__INIT;

	(void)link_send(link_of(role), MSG_CTR_EXITED, &m, NULL, 0);
}

static void
cmd_done(void *arg, struct link_msg *m, const struct cerr *err)
{
	(void)m;
	(void)err;
	printf("done %s\n", (char *)arg);
	free(arg);
}

/* Done when the front has read what was sent before. */
static void
cmd_attach(const char *role, const char *line)
{
	struct fixed_none none = { 0 };

	for (int i = 0; i < NPEERS; i++) {
		if (w.peers[i] == link_of(role))
			send_link(i);
	}
	(void)link_request(w.parent, MSG_PING, &none, NULL, 0, mono_none(),
	    cmd_done, strdup(line));
}

static void
command(char *line)
{
	char a[128] = "", b[128] = "";
	int n = 0, code = 0, count = 0;
	struct rule *r;
	struct fake_ctr *c;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "fail %127s %d %d %n", a, &code, &count, &n) == 3) {
		r = cmd_rule(a);
		r->code = code;
		r->count = count;
		(void)snprintf(r->text, sizeof(r->text), "%s", line + n);
	} else if (sscanf(line, "hold %127s", a) == 1) {
		cmd_rule(a)->hold = true;
	} else if (sscanf(line, "release %127s", a) == 1) {
		cmd_release(type_named(a));
	} else if (sscanf(line, "exit %127s %d %d", a, &code, &count) == 3) {
		c = ctr_named(a);
		if (c != NULL)
			ctr_end(c, code, count != 0);
	} else if (sscanf(line, "forget %127s", a) == 1) {
		forget_ctr(a);
		forget_pod(a);
	} else if (sscanf(line, "images %d", &w.images) == 1) {
		/* counted */
	} else if (sscanf(line, "stubborn %d", &code) == 1) {
		w.stubborn = code;
	} else if (sscanf(line, "detach %127s", b) == 1) {
		int sv[2];

		/* Closing the old socket: one that nobody holds replaces it. */
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == 0) {
			link_attach(link_of(b), sv[0]);
			(void)close(sv[1]);
		}
	} else if (sscanf(line, "attach %127s", b) == 1) {
		cmd_attach(b, line);
		return;
	} else if (sscanf(line, "garbage %127s", b) == 1) {
		cmd_garbage(b);
	} else if (strcmp(line, "kill") == 0) {
		cmd_kill();
	} else {
		command_stream(line);
	}
	printf("done %s\n", line);
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	char line[4096];

	(void)fd;
	(void)what;
	(void)arg;
	if (fgets(line, sizeof(line), stdin) == NULL) {
		(void)kill(w.pid, SIGTERM);
		exit(0);
	}
	command(line);
}

int
main(int argc, char *argv[])
{
	struct event *ev;

	if (argc != 3)
		errx(1, "usage: peers FRONT DIR");
	w.front = argv[1];
	w.dir = argv[2];
	TAILQ_INIT(&w.rules);
	TAILQ_INIT(&w.held);
	TAILQ_INIT(&w.ctrs);
	TAILQ_INIT(&w.pods);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)setvbuf(stdin, NULL, _IONBF, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	w.base = event_base_new();
	w.listeners[0] = listen_at("cri", SOCK_STREAM);
	w.listeners[1] = listen_at("ctl", SOCK_SEQPACKET);
	w.parent = link_new(w.base, &parent_def, NULL);
	for (int i = 0; i < NPEERS; i++) {
		peer_defs[i] = (struct link_def){
			.self = peer_roles[i],
			.peer = ROLE_FRONT,
			.handlers = handlers,
			.nhandlers = sizeof(handlers) / sizeof(handlers[0]),
			.lost = lost,
			.pb = &codec_pb,
		};
		w.peers[i] = link_new(w.base, &peer_defs[i], &w.peers[i]);
	}
	start_front();
	ev = event_new(w.base, 0, EV_READ | EV_PERSIST, readable, NULL);
	(void)event_add(ev, NULL);
	return event_base_dispatch(w.base) == -1;
}
