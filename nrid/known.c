#include <protobuf-c/protobuf-c.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "nrid/known.h"

void
known_init(struct known *k)
{
	LIST_INIT(&k->pods);
	LIST_INIT(&k->ctrs);
}

static void *
known_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (p == NULL)
		fatal("calloc");
	return p;
}

static void
known_pack(struct known_bytes *b, const void *message)
{
	free(b->data);
	b->len = protobuf_c_message_get_packed_size(message);
	b->data = known_alloc(b->len + 1);
	(void)protobuf_c_message_pack(message, b->data);
}

struct known_pod *
known_pod(struct known *k, const char *id)
{
	struct known_pod *p;

	LIST_FOREACH(p, &k->pods, entry) {
		if (strcmp(p->id, id) == 0)
			return p;
	}
	return NULL;
}

struct known_ctr *
known_ctr(struct known *k, const char *id)
{
	struct known_ctr *c;

	LIST_FOREACH(c, &k->ctrs, entry) {
		if (strcmp(c->id, id) == 0)
			return c;
	}
	return NULL;
}

struct known_pod *
known_set_pod(struct known *k, const char *id, const void *message)
{
	struct known_pod *p = known_pod(k, id);

	if (p == NULL) {
		p = known_alloc(sizeof(*p));
		(void)snprintf(p->id, sizeof(p->id), "%s", id);
		LIST_INSERT_HEAD(&k->pods, p, entry);
	}
	p->listed = true;
	known_pack(&p->pod, message);
	return p;
}

static struct known_ctr *
known_get_ctr(struct known *k, const char *id, const char *pod_id)
{
	struct known_ctr *c = known_ctr(k, id);

	if (c == NULL) {
		c = known_alloc(sizeof(*c));
		(void)snprintf(c->id, sizeof(c->id), "%s", id);
		LIST_INSERT_HEAD(&k->ctrs, c, entry);
	}
	(void)snprintf(c->pod_id, sizeof(c->pod_id), "%s", pod_id);
	return c;
}

struct known_ctr *
known_set_front(struct known *k, const char *id, const char *pod_id,
    const void *message)
{
	struct known_ctr *c = known_get_ctr(k, id, pod_id);

	c->listed = true;
	known_pack(&c->front, message);
	return c;
}

struct known_ctr *
known_set_execd(struct known *k, const char *id, const char *pod_id,
    const void *message)
{
	struct known_ctr *c = known_get_ctr(k, id, pod_id);

	known_pack(&c->execd, message);
	return c;
}

/* As a container that has nothing else. */
static void
known_pack_limits(struct known_bytes *b, const Nri__LinuxResources *r)
{
	Nri__LinuxResources limits = NRI__LINUX_RESOURCES__INIT;
	Nri__LinuxContainer l = NRI__LINUX_CONTAINER__INIT;
	Nri__Container c = NRI__CONTAINER__INIT;

	limits.memory = r->memory;
	limits.cpu = r->cpu;
	l.resources = &limits;
	c.linux = &l;
	known_pack(b, &c);
}

void
known_ask_limits(struct known_ctr *c, const Nri__LinuxResources *r)
{
	known_pack_limits(&c->asked, r);
}

/* Decoding both parts as one message merges them. */
void
known_set_limits(struct known_ctr *c, const Nri__LinuxResources *r)
{
	struct known_bytes both;
	Nri__Container *merged;

	if (r != NULL)
		known_pack_limits(&c->asked, r);
	both.len = c->limits.len + c->asked.len;
	both.data = known_alloc(both.len + 1);
	if (c->limits.len > 0)
		memcpy(both.data, c->limits.data, c->limits.len);
	if (c->asked.len > 0)
		memcpy(both.data + c->limits.len, c->asked.data, c->asked.len);
	merged = nri__container__unpack(NULL, both.len, both.data);
	free(both.data);
	c->asked.len = 0;
	if (merged == NULL)
		return;
	known_pack(&c->limits, merged);
	nri__container__free_unpacked(merged, NULL);
}

static void
known_free_ctr(struct known_ctr *c)
{
	LIST_REMOVE(c, entry);
	free(c->front.data);
	free(c->execd.data);
	free(c->limits.data);
	free(c->asked.data);
	free(c);
}

void
known_drop_ctr(struct known *k, const char *id)
{
	struct known_ctr *c = known_ctr(k, id);

	if (c != NULL)
		known_free_ctr(c);
}

void
known_drop_pod(struct known *k, const char *id)
{
	struct known_pod *p = known_pod(k, id);
	struct known_ctr *c, *next;

	if (p == NULL)
		return;
	for (c = LIST_FIRST(&k->ctrs); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		if (strcmp(c->pod_id, id) == 0)
			known_free_ctr(c);
	}
	LIST_REMOVE(p, entry);
	free(p->pod.data);
	free(p);
}

void
known_list_begin(struct known *k)
{
	struct known_pod *p;
	struct known_ctr *c;

	LIST_FOREACH(p, &k->pods, entry)
		p->listed = false;
	LIST_FOREACH(c, &k->ctrs, entry)
		c->listed = false;
}

void
known_list_end(struct known *k)
{
	struct known_pod *p, *next_pod;
	struct known_ctr *c, *next;

	for (c = LIST_FIRST(&k->ctrs); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		/* One that execd told, and the front has not yet. */
		if (!c->listed && c->front.len > 0)
			known_free_ctr(c);
	}
	for (p = LIST_FIRST(&k->pods); p != NULL; p = next_pod) {
		next_pod = LIST_NEXT(p, entry);
		if (!p->listed)
			known_drop_pod(k, p->id);
	}
}
