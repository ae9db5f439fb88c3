#include <sys/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "execd/launch_sysctl.h"
#include "execd/pod_ns.h"
#include "lib/fdio.h"
#include "lib/id.h"
#include "lib/log.h"

struct sysctl_pod {
	TAILQ_ENTRY(sysctl_pod) entry;
	char pod[ID_SIZE];
	struct launch_sysctl *list;
	size_t n;
};

struct launch_sysctls {
	TAILQ_HEAD(, sysctl_pod) pods;
	size_t n;
};

/* What the kernel keeps for each IPC or network namespace; the end of a name
 * without '.' at its end must match, otherwise all below it does. */
static const struct {
	const char *prefix;
	unsigned int ns;
} sysctl_spaces[] = {
	{ "kernel/shm_rmid_forced", POD_NS_IPC },
	{ "kernel/shmall", POD_NS_IPC },
	{ "kernel/shmmax", POD_NS_IPC },
	{ "kernel/shmmni", POD_NS_IPC },
	{ "kernel/shm_next_id", POD_NS_IPC },
	{ "kernel/msgmax", POD_NS_IPC },
	{ "kernel/msgmnb", POD_NS_IPC },
	{ "kernel/msgmni", POD_NS_IPC },
	{ "kernel/msg_next_id", POD_NS_IPC },
	{ "kernel/auto_msgmni", POD_NS_IPC },
	{ "kernel/sem", POD_NS_IPC },
	{ "kernel/sem_next_id", POD_NS_IPC },
	{ "fs/mqueue/", POD_NS_IPC },
	{ "net/", POD_NS_NET },
};

struct launch_sysctls *
launch_sysctls_new(void)
{
	struct launch_sysctls *s = calloc(1, sizeof(*s));

	if (s == NULL)
		fatal("calloc");
	TAILQ_INIT(&s->pods);
	return s;
}

static void
sysctl_pod_remove(struct launch_sysctls *s, struct sysctl_pod *p)
{
	TAILQ_REMOVE(&s->pods, p, entry);
	s->n--;
	free(p->list);
	free(p);
}

void
launch_sysctls_clear(struct launch_sysctls *s)
{
	struct sysctl_pod *p;

	while ((p = TAILQ_FIRST(&s->pods)) != NULL)
		sysctl_pod_remove(s, p);
}

static struct sysctl_pod *
sysctl_find(struct launch_sysctls *s, const char *pod)
{
	struct sysctl_pod *p;

	TAILQ_FOREACH(p, &s->pods, entry) {
		if (strcmp(p->pod, pod) == 0)
			return p;
	}
	return NULL;
}

static struct sysctl_pod *
sysctl_pod_new(struct launch_sysctls *s, const char *pod)
{
	struct sysctl_pod *p = calloc(1, sizeof(*p));

	if (p == NULL)
		fatal("calloc");
	/* Pods that never came: the oldest makes room. */
	if (s->n >= SYSCTL_PODS_MAX)
		sysctl_pod_remove(s, TAILQ_FIRST(&s->pods));
	(void)snprintf(p->pod, sizeof(p->pod), "%s", pod);
	TAILQ_INSERT_TAIL(&s->pods, p, entry);
	s->n++;
	return p;
}

void
launch_sysctls_add(struct launch_sysctls *s,
    const struct fixed_pod_sysctl *body)
{
	struct sysctl_pod *p;
	struct launch_sysctl *list;

	if (!id_valid(body->pod))
		return;
	p = sysctl_find(s, body->pod);
	if (p == NULL)
		p = sysctl_pod_new(s, body->pod);
	/* One over the limit is kept: it makes the pod fail. */
	if (p->n > SYSCTL_PER_POD_MAX)
		return;
	list = reallocarray(p->list, p->n + 1, sizeof(*list));
	if (list == NULL)
		fatal("reallocarray");
	p->list = list;
	memcpy(list[p->n].name, body->name, sizeof(body->name));
	memcpy(list[p->n].value, body->value, sizeof(body->value));
	p->n++;
}

struct launch_sysctl *
launch_sysctls_take(struct launch_sysctls *s, const char *pod, size_t *n)
{
	struct sysctl_pod *p = sysctl_find(s, pod);
	struct launch_sysctl *list;

	*n = 0;
	if (p == NULL)
		return NULL;
	list = p->list;
	*n = p->n;
	p->list = NULL;
	sysctl_pod_remove(s, p);
	return list;
}

static bool
sysctl_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == ':' ||
	       c == '@';
}

static int
sysctl_to_path(const char *name, char *path, size_t size)
{
	size_t n = strlen(name), first = strcspn(name, "./");
	bool dots = name[first] == '.';

	if (n == 0 || n >= size)
		return -1;
	for (size_t i = 0; i <= n; i++) {
		char c = name[i];

		if (c == '.' || c == '/')
			path[i] = (c == '.') == dots ? '/' : '.';
		else if (c == '\0' || sysctl_char(c))
			path[i] = c;
		else
			return -1;
	}
	return path[0] == '/' || path[n - 1] == '/' ||
		       strstr(path, "//") != NULL ||
		       strstr(path, "/./") != NULL || strstr(path, "..") != NULL
		   ? -1
		   : 0;
}

int
launch_sysctl_path(const char *name, unsigned int flags, char *path,
    size_t size)
{
	if (sysctl_to_path(name, path, size) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(sysctl_spaces) / sizeof(*sysctl_spaces);
	     i++) {
		const char *prefix = sysctl_spaces[i].prefix;
		size_t n = strlen(prefix);
		bool below = prefix[n - 1] == '/';

		if (below ? strncmp(path, prefix, n) == 0
			  : strcmp(path, prefix) == 0)
			return (flags & sysctl_spaces[i].ns) != 0 ? 0 : -1;
	}
	return -1;
}

int
launch_sysctl_apply(int sysdir, const struct launch_sysctl *s,
    unsigned int flags, struct cerr *err)
{
	char path[sizeof(s->name)];
	CLEANUP_FD int fd = -1;

	if (launch_sysctl_path(s->name, flags, path, sizeof(path)) == -1)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "sysctl %s is not of a namespace that the pod has",
		    s->name);
	fd = launch_open_beneath(sysdir, path, O_WRONLY | O_NOCTTY);
	if (fd == -1 && errno == ENOENT)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "sysctl %s: not in this kernel", s->name);
	if (fd == -1)
		return cerr_errno(err, "sysctl %s", s->name);
	if (fdio_write_all(fd, s->value, strlen(s->value)) == -1)
		return errno == EINVAL || errno == ERANGE
			   ? cerr_set(err, CERR_INVALID_ARGUMENT,
				 "sysctl %s: the kernel refuses %s", s->name,
				 s->value)
			   : cerr_errno(err, "sysctl %s", s->name);
	return 0;
}
