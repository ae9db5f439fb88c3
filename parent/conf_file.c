#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "parent/account.h"
#include "parent/conf.h"
#include "parent/conf_file.h"
#include "parent/conf_parse.h"
#include "parent/host.h"
#include "parent/regfiles.h"

#ifndef CRIOD_SYSCONFDIR
#define CRIOD_SYSCONFDIR "/etc"
#endif
#define CONF_FILE_DEFAULT CRIOD_SYSCONFDIR "/criod/criod.conf"
#define CONF_FILE_CA_MAX  (512U * 1024)

static const char *
conf_file_wrong(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "is not owned by root";
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "may be written by group or others";
	return NULL;
}

/* O_NONBLOCK: opening a FIFO must not hang the parent. */
int
conf_file_open(int dirfd, const char *path, struct cerr *err)
{
	CLEANUP_FD int fd =
	    openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	const char *wrong;
	int result;

	if (fd == -1 && errno == ENOENT)
		return cerr_set(err, CERR_NOT_FOUND, "%s: not found", path);
	if (fd == -1 || fstat(fd, &st) == -1)
		return cerr_errno(err, "%s", path);
	wrong = conf_file_wrong(&st);
	if (wrong != NULL)
		return cerr_set(err, CERR_PERMISSION_DENIED, "%s %s", path,
		    wrong);
	result = fd;
	fd = -1;
	return result;
}

int
conf_file_read(const char *path, size_t max, char **buf, size_t *len,
    struct cerr *err)
{
	CLEANUP_FD int fd = conf_file_open(AT_FDCWD, path, err);
	CLEANUP_FREE char *data = NULL;
	ssize_t n;

	if (fd == -1)
		return -1;
	data = malloc(max + 1);
	if (data == NULL)
		return cerr_errno(err, "%s", path);
	n = fdio_read_upto(fd, data, max + 1);
	if (n == -1)
		return cerr_errno(err, "%s", path);
	if ((size_t)n > max)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s is longer than %zu bytes", path, max);
	data[n] = '\0';
	*len = (size_t)n;
	*buf = data;
	data = NULL;
	return 0;
}

static int
conf_file_read_include(const char *path, char **buf, size_t *len,
    struct cerr *err)
{
	return conf_file_read(path, CONF_FILE_MAX, buf, len, err);
}

static void
conf_file_report(const struct conf_source *src, const struct cerr *err)
{
	char line[CERR_TEXT_MAX + sizeof("criod: ")];

	(void)snprintf(line, sizeof(line), "criod: %s", err->text);
	src->report(src->arg, line);
}

/* No file at all is fine, unless one was named. */
static int
conf_file_parse(struct conf *c, const struct conf_options *o,
    const struct conf_source *src)
{
	CLEANUP_FREE char *buf = NULL;
	const char *path = o->path != NULL ? o->path : CONF_FILE_DEFAULT;
	bool wanted = o->path != NULL;
	struct cerr err;
	size_t len;

	if (!wanted && o->prefix != NULL)
		return conf_parse(c, "command line", "", 0, src);
	if (conf_file_read(path, CONF_FILE_MAX, &buf, &len, &err) == 0)
		return conf_parse(c, path, buf, len, src);
	if (!wanted && err.code == CERR_NOT_FOUND)
		return conf_parse(c, "command line", "", 0, src);
	conf_file_report(src, &err);
	return -1;
}

static int
conf_file_check_registry(const struct conf_registry *r,
    const struct conf_source *src)
{
	const char *const paths[] = { r->ca, r->client_cert, r->key,
		r->headers };
	struct cerr err;
	int result = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		CLEANUP_FREE char *buf = NULL;
		size_t len;

		if (paths[i] != NULL &&
		    conf_file_read(paths[i], CONF_FILE_CA_MAX, &buf, &len,
			&err) == -1) {
			conf_file_report(src, &err);
			result = -1;
		}
	}
	return result;
}

/* What the statements name must be there, as far as criod reads it itself. */
static int
conf_file_check(const struct conf *c, const struct conf_source *src)
{
	const struct conf_listen *l;
	const struct conf_registry *r;
	struct cerr err;
	int result = 0;
	uid_t uid;
	gid_t gid;

	TAILQ_FOREACH(l, &c->listens, entry) {
		if (account_user(l->owner, &uid, &err) == -1 ||
		    account_group(l->group, &gid, &err) == -1) {
			conf_file_report(src, &err);
			result = -1;
		}
	}
	TAILQ_FOREACH(r, &c->registries, entry) {
		if (conf_file_check_registry(r, src) == -1)
			result = -1;
	}
	if (regfiles_check(c, &err) == -1) {
		conf_file_report(src, &err);
		result = -1;
	}
	return result;
}

static int
conf_file_fill(struct conf *c, const struct conf_options *o,
    const struct conf_source *src)
{
	struct conf_host host;
	struct cerr err;
	int result = 0;

	host_conf(&host, o->prefix);
	if ((o->program != NULL &&
		conf_set_text(c, CONF_PROGRAM, o->program, &err) == -1) ||
	    conf_fill(c, &host, &err) == -1) {
		conf_file_report(src, &err);
		result = -1;
	}
	host_conf_clear(&host);
	return result;
}

struct conf *
conf_file_load(const struct conf_options *o,
    void (*report)(void *arg, const char *line), void *arg)
{
	struct conf *c = conf_new();
	struct conf_source src = {
		.read = conf_file_read_include,
		.report = report,
		.arg = arg,
		.macros = o->macros,
	};

	if (conf_file_parse(c, o, &src) == -1 ||
	    conf_file_fill(c, o, &src) == -1 ||
	    conf_file_check(c, &src) == -1) {
		conf_free(c);
		return NULL;
	}
	return c;
}
