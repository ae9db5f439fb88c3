#include <sys/queue.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "netd/conf.h"
#include "netd/confdir.h"

struct confdir_file {
	TAILQ_ENTRY(confdir_file) entry;
	char *name;
	uint8_t *data; /* to see whether it has changed */
	size_t len;
	struct conf *conf; /* NULL: why says what is wrong with it */
	struct cerr why;
};

TAILQ_HEAD(confdir_files, confdir_file);

struct confdir {
	const char *default_network;
	struct conf *embedded;
	struct confdir_files now, next;
	size_t nnext;
};

struct confdir *
confdir_new(const char *default_network, struct conf *embedded)
{
	struct confdir *cd = calloc(1, sizeof(*cd));

	if (cd == NULL)
		fatal("calloc");
	cd->default_network = default_network;
	cd->embedded = embedded;
	TAILQ_INIT(&cd->now);
	TAILQ_INIT(&cd->next);
	return cd;
}

static void
confdir_file_free(struct confdir_file *f)
{
	conf_unref(f->conf);
	free(f->name);
	free(f->data);
	free(f);
}

static void
confdir_clear(struct confdir_files *files)
{
	struct confdir_file *f;

	while ((f = TAILQ_FIRST(files)) != NULL) {
		TAILQ_REMOVE(files, f, entry);
		confdir_file_free(f);
	}
}

void
confdir_free(struct confdir *cd)
{
	if (cd == NULL)
		return;
	confdir_clear(&cd->now);
	confdir_clear(&cd->next);
	conf_unref(cd->embedded);
	free(cd);
}

static bool
confdir_wanted(const char *name)
{
	static const char *const ends[] = { ".conf", ".conflist", ".json" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (dot != NULL && dot != name && strcmp(dot, ends[i]) == 0)
			return true;
	}
	return false;
}

void
confdir_begin(struct confdir *cd)
{
	confdir_clear(&cd->next);
	cd->nnext = 0;
}

static int
confdir_read(int fd, struct confdir_file *f)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return cerr_errno(&f->why, "%s", f->name);
	if (!S_ISREG(st.st_mode) || st.st_size > CONF_SIZE_MAX)
		return cerr_set(&f->why, CERR_INVALID_ARGUMENT,
		    "%s: not a regular file of at most %u bytes", f->name,
		    CONF_SIZE_MAX);
	f->data = malloc((size_t)st.st_size + 1);
	if (f->data == NULL)
		return cerr_errno(&f->why, "%s", f->name);
	n = pread(fd, f->data, (size_t)st.st_size, 0);
	if (n == -1)
		return cerr_errno(&f->why, "%s", f->name);
	f->len = (size_t)n;
	return 0;
}

static const struct confdir_file *
confdir_find(const struct confdir *cd, const char *name)
{
	const struct confdir_file *f;

	TAILQ_FOREACH(f, &cd->now, entry) {
		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

/* What has not changed since the last scan keeps its meaning. */
static bool
confdir_same(const struct confdir *cd, struct confdir_file *f)
{
	const struct confdir_file *old = confdir_find(cd, f->name);

	if (old == NULL || old->len != f->len ||
	    (old->data == NULL) != (f->data == NULL))
		return false;
	if (f->data == NULL ? strcmp(old->why.text, f->why.text) != 0
			    : memcmp(old->data, f->data, f->len) != 0)
		return false;
	f->why = old->why;
	f->conf = old->conf != NULL ? conf_ref(old->conf) : NULL;
	return true;
}

static void
confdir_insert(struct confdir *cd, struct confdir_file *f)
{
	struct confdir_file *at;

	TAILQ_FOREACH(at, &cd->next, entry) {
		if (strcmp(at->name, f->name) > 0)
			break;
	}
	if (at != NULL)
		TAILQ_INSERT_BEFORE(at, f, entry);
	else
		TAILQ_INSERT_TAIL(&cd->next, f, entry);
	cd->nnext++;
}

void
confdir_add(struct confdir *cd, const char *name, int fd)
{
	struct confdir_file *f;
	CLEANUP_FD int file = fd;
	int rc;

	if (!confdir_wanted(name) || cd->nnext >= CONFDIR_FILES_MAX)
		return;
	f = calloc(1, sizeof(*f));
	if (f == NULL || (f->name = strdup(name)) == NULL)
		fatal("calloc");
	rc = confdir_read(file, f);
	if (!confdir_same(cd, f)) {
		if (rc == 0)
			f->conf = conf_parse(name, f->data, f->len, &f->why);
		if (f->conf == NULL)
			log_warn("network configuration %s", f->why.text);
	}
	confdir_insert(cd, f);
}

void
confdir_commit(struct confdir *cd)
{
	confdir_clear(&cd->now);
	TAILQ_CONCAT(&cd->now, &cd->next, entry);
	cd->nnext = 0;
}

struct conf *
confdir_choose(const struct confdir *cd, struct cerr *err)
{
	const struct confdir_file *f, *bad = NULL;
	const char *wanted = cd->default_network;

	TAILQ_FOREACH(f, &cd->now, entry) {
		if (f->conf != NULL &&
		    (*wanted == '\0' || strcmp(f->conf->name, wanted) == 0))
			return f->conf;
		if (f->conf == NULL && bad == NULL)
			bad = f;
	}
	if (TAILQ_EMPTY(&cd->now) &&
	    (*wanted == '\0' || strcmp(cd->embedded->name, wanted) == 0))
		return cd->embedded;
	if (*wanted != '\0')
		(void)cerr_set(err, CERR_FAILED_PRECONDITION,
		    "no valid network configuration named %s%s%s", wanted,
		    bad != NULL ? "; " : "", bad != NULL ? bad->why.text : "");
	else
		(void)cerr_set(err, CERR_FAILED_PRECONDITION,
		    "no valid network configuration: %s", bad->why.text);
	return NULL;
}
