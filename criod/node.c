#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "criod/front.h"
#include "criod/grpc.h"
#include "criod/methods.h"
#include "criod/node_net.h"
#include "criod/pb.h"
#include "imsg/link.h"

#define NODE_NAME	  "criod"
#define NODE_VERSION	  "0.1.0" /* of the Version call itself */
#define NODE_API	  "v1"
#define NODE_HANDLERS_MAX 65 /* "" and CONF_RUNTIMES_MAX */
#define NODE_INFO_MAX	  8192
#define NODE_CONFIG_MAX	  (3 * 4096 + 128) /* three paths */

/* ---- Version, RuntimeConfig ---- */

void
node_handle_version(void *ctx, struct grpc_call *call, const void *request_)
{
	Runtime__V1__VersionResponse resp = RUNTIME__V1__VERSION_RESPONSE__INIT;
	const struct front *front = ctx;

	(void)request_;
	resp.version = pb_str(NODE_VERSION);
	resp.runtime_name = pb_str(NODE_NAME);
	resp.runtime_version = front->boot->version;
	resp.runtime_api_version = pb_str(NODE_API);
	grpc_reply(call, &resp);
}

void
node_handle_config(void *ctx, struct grpc_call *call, const void *request_)
{
	Runtime__V1__RuntimeConfigResponse resp =
	    RUNTIME__V1__RUNTIME_CONFIG_RESPONSE__INIT;
	Runtime__V1__LinuxRuntimeConfiguration linux_config =
	    RUNTIME__V1__LINUX_RUNTIME_CONFIGURATION__INIT;
	const struct front *front = ctx;

	(void)request_;
	linux_config.cgroup_driver =
	    (Runtime__V1__CgroupDriver)front->boot->cgroup_driver;
	resp.linux = &linux_config;
	grpc_reply(call, &resp);
}

/* The pod CIDR is the network configuration's business. */
void
node_handle_update_config(void *ctx, struct grpc_call *call,
    const void *request_)
{
	Runtime__V1__UpdateRuntimeConfigResponse resp =
	    RUNTIME__V1__UPDATE_RUNTIME_CONFIG_RESPONSE__INIT;

	(void)ctx;
	(void)request_;
	grpc_reply(call, &resp);
}

/* ---- Status ---- */

struct node_status {
	struct front *front;
	struct grpc_call *call;
	bool verbose;
};

struct node_handlers {
	Runtime__V1__RuntimeHandler rows[NODE_HANDLERS_MAX];
	Runtime__V1__RuntimeHandlerFeatures features[NODE_HANDLERS_MAX];
	Runtime__V1__RuntimeHandler *list[NODE_HANDLERS_MAX];
	size_t n;
};

static const Criod__RuntimeFact *
node_runtime_fact(const struct front *front, const char *name)
{
	const Criod__RuntimeFacts *r = front->runtimes;

	for (size_t i = 0; r != NULL && i < r->n_runtimes; i++) {
		if (strcmp(r->runtimes[i]->name, name) == 0)
			return r->runtimes[i];
	}
	return NULL;
}

static void
node_add_handler(const struct front *front, struct node_handlers *h,
    const char *name, const char *runtime)
{
	const Criod__RuntimeFact *f = node_runtime_fact(front, runtime);
	size_t i = h->n;

	if (i == NODE_HANDLERS_MAX || (f != NULL && !f->usable))
		return;
	runtime__v1__runtime_handler__init(&h->rows[i]);
	runtime__v1__runtime_handler_features__init(&h->features[i]);
	h->rows[i].name = pb_str(name);
	h->rows[i].features = &h->features[i];
	if (f != NULL) {
		h->features[i].recursive_read_only_mounts =
		    f->recursive_read_only;
		h->features[i].user_namespaces = f->user_namespaces;
	}
	h->list[i] = &h->rows[i];
	h->n++;
}

static void
node_handlers(const struct front *front, struct node_handlers *h)
{
	const Criod__BootFront *boot = front->boot;

	h->n = 0;
	node_add_handler(front, h, "", boot->default_runtime);
	for (size_t i = 0; i < boot->n_runtimes; i++)
		node_add_handler(front, h, boot->runtimes[i]->name,
		    boot->runtimes[i]->name);
}

static void
node_condition_set(Runtime__V1__RuntimeCondition *c, bool ok,
    const char *reason, const char *message)
{
	c->status = ok;
	c->reason = pb_str(reason);
	c->message = pb_str(message);
}

static void
node_runtime_ready(const struct front *front, Runtime__V1__RuntimeCondition *c)
{
	const Criod__RuntimeFact *f =
	    node_runtime_fact(front, front->boot->default_runtime);

	runtime__v1__runtime_condition__init(c);
	c->type = pb_str("RuntimeReady");
	if (!link_attached(front->execd))
		node_condition_set(c, false, "ExecdNotRunning",
		    "execd is not running");
	else if (front->runtimes != NULL && front->runtimes->launcher_away)
		node_condition_set(c, false, "ExeclaunchNotRunning",
		    "execlaunch is not running");
	else if (front->boot->nri && !link_attached(front->nrid))
		node_condition_set(c, false, "NridNotRunning",
		    "nrid is not running");
	else if (!link_attached(front->imaged))
		node_condition_set(c, false, "ImagedNotRunning",
		    "imaged is not running");
	else if (front->runtimes == NULL)
		node_condition_set(c, false, "RuntimesUnknown",
		    "execd has not looked at its runtimes yet");
	else if (f == NULL || !f->usable)
		node_condition_set(c, false, "RuntimeNotUsable",
		    f == NULL ? "the default runtime is not known" : f->reason);
	else
		c->status = true;
}

static void
node_network_ready(const struct node_net_word *word,
    Runtime__V1__RuntimeCondition *c)
{
	runtime__v1__runtime_condition__init(c);
	c->type = pb_str("NetworkReady");
	node_condition_set(c, word->ready, word->reason, word->message);
}

/* "runc":"yes", or why not; of as many as there is room for. */
static void
node_checkpoint(const struct front *front, char *text, size_t size)
{
	const Criod__RuntimeFacts *r = front->runtimes;
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; r != NULL && i < r->n_runtimes; i++) {
		const Criod__RuntimeFact *f = r->runtimes[i];
		int n = snprintf(text + used, size - used, "%s\"%s\":\"%s\"",
		    i == 0 ? "" : ",", f->name,
		    f->checkpoint ? "yes" : f->no_checkpoint);

		if (n < 0 || (size_t)n >= size - used) {
			text[used] = '\0';
			return;
		}
		used += (size_t)n;
	}
}

static void
node_info(const struct front *front, char *text, size_t size)
{
	char checkpoint[NODE_INFO_MAX / 2];

	node_checkpoint(front, checkpoint, sizeof(checkpoint));
	(void)snprintf(text, size,
	    "{\"version\":\"%s\",\"defaultRuntime\":\"%s\","
	    "\"cgroupDriver\":\"%s\",\"pods\":%zu,\"containers\":%zu,"
	    "\"checkpoint\":{%s}}",
	    front->boot->version, front->boot->default_runtime,
	    front->boot->cgroup_driver == RUNTIME__V1__CGROUP_DRIVER__SYSTEMD
		? "systemd"
		: "cgroupfs",
	    front->npods, front->nctrs, checkpoint);
}

/* Where things are; STATE is above its bundles. */
static void
node_config(const struct front *front, char *text, size_t size)
{
	const Criod__BootFront *boot = front->boot;
	const char *end = strrchr(boot->bundle_directory, '/');
	int len = end == NULL ? 0 : (int)(end - boot->bundle_directory);

	(void)snprintf(text, size,
	    "{\"stateDir\":\"%.*s\",\"imageDir\":\"%s\","
	    "\"containerDir\":\"%s\"}",
	    len, boot->bundle_directory, boot->image_directory,
	    boot->container_directory);
}

static void
node_status_reply(const struct node_status *n, const struct node_net_word *word)
{
	Runtime__V1__StatusResponse resp = RUNTIME__V1__STATUS_RESPONSE__INIT;
	Runtime__V1__RuntimeStatus status = RUNTIME__V1__RUNTIME_STATUS__INIT;
	Runtime__V1__RuntimeFeatures features =
	    RUNTIME__V1__RUNTIME_FEATURES__INIT;
	Runtime__V1__StatusResponse__InfoEntry info =
	    RUNTIME__V1__STATUS_RESPONSE__INFO_ENTRY__INIT;
	Runtime__V1__StatusResponse__InfoEntry config = info;
	Runtime__V1__StatusResponse__InfoEntry *infos[] = { &info, &config };
	Runtime__V1__RuntimeCondition ready[2];
	Runtime__V1__RuntimeCondition *conditions[] = { &ready[0], &ready[1] };
	struct node_handlers handlers;
	char text[NODE_INFO_MAX], dirs[NODE_CONFIG_MAX];

	node_runtime_ready(n->front, &ready[0]);
	node_network_ready(word, &ready[1]);
	status.n_conditions = 2;
	status.conditions = conditions;
	resp.status = &status;
	node_handlers(n->front, &handlers);
	resp.n_runtime_handlers = handlers.n;
	resp.runtime_handlers = handlers.list;
	features.supplemental_groups_policy = true;
	resp.features = &features;
	if (n->verbose) {
		node_info(n->front, text, sizeof(text));
		info.key = pb_str("info");
		info.value = text;
		node_config(n->front, dirs, sizeof(dirs));
		config.key = pb_str("config");
		config.value = dirs;
		resp.n_info = 2;
		resp.info = infos;
	}
	grpc_reply(n->call, &resp);
}

static void
node_net_said(void *arg, const struct node_net_word *word)
{
	struct node_status *n = arg;

	grpc_on_cancel(n->call, NULL, NULL);
	node_status_reply(n, word);
	free(n);
}

static void
node_left(void *arg)
{
	struct node_status *n = arg;
	struct cerr err;

	(void)cerr_set(&err, CERR_CANCELLED, "the client left");
	node_net_forget(n->front->net, n);
	grpc_fail(n->call, &err);
	free(n);
}

void
node_handle_status(void *ctx, struct grpc_call *call, const void *request_)
{
	const Runtime__V1__StatusRequest *r = request_;
	struct node_status *n = pb_calloc(1, sizeof(*n));

	n->front = ctx;
	n->call = call;
	n->verbose = r->verbose;
	grpc_on_cancel(call, node_left, n);
	node_net_ask(n->front->net, node_net_said, n);
}
