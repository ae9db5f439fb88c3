#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg/wire.h"
#include "lib/fdio.h"

#include "criodctl/layout.h"

#define LAYOUT_NOBODY 65534
#define LAYOUT_MIB    ((rlim_t)1024 * 1024)

/* What the child says; the types of its packets. */
enum { LAYOUT_BLOB = 1, LAYOUT_IMAGE, LAYOUT_FAIL, LAYOUT_END };

/* ---- the list ---- */

int
layout_add(struct layout *l, const char *name, const char *link, int fd,
    struct cerr *err)
{
	struct layout_file *f = &l->files[l->nfiles];

	if (l->nfiles == LAYOUT_FILES_MAX) {
		fdio_close(&fd);
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "more than %d files", LAYOUT_FILES_MAX);
	}
	l->nfiles++;
	f->fd = fd;
	f->name = strdup(name);
	f->link = link != NULL ? strdup(link) : NULL;
	if (f->name == NULL || (link != NULL && f->link == NULL))
		return cerr_errno(err, "strdup");
	return 0;
}

static struct layout_file *
layout_find_one(struct layout *l, const char *name)
{
	for (size_t i = l->nfiles; i-- > 0;) { /* the last counts */
		if (strcmp(l->files[i].name, name) == 0)
			return &l->files[i];
	}
	return NULL;
}

struct layout_file *
layout_find(struct layout *l, const char *name)
{
	struct layout_file *f = layout_find_one(l, name);

	for (int hops = 0; f != NULL && f->link != NULL; hops++)
		f = hops < 8 ? layout_find_one(l, f->link) : NULL;
	return f;
}

void
layout_free(struct layout *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->nfiles; i++) {
		free(l->files[i].name);
		free(l->files[i].link);
		fdio_close(&l->files[i].fd);
	}
	free(l);
}

/* ---- the child ---- */

/* Whatever is in an archive can do no more than this from here on. */
static int
layout_drop(struct cerr *err)
{
	static const struct rlimit as = { 512 * LAYOUT_MIB, 512 * LAYOUT_MIB };
	static const struct rlimit cpu = { 1800, 1800 };
	static const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_AS, &as) == -1 ||
	    setrlimit(RLIMIT_CPU, &cpu) == -1 ||
	    setrlimit(RLIMIT_CORE, &none) == -1)
		return cerr_errno(err, "limits");
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) == -1 ||
		setresgid(LAYOUT_NOBODY, LAYOUT_NOBODY, LAYOUT_NOBODY) == -1 ||
		setresuid(LAYOUT_NOBODY, LAYOUT_NOBODY, LAYOUT_NOBODY) == -1))
		return cerr_errno(err, "give up root");
	if (setrlimit(RLIMIT_NPROC, &none) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return cerr_errno(err, "confine");
	return 0;
}

static void
layout_say(int sock, unsigned int type, const void *data, size_t len, int fd)
{
	struct wire_msg m = { .type = (uint16_t)type };

	m.data = malloc(len + 1);
	if (m.data == NULL)
		_exit(1);
	memcpy(m.data, data, len);
	m.len = len;
	if (fd != -1) {
		m.fds[0] = fd;
		m.nfds = 1;
	}
	if (wire_send(sock, &m) == -1)
		_exit(1);
	wire_clear(&m);
}

static void
layout_say_all(int sock, struct layout *l)
{
	for (size_t i = 0; i < l->nfiles; i++) {
		struct layout_file *f = &l->files[i];

		if (f->digest[0] == '\0' || f->fd == -1)
			continue;
		layout_say(sock, LAYOUT_BLOB, f->digest, sizeof(f->digest),
		    f->fd);
		f->fd = -1;
	}
	for (size_t i = 0; i < l->nimages; i++)
		layout_say(sock, LAYOUT_IMAGE, &l->images[i],
		    sizeof(l->images[i]), -1);
	layout_say(sock, LAYOUT_END, "", 0, -1);
}

/* A directory's files are opened as root, an archive is not touched so. */
static int
layout_work(struct layout *l, int fd, struct cerr *err)
{
	struct stat st;
	bool dir;

	if (fstat(fd, &st) == -1) {
		fdio_close(&fd);
		return cerr_errno(err, "stat");
	}
	dir = S_ISDIR(st.st_mode);
	if (!dir && layout_drop(err) == -1) {
		fdio_close(&fd);
		return -1;
	}
	if (layout_read(l, fd, err) == -1)
		return -1;
	if (dir && layout_drop(err) == -1)
		return -1;
	return layout_choose(l, err);
}

static void __attribute__((noreturn)) layout_child(int sock, int fd)
{
	struct layout *l = calloc(1, sizeof(*l));
	struct cerr err;

	/* Nothing else: criod's socket least of all. */
	if (l == NULL || dup2(sock, 3) == -1 || dup2(fd, 4) == -1 ||
	    close_range(5, ~0U, 0) == -1)
		_exit(1);
	if (layout_work(l, 4, &err) == -1)
		layout_say(3, LAYOUT_FAIL, &err, sizeof(err), -1);
	else
		layout_say_all(3, l);
	_exit(0);
}

/* ---- what came of it ---- */

static int
layout_take_blob(struct layout *l, struct wire_msg *m, struct cerr *err)
{
	int fd = m->nfds == 1 ? m->fds[0] : -1;

	m->nfds = 0;
	if (layout_add(l, "", NULL, fd, err) == -1)
		return -1;
	memcpy(l->files[l->nfiles - 1].digest, m->data, LAYOUT_DIGEST_SIZE - 1);
	return 0;
}

/* Names go to a terminal. */
static bool
layout_is_plain(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s <= ' ' || *s >= 0x7f)
			return false;
	}
	return true;
}

static int
layout_take_image(struct layout *l, const struct wire_msg *m, struct cerr *err)
{
	struct layout_image *im = &l->images[l->nimages];

	if (l->nimages == LAYOUT_IMAGES_MAX)
		return cerr_set(err, CERR_RESOURCE_EXHAUSTED,
		    "more than %d images", LAYOUT_IMAGES_MAX);
	memcpy(im, m->data, sizeof(*im));
	im->reference[sizeof(im->reference) - 1] = '\0';
	im->manifest[sizeof(im->manifest) - 1] = '\0';
	if (!layout_is_plain(im->reference) || !layout_is_plain(im->manifest))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "an image's name has spaces or control characters");
	l->nimages++;
	return 0;
}

/* 1: that was all. */
static int
layout_take(struct layout *l, struct wire_msg *m, struct cerr *err)
{
	if (m->type == LAYOUT_BLOB && m->len == LAYOUT_DIGEST_SIZE)
		return layout_take_blob(l, m, err);
	if (m->type == LAYOUT_IMAGE && m->len == sizeof(struct layout_image))
		return layout_take_image(l, m, err);
	if (m->type == LAYOUT_FAIL && m->len == sizeof(*err)) {
		memcpy(err, m->data, sizeof(*err));
		err->text[sizeof(err->text) - 1] = '\0';
		return -1;
	}
	return m->type == LAYOUT_END
		   ? 1
		   : cerr_set(err, CERR_INTERNAL, "the reader's answer is odd");
}

static int
layout_collect(struct layout *l, int sock, struct cerr *err)
{
	int rc = 0;

	while (rc == 0) {
		struct wire_msg m;

		if (wire_recv(sock, &m, WIRE_INLINE_MAX) != 1)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "could not be read: it may be damaged");
		rc = layout_take(l, &m, err);
		wire_clear(&m);
	}
	return rc == 1 ? 0 : -1;
}

int
layout_open(const char *path, struct layout **layout, struct cerr *err)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct layout *l;
	int sv[2], rc;
	pid_t pid;

	if (fd == -1)
		return cerr_errno(err, "open");
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return cerr_errno(err, "calloc");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) == -1 ||
	    (pid = fork()) == -1) {
		layout_free(l);
		return cerr_errno(err, "start the reader");
	}
	if (pid == 0)
		layout_child(sv[1], fd);
	(void)close(sv[1]);
	rc = layout_collect(l, sv[0], err);
	(void)close(sv[0]);
	(void)waitpid(pid, NULL, 0);
	if (rc == 0)
		*layout = l;
	else
		layout_free(l);
	return rc;
}
