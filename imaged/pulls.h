#ifndef CRIOD_IMAGED_PULLS_H
#define CRIOD_IMAGED_PULLS_H

/*
 * IMG_PULL and IMG_IMPORT: who waits for which pull.  Identical pulls are one;
 * a pull for which nobody waits any more is stopped.
 */

#include <stdbool.h>
#include <stddef.h>

struct Criod__ImgBlob;
struct Criod__ImgImport;
struct Runtime__V1__PullImageRequest;
struct link;
struct link_call;
struct pull_env;
struct pulls;
struct regnow;

#define PULLS_MAX 64 /* at once */

struct pulls_def {
	const struct pull_env *env;
	struct link *parent;
	struct regnow *regnow;
	bool namespaced; /* it may have credentials for a namespace's pull */
	const char *auth_file; /* that it has; "" */
};

/* Copies def, borrows the rest.  Never NULL (fatal). */
struct pulls *pulls_new(const struct pulls_def *def);

/* Both end call in their time. */
void pulls_take_pull(struct pulls *ps, struct link_call *call,
    const struct Runtime__V1__PullImageRequest *req);
void pulls_take_import(struct pulls *ps, struct link_call *call,
    const struct Criod__ImgImport *req);
/* Answers with how far each of them is. */
void pulls_take_tasks(struct pulls *ps, struct link_call *call);
/* Takes fd. */
void pulls_take_blob(struct pulls *ps, const struct Criod__ImgBlob *blob,
    int fd);

#endif
