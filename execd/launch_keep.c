/*
 * CRIU puts a checkpoint's host name and limits of System V IPC and message
 * queues into the namespaces that a container joins, which are the pod's and
 * its other containers'.  What they were is kept and put back.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "execd/launch_keep.h"
#include "lib/fdio.h"
#include "lib/id.h"

#define KEEP_TEXT_MAX 128

static const char *const keep_names[] = { "kernel/msgmax", "kernel/msgmnb",
	"kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax",
	"kernel/shmmni", "kernel/shm_rmid_forced", "fs/mqueue/queues_max",
	"fs/mqueue/msg_max", "fs/mqueue/msgsize_max", "fs/mqueue/msg_default",
	"fs/mqueue/msgsize_default" };

#define KEEP_COUNT (sizeof(keep_names) / sizeof(keep_names[0]))

struct keep {
	bool there;
	struct utsname names;
	char texts[KEEP_COUNT][KEEP_TEXT_MAX];
};

static int
keep_join(const struct launch *l, const char *pod, const char *kind, int type)
{
	char name[ID_SIZE + 8];
	CLEANUP_FD int fd = -1;

	(void)snprintf(name, sizeof(name), "%s/%s", pod, kind);
	fd = openat(l->dirs[LAUNCH_DIR_NS], name,
	    O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd == -1 ? -1 : setns(fd, type);
}

static int
keep_read(const struct launch *l, struct keep *k)
{
	for (size_t i = 0; i < KEEP_COUNT; i++) {
		if (launch_read_file(l->dirs[LAUNCH_DIR_SYS], keep_names[i],
			k->texts[i], KEEP_TEXT_MAX) == -1)
			k->texts[i][0] = '\0';
	}
	return uname(&k->names);
}

static int
keep_write(const struct launch *l, struct keep *k)
{
	char now[KEEP_TEXT_MAX];

	for (size_t i = 0; i < KEEP_COUNT; i++) {
		if (k->texts[i][0] == '\0' ||
		    launch_read_file(l->dirs[LAUNCH_DIR_SYS], keep_names[i],
			now, sizeof(now)) == -1 ||
		    strcmp(now, k->texts[i]) == 0)
			continue;
		if (launch_write_file(l->dirs[LAUNCH_DIR_SYS], keep_names[i],
			k->texts[i]) == -1)
			return -1;
	}
	return sethostname(k->names.nodename, strlen(k->names.nodename)) ==
			   -1 ||
		       setdomainname(k->names.domainname,
			   strlen(k->names.domainname)) == -1
		   ? -1
		   : 0;
}

/* In a child, which stays in the pod's namespaces. */
static int
keep_apart(const struct launch *l, const char *pod, struct keep *k,
    int (*fn)(const struct launch *l, struct keep *k), struct cerr *err)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(keep_join(l, pod, "uts", CLONE_NEWUTS) == -1 ||
			      keep_join(l, pod, "ipc", CLONE_NEWIPC) == -1 ||
			      fn(l, k) == -1
			  ? 1
			  : 0);
	while (child > 0 && waitpid(child, &status, 0) == -1) {
		if (errno != EINTR)
			return cerr_errno(err, "wait");
	}
	return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0
		   ? 0
		   : cerr_set(err, CERR_INTERNAL,
			 "the pod's names and limits cannot be kept");
}

static struct keep *
keep_memory(void)
{
	static struct keep *k;

	if (k == NULL)
		k = mmap(NULL, sizeof(*k), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return k == MAP_FAILED ? NULL : k;
}

int
keep_pod(const struct launch *l, const char *pod, struct cerr *err)
{
	struct keep *k = keep_memory();

	if (k == NULL)
		return cerr_errno(err, "the pod's names and limits");
	if (keep_apart(l, pod, k, keep_read, err) == -1)
		return -1;
	k->there = true;
	return 0;
}

int
keep_pod_back(const struct launch *l, const char *pod, struct cerr *err)
{
	struct keep *k = keep_memory();

	return k == NULL || !k->there ? 0
				      : keep_apart(l, pod, k, keep_write, err);
}
