#include <sys/socket.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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
#include "parent/parent.h"
#include "parent/plugins.h"
#include "parent/proc.h"
#include "parent/spawn.h"

#define PLUGINS_NAME   64
#define PLUGINS_UMASK  022
#define PLUGINS_SOCKET 3 /* the descriptor of a plugin's socket */

#define PLUGINS_CHARS                                                          \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+"

struct plugins {
	struct parent *parent;
	pid_t pids[PLUGINS_MAX]; /* 0: free */
	size_t alive;
};

struct plugins *
plugins_new(struct parent *parent)
{
	struct plugins *g = calloc(1, sizeof(*g));

	if (g == NULL)
		fatal("calloc");
	g->parent = parent;
	return g;
}

void
plugins_free(struct plugins *g)
{
	free(g);
}

static pid_t *
plugins_slot(struct plugins *g, pid_t pid)
{
	for (size_t i = 0; i < PLUGINS_MAX; i++) {
		if (g->pids[i] == pid)
			return &g->pids[i];
	}
	return NULL;
}

/* "10-logger": a place in the order of plugins, and a name. */
static int
plugins_select(const struct dirent *de)
{
	const char *s = de->d_name;

	return strlen(s) > 3 && strlen(s) < PLUGINS_NAME &&
	       strspn(s, "0123456789") == 2 && s[2] == '-' &&
	       s[strspn(s, PLUGINS_CHARS)] == '\0';
}

/* Of root's, writable by no other, and executable. */
static bool
plugins_trusted(int dir, const char *name)
{
	struct cerr err;
	CLEANUP_FD int fd = conf_file_open(dir, name, &err);
	struct stat st;

	if (fd == -1) {
		log_warn("nri plugin %s", err.text);
		return false;
	}
	return fstat(fd, &st) == 0 && (st.st_mode & S_IXUSR) != 0;
}

/* IDX-NAME.conf, or NAME.conf; -1 if there is neither. */
static int
plugins_conf(const char *dirname, const char *name)
{
	CLEANUP_FD int dir = open(dirname, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *const bases[] = { name, name + 3 };
	char file[PLUGINS_NAME + 8];
	struct cerr err;
	int fd = -1;

	if (dir == -1 || !files_dir_trusted(dir, dirname, false))
		return -1;
	for (size_t i = 0; fd == -1 && i < 2; i++) {
		(void)snprintf(file, sizeof(file), "%s.conf", bases[i]);
		fd = conf_file_open(dir, file, &err);
		if (fd == -1 && err.code != CERR_NOT_FOUND)
			log_warn("nri plugin configuration %s", err.text);
	}
	return fd;
}

static pid_t
plugins_spawn(struct plugins *g, const char *dir, const char *name, int socket,
    struct cerr *err)
{
	char path[512], env_name[PLUGINS_NAME + 32];
	char env_idx[32], env_socket[32], argv0[PLUGINS_NAME];
	char env_path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *argv[] = { argv0, NULL };
	char *envp[] = { env_path, env_name, env_idx, env_socket, NULL };
	struct spawn_def def = {
		.path = path,
		.argv = argv,
		.envp = envp,
		.fds = { g->parent->null_fd, g->parent->null_fd, STDERR_FILENO,
		    socket },
		.nfds = PLUGINS_SOCKET + 1,
		.umask = PLUGINS_UMASK,
	};

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)snprintf(argv0, sizeof(argv0), "%s", name);
	(void)snprintf(env_name, sizeof(env_name), "NRI_PLUGIN_NAME=%s",
	    name + 3);
	(void)snprintf(env_idx, sizeof(env_idx), "NRI_PLUGIN_IDX=%.2s", name);
	(void)snprintf(env_socket, sizeof(env_socket), "NRI_PLUGIN_SOCKET=%d",
	    PLUGINS_SOCKET);
	return spawn_run(&def, err);
}

/* Takes socket. */
static void
plugins_tell(struct plugins *g, struct link *nrid, const char *name, int socket)
{
	int fds[2] = { socket,
		plugins_conf(g->parent->conf->text[CONF_NRI_CONF], name) };
	char idx[3], base[PLUGINS_NAME];
	Criod__NriPlugin body;

	(void)snprintf(idx, sizeof(idx), "%.2s", name);
	(void)snprintf(base, sizeof(base), "%s", name + 3);
	criod__nri_plugin__init(&body);
	body.idx = idx;
	body.name = base;
	(void)link_send(nrid, MSG_NRI_PLUGIN, &body, fds, fds[1] == -1 ? 1 : 2);
}

static void
plugins_start_one(struct plugins *g, struct link *nrid, const char *dir,
    const char *name)
{
	CLEANUP_FD int theirs = -1;
	pid_t *slot = plugins_slot(g, 0);
	struct cerr err;
	int sv[2];

	if (slot == NULL) {
		log_warn("nri plugin %s: there are %d already", name,
		    PLUGINS_MAX);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == -1) {
		log_error("socketpair: %s", strerror(errno));
		return;
	}
	theirs = sv[1];
	*slot = plugins_spawn(g, dir, name, theirs, &err);
	if (*slot == -1) {
		*slot = 0;
		log_error("nri plugin %s: %s", name, err.text);
		fdio_close(&sv[0]);
		return;
	}
	g->alive++;
	log_info("started nri plugin %s[%d]", name, (int)*slot);
	plugins_tell(g, nrid, name, sv[0]);
}

void
plugins_start(struct plugins *g, struct link *nrid)
{
	const char *path = g->parent->conf->text[CONF_NRI_PLUGINS];
	CLEANUP_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list;
	int n;

	if (dir == -1 || !files_dir_trusted(dir, path, false))
		return;
	n = scandirat(dir, ".", &list, plugins_select, files_compare);
	if (n == -1) {
		log_warn("%s: %s", path, strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		if (plugins_trusted(dir, list[i]->d_name))
			plugins_start_one(g, nrid, path, list[i]->d_name);
		free(list[i]);
	}
	free(list);
}

/* Their numbers are safe to use: none of them is reaped yet. */
void
plugins_kill(struct plugins *g, const char *why)
{
	for (size_t i = 0; i < PLUGINS_MAX; i++) {
		if (g->pids[i] == 0)
			continue;
		log_debug("killing an nri plugin[%d]: %s", (int)g->pids[i],
		    why);
		(void)kill(g->pids[i], SIGKILL);
	}
}

bool
plugins_reaped(struct plugins *g, pid_t pid, int status)
{
	pid_t *slot = plugins_slot(g, pid);

	if (slot == NULL)
		return false;
	*slot = 0;
	g->alive--;
	(void)proc_log_end("nri plugin", pid, status, true);
	return true;
}

size_t
plugins_alive(const struct plugins *g)
{
	return g->alive;
}
