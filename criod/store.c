#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criod/ctr.h"
#include "criod/front.h"
#include "criod/orphan.h"
#include "criod/pb.h"
#include "criod/pod.h"
#include "criod/store.h"
#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/record.h"

static int
store_open_dir(const char *path, struct cerr *err)
{
	int fd;

	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return cerr_errno(err, "make %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return cerr_errno(err, "open %s", path);
	return fd;
}

int
store_open(struct store *s, struct cerr *err)
{
	s->dir = store_open_dir("/", err);
	s->pod_dir = s->dir == -1 ? -1 : store_open_dir("/pod", err);
	s->ctr_dir = s->pod_dir == -1 ? -1 : store_open_dir("/ctr", err);
	return s->ctr_dir == -1 ? -1 : 0;
}

static size_t
store_pack(const ProtobufCMessage *m, uint8_t **buf)
{
	size_t len = protobuf_c_message_get_packed_size(m);

	*buf = pb_calloc(1, len);
	return protobuf_c_message_pack(m, *buf);
}

size_t
store_pack_pod(const struct pod *pod, uint8_t **buf)
{
	Criod__FrontPod m = CRIOD__FRONT_POD__INIT;

	m.state = pod->state;
	m.config = pod->config;
	m.runtime = pod->runtime;
	m.created_at = pod->created_at;
	m.ips = pod->ips;
	m.n_ips = pod->nips;
	m.net_done = pod->net_done;
	m.restoring = pod->restoring;
	return store_pack(&m.base, buf);
}

size_t
store_pack_ctr(const struct ctr *c, bool kept, uint8_t **buf)
{
	Criod__FrontCtr m = CRIOD__FRONT_CTR__INIT;
	Runtime__V1__ContainerConfig config = *c->config;

	if (kept)
		config.n_envs = 0;
	m.state = c->state;
	m.pod_id = pb_str(c->pod_id);
	m.config = &config;
	m.created_at = c->created_at;
	m.started_at = c->started_at;
	m.finished_at = c->finished_at;
	m.exit_code = c->exit_code;
	m.reason = c->reason;
	m.message = c->message;
	m.image_name = c->image_name;
	m.made = c->made;
	return store_pack(&m.base, buf);
}

int
store_write_pod(struct pod *pod, struct cerr *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	size_t len = store_pack_pod(pod, &buf);

	pod->kept = false;
	keep_changed(pod->front);
	return record_write(pod->front->store.pod_dir, pod->id, pod->id, buf,
	    len, false, err);
}

int
store_write_ctr(struct ctr *c, struct cerr *err)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	size_t len = store_pack_ctr(c, false, &buf);

	c->kept = false;
	keep_changed(c->front);
	return record_write(c->front->store.ctr_dir, c->id, c->id, buf, len,
	    false, err);
}

static int
store_unlink(int dir, const char *id, struct cerr *err)
{
	if (unlinkat(dir, id, 0) == -1 && errno != ENOENT)
		return cerr_errno(err, "remove record %s", id);
	return 0;
}

int
store_unlink_pod(struct front *front, const char *id, struct cerr *err)
{
	keep_dropped(front, KEEP_POD, id);
	return store_unlink(front->store.pod_dir, id, err);
}

int
store_unlink_ctr(struct front *front, const char *id, struct cerr *err)
{
	keep_dropped(front, KEEP_CTR, id);
	return store_unlink(front->store.ctr_dir, id, err);
}

/* ---- reading them back ---- */

static int
store_take_pod(struct front *front, const char *id, const uint8_t *buf,
    size_t len, struct cerr *err)
{
	Criod__FrontPod *m = criod__front_pod__unpack(NULL, len, buf);
	struct pod *pod;

	if (m == NULL || m->config == NULL || m->config->metadata == NULL ||
	    m->state < POD_NEW || m->state > POD_GONE) {
		criod__front_pod__free_unpacked(m, NULL);
		return cerr_set(err, CERR_DATA_LOSS, "malformed");
	}
	pod = pod_new(front, id, m->config, m->runtime);
	m->config = NULL;
	pod->created_at = m->created_at;
	pod->net_done = m->net_done;
	pod->restoring = m->restoring;
	pod_set_ips(pod, m->ips, m->n_ips);
	pod->state = (enum pod_state)m->state;
	criod__front_pod__free_unpacked(m, NULL);
	return 0;
}

static void
store_fill_ctr(struct ctr *c, Criod__FrontCtr *m)
{
	c->created_at = m->created_at;
	c->started_at = m->started_at;
	c->start_told = m->started_at != 0;
	c->finished_at = m->finished_at;
	c->exit_code = m->exit_code;
	ctr_set_text(&c->reason, m->reason);
	ctr_set_text(&c->message, m->message);
	ctr_set_text(&c->image_name, m->image_name);
	c->made = m->made;
	m->made = NULL;
	c->state = (enum ctr_state)m->state;
}

static int
store_take_ctr(struct front *front, const char *id, const uint8_t *buf,
    size_t len, struct cerr *err)
{
	Criod__FrontCtr *m = criod__front_ctr__unpack(NULL, len, buf);
	struct pod *pod;
	struct ctr *c;

	if (m == NULL || m->config == NULL || m->config->metadata == NULL ||
	    m->config->image == NULL || m->state < CTR_NEW ||
	    m->state > CTR_EXITED || (m->state != CTR_NEW && m->made == NULL)) {
		criod__front_ctr__free_unpacked(m, NULL);
		return cerr_set(err, CERR_DATA_LOSS, "malformed");
	}
	pod = pod_by_id(front, m->pod_id);
	if (pod == NULL && foreign_has(front, KEEP_POD, m->pod_id)) {
		criod__front_ctr__free_unpacked(m, NULL);
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "its pod is of a newer version");
	}
	if (pod == NULL) {
		criod__front_ctr__free_unpacked(m, NULL);
		return cerr_set(err, CERR_DATA_LOSS, "its pod is not known");
	}
	c = ctr_new(front, id, pod, m->config);
	m->config = NULL;
	store_fill_ctr(c, m);
	criod__front_ctr__free_unpacked(m, NULL);
	return 0;
}

struct store_kind {
	enum keep_kind kind;
	const char *what;
	int (*take)(struct front *front, const char *id, const uint8_t *buf,
	    size_t len, struct cerr *err);
	void (*clean)(struct front *front, const char *id);
};

static const struct store_kind store_pods = { KEEP_POD, "pod", store_take_pod,
	orphan_pod };
static const struct store_kind store_ctrs = { KEEP_CTR, "container",
	store_take_ctr, orphan_ctr };

static void
store_quarantine(struct front *front, const struct store_kind *k, int dir,
    const char *id, const struct cerr *why)
{
	char bad[NAME_MAX + 1];

	(void)snprintf(bad, sizeof(bad), "%s.bad", id);
	log_error("record of %s %s put aside: %s", k->what, id, why->text);
	if (renameat(dir, id, dir, bad) == -1)
		log_error("rename to %s: %s", bad, strerror(errno));
	k->clean(front, id);
}

/* It stays where it is. */
static void
store_take_newer(struct front *front, const struct store_kind *k, int dir,
    const char *id)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	size_t len = 0;

	if (record_read_newer(dir, id, &buf, &len, NULL) == -1)
		buf = NULL;
	foreign_add(front, k->kind, id, buf, len);
}

static void
store_load_one(struct front *front, const struct store_kind *k, int dir,
    const char *name)
{
	CLEANUP_FREE uint8_t *buf = NULL;
	struct cerr err;
	size_t len;

	if (!id_valid(name)) {
		if (name[0] == '.') /* written half */
			(void)unlinkat(dir, name, 0);
		return;
	}
	if (record_read(dir, name, name, &buf, &len, &err) == 0 &&
	    k->take(front, name, buf, len, &err) == 0)
		return;
	/* At the next start there may be enough: nothing is forgotten. */
	if (err.code == CERR_RESOURCE_EXHAUSTED)
		fatalx("record of %s %s: %s", k->what, name, err.text);
	if (err.code == CERR_FAILED_PRECONDITION)
		store_take_newer(front, k, dir, name);
	else
		store_quarantine(front, k, dir, name, &err);
}

/* Names are gathered first: the directory changes underneath. */
static int
store_names(int dir, struct dirent ***names, struct cerr *err)
{
	int n = scandirat(dir, ".", names, NULL, alphasort);

	if (n == -1)
		return cerr_errno(err, "list records");
	return n;
}

static int
store_load_dir(struct front *front, const struct store_kind *k, int dir,
    struct cerr *err)
{
	struct dirent **names;
	int n = store_names(dir, &names, err);

	if (n == -1)
		return -1;
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i]->d_name, ".") != 0 &&
		    strcmp(names[i]->d_name, "..") != 0)
			store_load_one(front, k, dir, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return 0;
}

static int
store_compare(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int
store_compare_pods(const void *a, const void *b)
{
	const struct pod *const *x = a, *const *y = b;

	return store_compare((*x)->created_at, (*y)->created_at);
}

static int
store_compare_ctrs(const void *a, const void *b)
{
	const struct ctr *const *x = a, *const *y = b;

	return store_compare((*x)->created_at, (*y)->created_at);
}

/* Lists go by age, as they did before a restart; files go by their names. */
static void
store_sort(struct front *front)
{
	struct pod **pods = pb_calloc(front->npods + 1, sizeof(struct pod *));
	struct ctr **ctrs = pb_calloc(front->nctrs + 1, sizeof(struct ctr *));
	size_t npods = 0, nctrs = 0;
	struct pod *pod;
	struct ctr *c;

	TAILQ_FOREACH(pod, &front->pods, entry)
		pods[npods++] = pod;
	TAILQ_FOREACH(c, &front->ctrs, entry)
		ctrs[nctrs++] = c;
	TAILQ_INIT(&front->pods);
	TAILQ_INIT(&front->ctrs);
	qsort(pods, npods, sizeof(struct pod *), store_compare_pods);
	qsort(ctrs, nctrs, sizeof(struct ctr *), store_compare_ctrs);
	for (size_t i = 0; i < npods; i++) {
		pods[i]->seq = ++front->seq;
		TAILQ_INSERT_TAIL(&front->pods, pods[i], entry);
	}
	for (size_t i = 0; i < nctrs; i++) {
		ctrs[i]->seq = ++front->seq;
		TAILQ_INSERT_TAIL(&front->ctrs, ctrs[i], entry);
	}
	free(pods);
	free(ctrs);
}

void
store_resume(struct front *front)
{
	struct pod *pod;
	struct ctr *c;

	TAILQ_FOREACH(c, &front->ctrs, entry) {
		if (c->state == CTR_NEW)
			ctr_undo(c);
	}
	TAILQ_FOREACH(pod, &front->pods, entry) {
		if (pod->state == POD_NEW)
			pod_undo(pod);
		else if (pod->restoring)
			pod_restore_undo(pod);
		else if (pod->state == POD_GONE ||
			 (pod->state == POD_NOTREADY && !pod->net_done))
			pod_net_retry(pod);
	}
}

int
store_load(struct front *front, struct cerr *err)
{
	const struct store *s = &front->store;

	if (store_load_dir(front, &store_pods, s->pod_dir, err) == -1 ||
	    store_load_dir(front, &store_ctrs, s->ctr_dir, err) == -1)
		return -1;
	store_sort(front);
	log_info("%zu pods, %zu containers", front->npods, front->nctrs);
	return 0;
}

/* ---- after a reboot ---- */

static void
store_save_kept(struct front *front, enum keep_kind kind, const char *id)
{
	if (kind == KEEP_POD)
		pod_save(pod_by_id(front, id));
	else
		ctr_save(ctr_by_id(front, id));
}

void
store_take_kept(struct front *front, enum keep_kind kind,
    const Criod__KeepRecord *copy)
{
	static const struct store_kind *const kinds[KEEP_KINDS] = {
		[KEEP_POD] = &store_pods,
		[KEEP_CTR] = &store_ctrs,
	};
	const struct store_kind *k = kinds[kind];
	struct cerr err;

	if (!id_valid(copy->id) || pod_by_id(front, copy->id) != NULL ||
	    ctr_by_id(front, copy->id) != NULL)
		return;
	if (copy->data.len > 0 && k->take(front, copy->id, copy->data.data,
				      copy->data.len, &err) == 0) {
		store_save_kept(front, kind, copy->id);
		return;
	}
	if (copy->newer ||
	    (copy->data.len > 0 && err.code == CERR_FAILED_PRECONDITION)) {
		foreign_add(front, kind, copy->id, NULL, 0);
		return;
	}
	log_error("%s %s of the last boot: %s", k->what, copy->id,
	    copy->data.len > 0 ? err.text : "its record is damaged");
	k->clean(front, copy->id);
}

void
store_rebooted(struct front *front)
{
	struct pod *pod;
	struct ctr *c;

	store_sort(front);
	TAILQ_FOREACH(c, &front->ctrs, entry)
		ctr_rebooted(c);
	TAILQ_FOREACH(pod, &front->pods, entry)
		pod_rebooted(pod);
	if (front->npods > 0)
		log_info("the node was restarted: %zu pods and %zu containers "
			 "of before are stopped",
		    front->npods, front->nctrs);
	store_resume(front);
}
