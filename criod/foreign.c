#include <stdio.h>
#include <string.h>

#include "criod/foreign.h"
#include "criod/front.h"
#include "criod/pb.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"

/* A newer version's record is most likely one of ours with something more. */
static Runtime__V1__PodSandboxMetadata *
foreign_metadata(const uint8_t *buf, size_t len)
{
	Criod__FrontPod *m =
	    buf == NULL ? NULL : criod__front_pod__unpack(NULL, len, buf);
	Runtime__V1__PodSandboxMetadata *metadata = NULL;

	if (m != NULL && m->config != NULL && m->config->metadata != NULL)
		metadata = pb_copy(m->config->metadata);
	criod__front_pod__free_unpacked(m, NULL);
	return metadata;
}

void
foreign_add(struct front *front, enum keep_kind kind, const char *id,
    const uint8_t *buf, size_t len)
{
	static const char *const what[KEEP_KINDS] = { "pod", "container" };
	struct foreign *f;

	if (foreign_has(front, kind, id))
		return;
	log_error("%s %s was recorded by a newer version: it is left alone "
		  "and not shown",
	    what[kind], id);
	f = pb_calloc(1, sizeof(*f));
	f->kind = kind;
	(void)snprintf(f->id, sizeof(f->id), "%s", id);
	if (kind == KEEP_POD)
		f->metadata = foreign_metadata(buf, len);
	LIST_INSERT_HEAD(&front->foreigns, f, entry);
}

bool
foreign_has(const struct front *front, enum keep_kind kind, const char *id)
{
	const struct foreign *f;

	LIST_FOREACH(f, &front->foreigns, entry) {
		if (f->kind == kind && strcmp(f->id, id) == 0)
			return true;
	}
	return false;
}

const struct foreign *
foreign_by_name(const struct front *front,
    const Runtime__V1__PodSandboxMetadata *m)
{
	const struct foreign *f;

	LIST_FOREACH(f, &front->foreigns, entry) {
		if (f->metadata != NULL && f->metadata->attempt == m->attempt &&
		    strcmp(f->metadata->name, m->name) == 0 &&
		    strcmp(f->metadata->namespace_, m->namespace_) == 0 &&
		    strcmp(f->metadata->uid, m->uid) == 0)
			return f;
	}
	return NULL;
}

size_t
foreign_ids(struct front *front, enum keep_kind kind, char **ids)
{
	struct foreign *f;
	size_t n = 0;

	LIST_FOREACH(f, &front->foreigns, entry) {
		if (f->kind != kind)
			continue;
		if (ids != NULL)
			ids[n] = f->id;
		n++;
	}
	return n;
}
