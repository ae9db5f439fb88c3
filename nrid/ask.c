#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "nrid/ask.h"
#include "nrid/plugin.h"
#include "nrid/sync.h"
#include "nrid/update.h"
#include "proto/pballoc.h"

#define ASK_MEMORY (8U * 1024 * 1024) /* of one request, decoded */
#define ASK_MAX	   4		      /* of one plugin at once */

#define ASK_NAME_CHARS                                                         \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+"

/* One UpdateContainers. */
struct ask {
	LIST_ENTRY(ask) entry;
	struct plugin *plugin; /* NULL: gone */
	uint32_t stream;
	struct pballoc mem;
	Nri__UpdateContainersRequest *request;
};

static void
ask_answer(struct plugin *p, uint32_t stream, const void *message,
    const struct cerr *err)
{
	size_t len =
	    err == NULL ? protobuf_c_message_get_packed_size(message) : 0;
	uint8_t *buf = nrid_alloc(1, len + 1);

	if (err == NULL)
		(void)protobuf_c_message_pack(message, buf);
	if (ttrpc_answer(p->server, stream, buf, len, err) == -1)
		plugin_drop(p, "it takes no answer");
	free(buf);
}

static void
ask_refuse(struct plugin *p, uint32_t stream, enum cerr_code code,
    const char *text)
{
	struct cerr err;

	(void)cerr_set(&err, code, "%s", text);
	ask_answer(p, stream, NULL, &err);
}

/* ---- registration ---- */

static void
ask_configured(void *arg, const uint8_t *payload, size_t len,
    const struct cerr *err, bool answered)
{
	Nri__ConfigureResponse *r;
	struct plugin *p = arg;
	struct pballoc mem;

	(void)answered;
	if (p->state == PLUGIN_DEAD)
		return;
	if (err != NULL) {
		plugin_drop(p, err->text);
		return;
	}
	pballoc_init(&mem, ASK_MEMORY);
	r = nrid_decode(&mem, &nri__configure_response__descriptor, payload,
	    len);
	p->events = r == NULL ? 0 : (unsigned int)r->events;
	pballoc_clear(&mem);
	if (r == NULL || (p->events & ~PLUGIN_EVENTS) != 0) {
		plugin_drop(p, "it asks for events that there are not");
		return;
	}
	if (p->events == 0)
		p->events = PLUGIN_EVENTS;
	plugin_set_state(p, PLUGIN_WAITING);
	sync_review(p->nrid);
}

static void
ask_configure(struct plugin *p)
{
	static char runtime[] = "criod", nri[] = PLUGIN_NRI_VERSION;
	Nri__ConfigureRequest r;
	struct cerr err;

	nri__configure_request__init(&r);
	if (p->conf != NULL)
		r.config = p->conf;
	r.runtime_name = runtime;
	r.runtime_version = p->nrid->boot->version;
	r.registration_timeout = p->nrid->boot->registration_ms;
	r.request_timeout = p->nrid->boot->request_ms;
	r.nri_version = nri;
	plugin_set_state(p, PLUGIN_CONFIGURING);
	if (plugin_call(p, "Configure", &r, ask_configured, p, &err) == -1)
		plugin_drop(p, err.text);
}

static bool
ask_name_valid(const char *idx, const char *name)
{
	return strlen(idx) == 2 && strspn(idx, "0123456789") == 2 &&
	       name[0] != '\0' && strlen(name) < PLUGIN_NAME_MAX &&
	       name[strspn(name, ASK_NAME_CHARS)] == '\0';
}

static void
ask_register(struct plugin *p, const struct ttrpc_request *r)
{
	Nri__Empty empty = NRI__EMPTY__INIT;
	Nri__RegisterPluginRequest *m;
	struct pballoc mem;

	pballoc_init(&mem, ASK_MEMORY);
	m = nrid_decode(&mem, &nri__register_plugin_request__descriptor,
	    r->payload, r->len);
	if (m == NULL || p->state != PLUGIN_NEW ||
	    (!p->preset && !ask_name_valid(m->plugin_idx, m->plugin_name))) {
		ask_refuse(p, r->stream, CERR_INVALID_ARGUMENT,
		    "not a registration, or not with a valid name and index");
		plugin_drop(p, "its registration is not valid");
	} else {
		plugin_name(p, m->plugin_idx, m->plugin_name);
		log_info("NRI plugin %s registers", p->name);
		ask_answer(p, r->stream, &empty, NULL);
		if (p->state == PLUGIN_NEW)
			ask_configure(p);
	}
	pballoc_clear(&mem);
}

/* ---- updates ---- */

static void
ask_updated(void *arg, const size_t *failed, size_t nfailed,
    const struct cerr *err)
{
	Nri__UpdateContainersResponse resp =
	    NRI__UPDATE_CONTAINERS_RESPONSE__INIT;
	struct ask *a = arg;

	resp.failed = nrid_alloc(nfailed + 1, sizeof(*resp.failed));
	for (size_t i = 0; i < nfailed; i++)
		resp.failed[resp.n_failed++] = a->request->update[failed[i]];
	if (a->plugin != NULL) {
		LIST_REMOVE(a, entry);
		a->plugin->nasks--;
		ask_answer(a->plugin, a->stream, &resp, err);
	}
	free(resp.failed);
	pballoc_clear(&a->mem);
	free(a);
}

static void
ask_update(struct plugin *p, const struct ttrpc_request *r)
{
	struct ask *a;

	if (p->state != PLUGIN_ACTIVE || p->nasks == ASK_MAX) {
		ask_refuse(p, r->stream, CERR_UNAVAILABLE,
		    "not synchronized yet, or too much at once");
		return;
	}
	a = nrid_alloc(1, sizeof(*a));
	pballoc_init(&a->mem, ASK_MEMORY);
	a->plugin = p;
	a->stream = r->stream;
	a->request = nrid_decode(&a->mem,
	    &nri__update_containers_request__descriptor, r->payload, r->len);
	if (a->request == NULL) {
		ask_refuse(p, r->stream, CERR_INVALID_ARGUMENT,
		    "a malformed request");
		plugin_drop(p, "a malformed request");
		free(a);
		return;
	}
	LIST_INSERT_HEAD(&p->asks, a, entry);
	p->nasks++;
	update_evict(p->nrid, a->request->evict, a->request->n_evict, p->name);
	update_run(p->nrid, a->request->update, a->request->n_update,
	    ask_updated, a);
}

void
ask_forget(struct plugin *p)
{
	struct ask *a;

	while ((a = LIST_FIRST(&p->asks)) != NULL) {
		LIST_REMOVE(a, entry);
		a->plugin = NULL;
	}
}

static const struct {
	const char *method;
	void (*take)(struct plugin *p, const struct ttrpc_request *r);
} ask_methods[] = {
	{ "RegisterPlugin", ask_register },
	{ "UpdateContainers", ask_update },
};

void
ask_take(void *ctx, const struct ttrpc_request *r)
{
	struct plugin *p = ctx;

	for (size_t i = 0; i < sizeof(ask_methods) / sizeof(ask_methods[0]);
	     i++) {
		if (strcmp(r->service, PLUGIN_RUNTIME) == 0 &&
		    strcmp(r->method, ask_methods[i].method) == 0) {
			ask_methods[i].take(p, r);
			return;
		}
	}
	ask_refuse(p, r->stream, CERR_UNIMPLEMENTED, "no such method");
}
