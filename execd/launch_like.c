/* Whether what CRIU made is like what was asked for: texts of /proc. */
#include <linux/capability.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/ctr_flags.h"
#include "execd/launch_proc.h"
#include "execd/launch_restore.h"
#include "lib/fdio.h"

static unsigned int
restore_flags(const char *text, size_t len)
{
	static const struct {
		const char *word;
		unsigned int flag;
	} words[] = { { "ro", RESTORE_RO }, { "nosuid", RESTORE_NOSUID },
		{ "nodev", RESTORE_NODEV }, { "noexec", RESTORE_NOEXEC } };
	unsigned int flags = 0;

	for (const char *p = text; p < text + len;) {
		size_t n = strcspn(p, ", ");

		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			if (strlen(words[i].word) == n &&
			    strncmp(p, words[i].word, n) == 0)
				flags |= words[i].flag;
		}
		p += n + 1;
	}
	return flags;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw" */
static int
restore_mount_parse(const char *line, size_t len, struct restore_mount *m)
{
	char text[3 * PATH_MAX], options[1024];
	int at = 0;
	const char *dash;

	if (len >= sizeof(text))
		return -1;
	memcpy(text, line, len);
	text[len] = '\0';
	dash = strstr(text, " - ");
	if (dash == NULL ||
	    sscanf(text, "%*d %*d %23s %4095s %4095s %1023s%n", m->dev, m->root,
		m->at, options, &at) != 4 ||
	    sscanf(dash + 3, "%31s %*s %255s", m->type, m->super) != 2 ||
	    dash < text + at)
		return -1;
	m->flags = restore_flags(options, strlen(options));
	if (memmem(text + at, (size_t)(dash - text) - (size_t)at,
		" shared:", 8) != NULL)
		m->flags |= RESTORE_SHARED;
	if (memmem(text + at, (size_t)(dash - text) - (size_t)at,
		" master:", 8) != NULL)
		m->flags |= RESTORE_SLAVE;
	return 0;
}

/* File systems of which each mount is a new one, with nothing of the host's
 * in it: their devices differ. */
static bool
restore_mount_fresh(const char *type)
{
	static const char *const types[] = { "proc", "sysfs", "tmpfs", "devpts",
		"mqueue", "cgroup", "cgroup2" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i], type) == 0)
			return true;
	}
	return false;
}

bool
restore_mount_null(const struct restore_mount *m)
{
	return strcmp(m->root, "/null") == 0 &&
	       (strcmp(m->type, "devtmpfs") == 0 ||
		   strcmp(m->type, "tmpfs") == 0);
}

/* have may be closed where want is open, never the other way. */
static bool
restore_mount_same(const struct restore_mount *have,
    const struct restore_mount *want)
{
	const unsigned int closed =
	    RESTORE_RO | RESTORE_NOSUID | RESTORE_NODEV | RESTORE_NOEXEC;
	const unsigned int open = RESTORE_SHARED | RESTORE_SLAVE;

	return strcmp(have->at, want->at) == 0 &&
	       strcmp(have->root, want->root) == 0 &&
	       ((restore_mount_null(have) && (have->flags & RESTORE_RO) != 0) ||
		   (strcmp(have->type, want->type) == 0 &&
		       (strcmp(have->dev, want->dev) == 0 ||
			   restore_mount_fresh(have->type)))) &&
	       (want->flags & closed & ~have->flags) == 0 &&
	       (have->flags & open & ~want->flags) == 0;
}

/* The Nth line of text like m that was not used yet; -1 if there is none. */
static int
restore_mount_find(const char *text, const struct restore_mount *m, bool *used)
{
	static struct restore_mount other;
	const char *end;
	int i = 0;

	for (const char *p = text; (end = strchr(p, '\n')) != NULL;
	     p = end + 1, i++) {
		if (used[i] ||
		    restore_mount_parse(p, (size_t)(end - p), &other) == -1 ||
		    !restore_mount_same(m, &other))
			continue;
		used[i] = true;
		return i;
	}
	return -1;
}

bool
restore_mount_get(const char *text, int n, struct restore_mount *m)
{
	const char *end;

	for (; (end = strchr(text, '\n')) != NULL; text = end + 1) {
		if (n-- == 0)
			return restore_mount_parse(text, (size_t)(end - text),
				   m) == 0;
	}
	return false;
}

static size_t
restore_lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')) != NULL; text++)
		n++;
	return n;
}

int
restore_mounts(const char *have, const char *want, struct cerr *err)
{
	static struct restore_mount m;
	size_t nwant = restore_lines(want), n = 0;
	CLEANUP_FREE bool *used = calloc(nwant + 1, sizeof(*used));
	const char *end;

	if (used == NULL)
		return cerr_errno(err, "mounts of the checkpoint");
	for (const char *p = have; (end = strchr(p, '\n')) != NULL;
	     p = end + 1, n++) {
		if (restore_mount_parse(p, (size_t)(end - p), &m) == -1)
			return cerr_set(err, CERR_INTERNAL,
			    "a mount of the checkpoint cannot be read");
		if (restore_mount_find(want, &m, used) == -1)
			return cerr_set(err, CERR_FAILED_PRECONDITION,
			    "the checkpoint has a mount at %.256s (%s) as the "
			    "request has none",
			    m.at, m.type);
	}
	return n == nwant ? 0
			  : cerr_set(err, CERR_FAILED_PRECONDITION,
				"the checkpoint has %zu mounts, the request "
				"%zu",
				n, nwant);
}

static bool
restore_ids(const uint32_t ids[4], uint32_t want)
{
	for (size_t i = 0; i < 4; i++) {
		if (ids[i] != want)
			return false;
	}
	return true;
}

bool
restore_cannot(const struct fixed_ctr_create *c, int cap)
{
	return (c->flags & CTR_FLAG_NNP) != 0 &&
	       (c->caps & (UINT64_C(1) << cap)) == 0;
}

int
restore_status(const struct proc_status *s, const struct fixed_ctr_create *c,
    struct cerr *err)
{
	uint64_t caps = s->inh | s->prm | s->eff | s->bnd | s->amb;

	if ((caps & ~c->caps) != 0)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "the checkpoint has capabilities 0x%" PRIx64
		    ", the request 0x%" PRIx64,
		    caps, c->caps);
	if ((c->flags & CTR_FLAG_NNP) != 0 && s->nnp != 1)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "the checkpoint is without no_new_privs");
	if ((c->flags & CTR_FLAG_SECCOMP) != 0 && s->seccomp != 2)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "the checkpoint is without a system call filter");
	if ((restore_cannot(c, CAP_SETUID) && !restore_ids(s->uid, c->uid)) ||
	    (restore_cannot(c, CAP_SETGID) && !restore_ids(s->gid, c->gid)))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "the checkpoint is of user %u:%u, the request of %u:%u",
		    s->uid[1], s->gid[1], c->uid, c->gid);
	return 0;
}
