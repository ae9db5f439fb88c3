#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criodctl/ctl.h"
#include "criodctl/store.h"
#include "lib/pattern.h"
#include "proto/cri.pb-c.h"

/* protobuf-c's strings are not const, but packing only reads them. */
static char *
store_str(const char *s)
{
	char *p;

	memcpy(&p, &s, sizeof(p));
	return p;
}

static int
store_try_details(struct ctl *ctl, const char *image, bool config,
    void **answer, struct cerr *err)
{
	Criod__ImgDetails req = CRIOD__IMG_DETAILS__INIT;

	if (image != NULL)
		req.image = store_str(image);
	req.config = config;
	if (ctl_begin(ctl, MSG_IMG_DETAILS, &req, -1, err) == -1)
		return -1;
	return ctl_end(ctl, MSG_IMG_DETAILS, answer, err);
}

Criod__ImgDetailsAre *
store_details(struct ctl *ctl, const char *image, bool config)
{
	void *answer;
	struct cerr err;

	if (store_try_details(ctl, image, config, &answer, &err) == -1)
		errx(1, "%s", err.text);
	return answer;
}

void
store_details_free(Criod__ImgDetailsAre *d)
{
	ctl_free_answer(MSG_IMG_DETAILS, d);
}

const char *
store_name(const Criod__ImgDetail *im)
{
	if (im->n_tags > 0)
		return im->tags[0];
	return im->n_digests > 0 ? im->digests[0] : im->id;
}

bool
store_matches(const Criod__ImgDetail *im, const char *pattern)
{
	if (pattern == NULL)
		return true;
	for (size_t i = 0; i < im->n_tags; i++) {
		if (pattern_match(pattern, im->tags[i]))
			return true;
	}
	for (size_t i = 0; i < im->n_digests; i++) {
		if (pattern_match(pattern, im->digests[i]))
			return true;
	}
	return false;
}

/* ---- pulling ---- */

const char *
store_size(uint64_t bytes, char buf[32])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1000 && u < 4) {
		v /= 1000;
		u++;
	}
	(void)snprintf(buf, 32, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
	return buf;
}

/* One line that is written over, on a terminal; else a line each time. */
static void
store_show_tasks(void *arg, const Criod__ImgTasksAre *tasks)
{
	bool tty = isatty(STDERR_FILENO) == 1;
	char done[32], all[32];

	(void)arg;
	for (size_t i = 0; i < tasks->n_tasks; i++) {
		const Criod__ImgTask *t = tasks->tasks[i];

		fprintf(stderr, "%s%s: %s", tty ? "\r\033[K" : "", t->reference,
		    t->stage);
		if (t->bytes > 0)
			fprintf(stderr, " %u/%u, %s of %s", t->layers_done,
			    t->layers, store_size(t->bytes_done, done),
			    store_size(t->bytes, all));
		if (!tty)
			fputc('\n', stderr);
	}
	fflush(stderr);
}

char *
store_pull(struct ctl *ctl, const char *image, bool quiet, struct cerr *err)
{
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__PullImageRequest req =
	    RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;
	Runtime__V1__PullImageResponse *pulled;
	ProtobufCMessage *out;
	char *id;
	int rc;

	spec.image = store_str(image);
	req.image = &spec;
	ctl_watch(ctl, quiet ? NULL : store_show_tasks, NULL);
	rc = ctl_call(ctl, "ImageService/PullImage", &req.base,
	    &runtime__v1__pull_image_response__descriptor, &out, err);
	ctl_watch(ctl, NULL, NULL);
	if (!quiet && isatty(STDERR_FILENO) == 1)
		fputs("\r\033[K", stderr);
	if (rc == -1)
		return NULL;
	pulled = (Runtime__V1__PullImageResponse *)out;
	id = strdup(pulled->image_ref);
	protobuf_c_message_free_unpacked(out, NULL);
	if (id == NULL)
		(void)cerr_errno(err, "strdup");
	return id;
}

int
store_remove(struct ctl *ctl, const char *image, struct cerr *err)
{
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__RemoveImageRequest req =
	    RUNTIME__V1__REMOVE_IMAGE_REQUEST__INIT;

	spec.image = store_str(image);
	req.image = &spec;
	return ctl_call(ctl, "ImageService/RemoveImage", &req.base,
	    &runtime__v1__remove_image_response__descriptor, NULL, err);
}
