#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "lib/mono.h"
#include "parent/conf.h"
#include "parent/plan.h"
#include "parent/reader.h"
#include "parent/spawn.h"

#define READER_PROGRAM	  "policyread"
#define READER_ANSWER_MAX (4U * 1024 * 1024)
#define READER_WAIT_MS	  10000

/* A helper may end meanwhile, whose signal is no answer. */
static bool
reader_wait(int fd, struct mono end)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int n;

	do
		n = poll(&p, 1, (int)mono_left_ms(end));
	while (n == -1 && errno == EINTR);
	return n == 1;
}

/* All that the program says; it has READER_WAIT_MS. */
static int
reader_listen(int fd, char **text, struct cerr *err)
{
	struct mono end = mono_after_ms(READER_WAIT_MS);
	size_t len = 0;
	ssize_t n;

	*text = malloc(READER_ANSWER_MAX + 1);
	if (*text == NULL)
		fatal("malloc");
	do {
		if (!reader_wait(fd, end))
			return cerr_set(err, CERR_INTERNAL,
			    READER_PROGRAM " does not answer");
		n = read(fd, *text + len, READER_ANSWER_MAX - len);
		if (n == -1)
			return cerr_errno(err, READER_PROGRAM);
		len += (size_t)n;
	} while (n > 0 && len < READER_ANSWER_MAX);
	(*text)[len] = '\0';
	return 0;
}

static int
reader_ended(pid_t pid, struct cerr *err)
{
	int status;

	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return cerr_errno(err, READER_PROGRAM);
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return cerr_set(err, CERR_INTERNAL,
		    READER_PROGRAM
		    "[%d] was killed by its own system call filter",
		    (int)pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return cerr_set(err, CERR_INTERNAL, READER_PROGRAM " failed");
	return 0;
}

static pid_t
reader_start(const struct plan_facts *f, const char *kind, int in, int out,
    struct cerr *err)
{
	const struct account_ids *ids = &f->ids[ACCOUNT_IMAGE];
	CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	CLEANUP_FREE char *path = NULL;
	char program[] = READER_PROGRAM, what[16], uid[16], gid[16];
	char *argv[] = { program, what, uid, gid, NULL };
	char *envp[] = { NULL };
	struct spawn_def def = { .argv = argv,
		.envp = envp,
		.fds = { null, null, STDERR_FILENO, in, out },
		.nfds = 5,
		.umask = 077 };

	(void)snprintf(what, sizeof(what), "%s", kind);
	(void)snprintf(uid, sizeof(uid), "%u", ids->uid);
	(void)snprintf(gid, sizeof(gid), "%u", ids->gid);
	if (null == -1) {
		(void)cerr_errno(err, "/dev/null");
		return -1;
	}
	if (asprintf(&path, "%s/" READER_PROGRAM,
		f->conf->text[CONF_PROGRAM]) == -1)
		fatal("asprintf");
	def.path = path;
	return spawn_run(&def, err);
}

/* The line behind "NO". */
static int
reader_refused(const char *answer, struct cerr *err)
{
	const char *why = answer + 3;

	if (strncmp(answer, "NO\n", 3) != 0)
		return cerr_set(err, CERR_INTERNAL,
		    READER_PROGRAM " has no answer");
	return cerr_set(err, CERR_INVALID_ARGUMENT, "%.*s",
	    (int)strcspn(why, "\n"), why);
}

int
reader_ask(const struct plan_facts *f, const char *kind, const char *text,
    size_t len, char **answer, char **lines, struct cerr *err)
{
	CLEANUP_FD int in = fdio_memfd_sealed(kind, text, len);
	CLEANUP_FD int rd = -1;
	CLEANUP_FD int wr = -1;
	int fds[2], rc;
	pid_t pid;

	*answer = NULL;
	if (in == -1 || pipe2(fds, O_CLOEXEC) == -1)
		return cerr_errno(err, READER_PROGRAM);
	rd = fds[0];
	wr = fds[1];
	pid = reader_start(f, kind, in, wr, err);
	if (pid == -1)
		return -1;
	fdio_close(&wr);
	rc = reader_listen(rd, answer, err);
	if (rc == -1)
		(void)kill(pid, SIGKILL);
	if (reader_ended(pid, rc == 0 ? err : NULL) == -1)
		rc = -1;
	if (rc == 0 && strncmp(*answer, "OK\n", 3) != 0)
		rc = reader_refused(*answer, err);
	*lines = rc == 0 ? *answer + 3 : NULL;
	return rc;
}

char *
reader_line(char **lines)
{
	char *line = strsep(lines, "\n");

	return line != NULL && *line != '\0' ? line : NULL;
}
