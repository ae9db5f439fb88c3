#include <sys/stat.h>

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "execd/ctr.h"
#include "execd/info.h"
#include "execd/pod.h"
#include "execd/pod_ns.h"
#include "lib/fdio.h"

#define INFO_MAX (8 * 1024 * 1024)

static const struct {
	unsigned int bit;
	const char *type, *pin;
} info_namespaces[] = {
	{ POD_NS_NET, "network", "net" },
	{ POD_NS_IPC, "ipc", "ipc" },
	{ POD_NS_UTS, "uts", "uts" },
	{ POD_NS_PID, "pid", "pid" },
	{ POD_NS_USER, "user", "user" },
};

/* ---- containers ---- */

static int
info_open(struct ctr *c)
{
	CLEANUP_FD int dir = ctr_open_dir(c);

	return dir == -1 ? -1
			 : openat(dir, CTR_CONFIG_FILE,
			       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

int
info_read(struct ctr *c, char **text, struct cerr *err)
{
	CLEANUP_FD int fd = info_open(c);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return cerr_errno(err, "config.json of %s", c->id);
	if (st.st_size > INFO_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "config.json of %s is too large to be shown", c->id);
	*text = execd_alloc(1, (size_t)st.st_size + 1);
	if (fdio_read_upto(fd, *text, (size_t)st.st_size) == -1)
		return cerr_errno(err, "config.json of %s", c->id);
	return 0;
}

void
info_take_ctr(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__CtrId *r = m->body;
	Criod__Info body = CRIOD__INFO__INIT;
	CLEANUP_FREE char *text = NULL;
	struct cerr err;
	struct ctr *c = ctr_find_or(ctx, r->id, &err);

	if (c == NULL || info_read(c, &text, &err) == -1) {
		link_refuse(call, &err);
		return;
	}
	body.spec = text;
	body.pid = ctr_alive(c) ? (int32_t)c->pid : 0;
	link_reply(call, MSG_INFO, &body, NULL, 0);
}

/* ---- pods ---- */

static json_t *
info_pins(const struct pod *p)
{
	json_t *list = json_array();

	for (size_t i = 0;
	     i < sizeof(info_namespaces) / sizeof(info_namespaces[0]); i++) {
		if ((p->facts.namespaces & info_namespaces[i].bit) == 0)
			continue;
		(void)json_array_append_new(list,
		    json_pack("{s:s, s:s++++}", "type", info_namespaces[i].type,
			"path", p->x->boot->netns_directory, "/", p->id, "/",
			info_namespaces[i].pin));
	}
	return list;
}

/* A spec without a process: the part of one that a pod has. */
void
info_take_pod(void *ctx, struct link_call *call, struct link_msg *m)
{
	const Criod__PodId *r = m->body;
	Criod__Info body = CRIOD__INFO__INIT;
	CLEANUP_FREE char *text = NULL;
	struct cerr err;
	struct pod *p = pod_find_ready(ctx, r->id, &err);
	json_t *spec;

	if (p == NULL) {
		link_refuse(call, &err);
		return;
	}
	spec = json_pack("{s:s, s:{s:o}}", "hostname", p->hostname, "linux",
	    "namespaces", info_pins(p));
	text = json_dumps(spec, JSON_COMPACT);
	json_decref(spec);
	if (text == NULL) {
		(void)cerr_set(&err, CERR_INTERNAL, "pod %s: JSON", p->id);
		link_refuse(call, &err);
		return;
	}
	body.spec = text;
	link_reply(call, MSG_INFO, &body, NULL, 0);
}
