#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "imsg/link.h"
#include "proto/msg.pb-c.h"
#include "parent/conf.h"
#include "parent/conf_file.h"
#include "parent/files.h"

static const char *const files_paths[] = {
	[CRIOD__FILE__KIND__RESOLV_CONF] = "/etc/resolv.conf",
	[CRIOD__FILE__KIND__HOSTS] = "/etc/hosts",
	[CRIOD__FILE__KIND__CA_BUNDLE] = "/etc/ssl/certs/ca-certificates.crt",
};

static void
files_send_one(struct link *link, unsigned int kind, const char *name, int fd)
{
	Criod__File body;
	char *copy = strdup(name);

	if (copy == NULL)
		fatal("strdup");
	criod__file__init(&body);
	body.kind = (Criod__File__Kind)kind;
	body.name = copy;
	(void)link_send(link, MSG_FILE, &body, &fd, 1);
	free(copy);
}

/* resolv.conf may be systemd-resolved's or a container engine's: its path is
 * what counts, not its owner. */
static void
files_send_host(struct link *link, unsigned int kind)
{
	const char *path = files_paths[kind];
	CLEANUP_FD int fd =
	    open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		log_debug("%s: not passed on: %s", path,
		    fd == -1 ? strerror(errno) : "not a regular file");
		return;
	}
	files_send_one(link, kind, strrchr(path, '/') + 1, fd);
	fd = -1;
}

static bool
files_is_cni(const char *name)
{
	static const char *const ends[] = { ".conf", ".conflist", ".json" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (*name != '.' && dot != NULL && strcmp(dot, ends[i]) == 0)
			return true;
	}
	return false;
}

static int
files_select_cni(const struct dirent *de)
{
	return files_is_cni(de->d_name);
}

int
files_compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

bool
files_dir_trusted(int fd, const char *path, bool again)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_uid == 0 &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return true;
	if (!again)
		log_warn("%s is ignored: others than root may write it", path);
	return false;
}

static void
files_send_cni_one(struct link *link, int dirfd, const char *name, bool again)
{
	struct cerr err;
	int fd = conf_file_open(dirfd, name, &err);

	if (fd == -1 && again)
		log_debug("cni configuration: %s", err.text);
	else if (fd == -1)
		log_warn("cni configuration: %s", err.text);
	else
		files_send_one(link, CRIOD__FILE__KIND__CNI_CONF, name, fd);
}

static void
files_send_cni(struct link *link, const char *path, bool again)
{
	CLEANUP_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list;
	int n;

	if (dir == -1 || !files_dir_trusted(dir, path, again))
		return;
	n = scandirat(dir, ".", &list, files_select_cni, files_compare);
	if (n == -1) {
		log_warn("%s: %s", path, strerror(errno));
		return;
	}
	if (n > FILES_CNI_MAX && !again)
		log_warn("%s: only the first %d files are used", path,
		    FILES_CNI_MAX);
	for (int i = 0; i < n; i++) {
		if (i < FILES_CNI_MAX)
			files_send_cni_one(link, dir, list[i]->d_name, again);
		free(list[i]);
	}
	free(list);
}

/* Keys are only root's to read: streamd gets them open. */
static void
files_send_tls(struct link *link, const struct conf *c, unsigned int kind)
{
	const char *path = c->stream_tls[kind - CRIOD__FILE__KIND__STREAM_CERT +
					 CONF_TLS_CERT];
	struct cerr err;
	int fd;

	if (path == NULL)
		return;
	fd = conf_file_open(AT_FDCWD, path, &err);
	if (fd == -1)
		log_error("stream listen on: %s", err.text);
	else
		files_send_one(link, kind, strrchr(path, '/') + 1, fd);
}

void
files_send(struct link *link, const struct conf *c, unsigned int kind,
    bool again)
{
	if (kind == CRIOD__FILE__KIND__CNI_CONF)
		files_send_cni(link, c->text[CONF_CNI_CONF], again);
	else if (kind >= CRIOD__FILE__KIND__STREAM_CERT)
		files_send_tls(link, c, kind);
	else
		files_send_host(link, kind);
}
