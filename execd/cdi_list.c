#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "execd/cdi_list.h"
#include "lib/fdio.h"

struct cdi_list {
	FILE *out;
	size_t files, bytes;
};

static bool
cdi_list_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	return n > s && strcmp(name + n - s, suffix) == 0;
}

static int
cdi_list_select(const struct dirent *de)
{
	return de->d_name[0] != '.' && strchr(de->d_name, '\n') == NULL &&
	       (cdi_list_suffix(de->d_name, ".json") ||
		   cdi_list_suffix(de->d_name, ".yaml") ||
		   cdi_list_suffix(de->d_name, ".yml"));
}

/* What may make a container anything must be root's alone. */
static const char *
cdi_list_untrusted(int fd, mode_t type)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return strerror(errno);
	if ((st.st_mode & S_IFMT) != type)
		return "not a regular file";
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return "others than root may write it";
	if (type == S_IFREG && st.st_size > (off_t)CDI_FILE_MAX)
		return "too large";
	return NULL;
}

static const char *
cdi_list_read(int dir, const char *name, char *buf, size_t *len)
{
	CLEANUP_FD int fd = openat(dir, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	const char *why;
	ssize_t n;

	if (fd == -1)
		return strerror(errno);
	why = cdi_list_untrusted(fd, S_IFREG);
	if (why != NULL)
		return why;
	n = fdio_read_upto(fd, buf, CDI_FILE_MAX);
	*len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? strerror(errno) : NULL;
}

static void
cdi_list_file(struct cdi_list *l, const char *path, int dir, const char *name,
    char *buf)
{
	size_t len = 0;
	const char *why = cdi_list_read(dir, name, buf, &len);

	if (++l->files > CDI_FILES || l->bytes + len > CDI_LIST_MAX / 2)
		why = "too many files, or too large together";
	if (l->files > 2 * CDI_FILES)
		return;
	if (why != NULL) {
		(void)fprintf(l->out, "! %s/%s: %s\n", path, name, why);
		return;
	}
	l->bytes += len;
	(void)fprintf(l->out, "%zu %s/%s\n", len, path, name);
	(void)fwrite(buf, 1, len, l->out);
	(void)fputc('\n', l->out);
}

/* One that is not there has no devices. */
static void
cdi_list_dir(struct cdi_list *l, const char *path, char *buf)
{
	CLEANUP_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list = NULL;
	const char *why;
	int n;

	if (dir == -1 && errno == ENOENT)
		return;
	why = dir == -1 ? strerror(errno) : cdi_list_untrusted(dir, S_IFDIR);
	if (why != NULL) {
		(void)fprintf(l->out, "! %s: %s\n", path, why);
		return;
	}
	n = scandirat(dir, ".", &list, cdi_list_select, alphasort);
	for (int i = 0; i < n; i++) {
		cdi_list_file(l, path, dir, list[i]->d_name, buf);
		free(list[i]);
	}
	free(list);
}

int
cdi_list_make(const char *const *dirs, size_t n, struct cerr *err)
{
	CLEANUP_FREE char *buf = malloc(CDI_FILE_MAX);
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;
	struct cdi_list l = { .out = open_memstream(&text, &len) };
	int fd;

	if (l.out == NULL || buf == NULL)
		return cerr_errno(err, "CDI directories");
	for (size_t i = n; i > 0; i--)
		cdi_list_dir(&l, dirs[i - 1], buf);
	if (fclose(l.out) != 0)
		return cerr_errno(err, "CDI directories");
	fd = fdio_memfd_sealed("cdi", text, len);
	return fd == -1 ? cerr_errno(err, "CDI directories") : fd;
}
