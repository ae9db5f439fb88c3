#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "proto/msg.pb-c.h"
#include "parent/conf.h"
#include "parent/conf_file.h"
#include "parent/hooks.h"

static void *
hooks_memory(void *p)
{
	if (p == NULL)
		fatal("malloc");
	return p;
}

static int
hooks_select(const struct dirent *de)
{
	const char *dot = strrchr(de->d_name, '.');

	return de->d_name[0] != '.' && dot != NULL && strcmp(dot, ".json") == 0;
}

/* In the order of bytes, whatever the locale. */
static int
hooks_compare(const void *a, const void *b)
{
	const Criod__BootHook *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Whoever may rename a file there could put one that runs as root. */
static int
hooks_trusted(int fd, const char *path, struct cerr *err)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return cerr_errno(err, "%s", path);
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return cerr_set(err, CERR_PERMISSION_DENIED,
		    "hooks directory %s: others than root may write it", path);
	return 0;
}

/* The one of that name from a directory before, or a new one. */
static Criod__BootHook *
hooks_place(Criod__BootExecd *b, const char *name)
{
	Criod__BootHook *h;

	for (size_t i = 0; i < b->n_hooks; i++) {
		if (strcmp(b->hooks[i]->name, name) == 0)
			return b->hooks[i];
	}
	if (b->n_hooks == HOOKS_MAX)
		return NULL;
	h = hooks_memory(malloc(sizeof(*h)));
	criod__boot_hook__init(h);
	h->name = hooks_memory(strdup(name));
	b->hooks[b->n_hooks++] = h;
	return h;
}

static int
hooks_read_one(Criod__BootExecd *b, const char *dir, const char *name,
    struct cerr *err)
{
	CLEANUP_FREE char *path = NULL;
	Criod__BootHook *h;
	char *text;
	size_t len;

	if (asprintf(&path, "%s/%s", dir, name) == -1)
		fatal("asprintf");
	if (conf_file_read(path, HOOKS_FILE_MAX, &text, &len, err) == -1)
		return -1;
	h = hooks_place(b, name);
	if (h == NULL) {
		free(text);
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "hooks directory %s: more than %d hooks", dir, HOOKS_MAX);
	}
	free(h->text.data);
	h->text.data = (uint8_t *)text;
	h->text.len = len;
	return 0;
}

static int
hooks_read_dir(Criod__BootExecd *b, const char *path, struct cerr *err)
{
	CLEANUP_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list;
	int n, result = 0;

	if (dir == -1 && errno == ENOENT) {
		log_warn("hooks directory %s is not there", path);
		return 0;
	}
	if (dir == -1)
		return cerr_errno(err, "hooks directory %s", path);
	if (hooks_trusted(dir, path, err) == -1)
		return -1;
	n = scandirat(dir, ".", &list, hooks_select, NULL);
	if (n == -1)
		return cerr_errno(err, "hooks directory %s", path);
	for (int i = 0; i < n; i++) {
		if (result == 0)
			result = hooks_read_one(b, path, list[i]->d_name, err);
		free(list[i]);
	}
	free(list);
	return result;
}

int
hooks_read(Criod__BootExecd *b, const struct conf *c, struct cerr *err)
{
	const struct conf_word *w;

	b->hooks = hooks_memory(calloc(HOOKS_MAX, sizeof(*b->hooks)));
	TAILQ_FOREACH(w, &c->words[CONF_HOOKS], entry) {
		if (hooks_read_dir(b, w->text, err) == -1)
			return -1;
	}
	if (b->n_hooks > 0)
		qsort(b->hooks, b->n_hooks, sizeof(*b->hooks), hooks_compare);
	return 0;
}
