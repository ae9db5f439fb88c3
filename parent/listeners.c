#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "parent/account.h"
#include "parent/conf.h"
#include "parent/dirs.h"
#include "parent/listeners.h"

#define LISTENERS_BACKLOG 128
#define LISTENERS_NAME	  64

static const int listeners_types[] = {
	[LISTENER_CRI] = SOCK_STREAM,
	[LISTENER_CONTROL] = SOCK_SEQPACKET,
	[LISTENER_STREAM] = SOCK_STREAM,
	[LISTENER_NRI] = SOCK_STREAM,
};

static struct listener *
listeners_find(const struct listeners *set, enum listener_kind kind,
    const char *name)
{
	struct listener *l;

	if (set == NULL)
		return NULL;
	TAILQ_FOREACH(l, set, entry) {
		if (l->kind == kind && strcmp(l->name, name) == 0)
			return l;
	}
	return NULL;
}

static struct listener *
listeners_add(struct listeners *set, enum listener_kind kind, const char *name,
    const char *actual, int fd)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (l == NULL || (l->name = strdup(name)) == NULL ||
	    (l->actual = strdup(actual)) == NULL)
		fatal("calloc");
	l->kind = kind;
	l->fd = fd;
	l->is_path = kind != LISTENER_STREAM;
	TAILQ_INSERT_TAIL(set, l, entry);
	return l;
}

static int
listeners_keep(struct listeners *set, const struct listener *old,
    struct cerr *err)
{
	int fd = fcntl(old->fd, F_DUPFD_CLOEXEC, 3);

	if (fd == -1)
		return cerr_errno(err, "%s", old->name);
	listeners_add(set, old->kind, old->name, old->actual, fd)->kept = true;
	return 0;
}

/* ---- paths ---- */

/* Only a socket that nobody answers on is removed. */
static int
listeners_clear_path(const struct sockaddr_un *sun, int type, struct cerr *err)
{
	CLEANUP_FD int probe = -1;
	struct stat st;

	if (lstat(sun->sun_path, &st) == -1)
		return errno == ENOENT ? 0
				       : cerr_errno(err, "%s", sun->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return cerr_set(err, CERR_ALREADY_EXISTS,
		    "%s is there and is not a socket", sun->sun_path);
	probe = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe == -1)
		return cerr_errno(err, "socket");
	if (connect(probe, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ||
	    (errno != ECONNREFUSED && errno != EPROTOTYPE))
		return cerr_set(err, CERR_ALREADY_EXISTS,
		    "%s is in use by another process", sun->sun_path);
	if (errno == EPROTOTYPE)
		return cerr_set(err, CERR_ALREADY_EXISTS,
		    "%s is a socket of another type", sun->sun_path);
	if (unlink(sun->sun_path) == -1)
		return cerr_errno(err, "unlink %s", sun->sun_path);
	return 0;
}

static int
listeners_own(const char *path, uid_t uid, gid_t gid, mode_t mode,
    struct cerr *err)
{
	if (fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW) == -1)
		return cerr_errno(err, "chown %s", path);
	/* There is no chmod of a socket by descriptor; its directory is
	 * root's, or the administrator's choice. */
	if (chmod(path, mode) == -1)
		return cerr_errno(err, "chmod %s", path);
	return 0;
}

/* Nobody can connect before listen(), which is after the mode is right. */
static int
listeners_open_path(struct listeners *set, enum listener_kind kind,
    const char *path, uid_t uid, gid_t gid, mode_t mode, struct cerr *err)
{
	CLEANUP_FD int fd = -1;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int type = listeners_types[kind];

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (dirs_make_above(path, err) == -1 ||
	    listeners_clear_path(&sun, type, err) == -1)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return cerr_errno(err, "socket");
	if (bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) == -1)
		return cerr_errno(err, "bind %s", path);
	if (listeners_own(path, uid, gid, mode, err) == -1) {
		(void)unlink(path);
		return -1;
	}
	if (listen(fd, LISTENERS_BACKLOG) == -1) {
		(void)unlink(path);
		return cerr_errno(err, "listen %s", path);
	}
	(void)listeners_add(set, kind, path, path, fd);
	fd = -1;
	return 0;
}

static int
listeners_need_path(struct listeners *set, const struct listeners *old,
    enum listener_kind kind, const struct conf_listen *l, struct cerr *err)
{
	const struct listener *have = listeners_find(old, kind, l->path);
	uid_t uid;
	gid_t gid;

	if (have != NULL)
		return listeners_keep(set, have, err);
	if (account_user(l->owner, &uid, err) == -1 ||
	    account_group(l->group, &gid, err) == -1)
		return -1;
	return listeners_open_path(set, kind, l->path, uid, gid, l->mode, err);
}

/* ---- TCP ---- */

union listeners_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* What one statement asks for. */
struct listeners_tcp {
	enum listener_kind kind;
	const char *statement, *address;
	unsigned int port;
};

static socklen_t
listeners_addr(union listeners_addr *a, const struct listeners_tcp *t)
{
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, t->address, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons((uint16_t)t->port);
		return sizeof(a->in);
	}
	(void)inet_pton(AF_INET6, t->address, &a->in6.sin6_addr);
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = htons((uint16_t)t->port);
	return sizeof(a->in6);
}

static void
listeners_addr_name(char name[LISTENERS_NAME], const char *address,
    unsigned int port)
{
	bool six = strchr(address, ':') != NULL;

	(void)snprintf(name, LISTENERS_NAME, "%s%s%s:%u", six ? "[" : "",
	    address, six ? "]" : "", port);
}

/*
 * For the connections, which inherit it: keystrokes are not held back, and a
 * client that vanished is noticed.
 */
static int
listeners_set_stream(int fd)
{
	static const int options[][3] = { { SOL_SOCKET, SO_REUSEADDR, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 60 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 20 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 6 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 } };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (setsockopt(fd, options[i][0], options[i][1], &options[i][2],
			sizeof(int)) == -1)
			return -1;
	}
	return 0;
}

static int
listeners_open_tcp(struct listeners *set, const struct listeners_tcp *t,
    const char *name, struct cerr *err)
{
	CLEANUP_FD int fd = -1;
	union listeners_addr addr;
	socklen_t len = listeners_addr(&addr, t);
	char actual[LISTENERS_NAME];

	fd = socket(addr.sa.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return cerr_errno(err, "socket");
	if (listeners_set_stream(fd) == -1 || bind(fd, &addr.sa, len) == -1 ||
	    listen(fd, LISTENERS_BACKLOG) == -1 ||
	    getsockname(fd, &addr.sa, &len) == -1)
		return cerr_errno(err, "%s %s", t->statement, name);
	/* sin_port and sin6_port lie at the same place. */
	listeners_addr_name(actual, t->address, ntohs(addr.in.sin_port));
	(void)listeners_add(set, t->kind, name, actual, fd);
	fd = -1;
	return 0;
}

static int
listeners_need_tcp(struct listeners *set, const struct listeners_tcp *t,
    const struct listeners *old, struct cerr *err)
{
	char name[LISTENERS_NAME];
	const struct listener *have;

	if (t->address == NULL)
		return 0;
	listeners_addr_name(name, t->address, t->port);
	have = listeners_find(old, t->kind, name);
	return have != NULL ? listeners_keep(set, have, err)
			    : listeners_open_tcp(set, t, name, err);
}

/* ---- sets ---- */

int
listeners_open(struct listeners *set, const struct conf *c,
    const struct listeners *old, struct cerr *err)
{
	static char root[] = "root";
	struct conf_listen control = { .owner = root,
		.group = root,
		.mode = 0600,
		.path = c->text[CONF_CONTROL] };
	struct conf_listen nri = control;
	const struct listeners_tcp stream = { LISTENER_STREAM,
		"stream listen on", c->stream_address, c->stream_port };
	const struct listeners_tcp metrics = { LISTENER_METRICS,
		"metrics listen on", c->metrics_address, c->metrics_port };
	const struct conf_listen *l;

	nri.path = c->text[CONF_NRI_SOCKET];

	TAILQ_INIT(set);
	TAILQ_FOREACH(l, &c->listens, entry) {
		if (listeners_need_path(set, old, LISTENER_CRI, l, err) == -1)
			goto fail;
	}
	if (listeners_need_path(set, old, LISTENER_CONTROL, &control, err) ==
		-1 ||
	    (c->nri &&
		listeners_need_path(set, old, LISTENER_NRI, &nri, err) == -1) ||
	    listeners_need_tcp(set, &stream, old, err) == -1 ||
	    listeners_need_tcp(set, &metrics, old, err) == -1)
		goto fail;
	return 0;
fail:
	listeners_close(set, old);
	return -1;
}

int
listeners_protect(const struct listeners *set, const struct conf *c,
    struct cerr *err)
{
	const struct conf_listen *l;
	const struct listener *have;
	uid_t uid;
	gid_t gid;

	TAILQ_FOREACH(l, &c->listens, entry) {
		have = listeners_find(set, LISTENER_CRI, l->path);
		if (have == NULL || !have->kept)
			continue;
		if (account_user(l->owner, &uid, err) == -1 ||
		    account_group(l->group, &gid, err) == -1 ||
		    listeners_own(l->path, uid, gid, l->mode, err) == -1)
			return -1;
	}
	return 0;
}

static bool
listeners_lacks(const struct listeners *a, const struct listeners *b,
    enum listener_kind kind)
{
	const struct listener *l;

	TAILQ_FOREACH(l, a, entry) {
		if (l->kind == kind && listeners_find(b, kind, l->name) == NULL)
			return true;
	}
	return false;
}

bool
listeners_differ(const struct listeners *a, const struct listeners *b,
    enum listener_kind kind)
{
	return listeners_lacks(a, b, kind) || listeners_lacks(b, a, kind);
}

void
listeners_close(struct listeners *set, const struct listeners *next)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(set)) != NULL) {
		TAILQ_REMOVE(set, l, entry);
		if (l->is_path &&
		    listeners_find(next, l->kind, l->name) == NULL)
			(void)unlink(l->name);
		fdio_close(&l->fd);
		free(l->name);
		free(l->actual);
		free(l);
	}
}
