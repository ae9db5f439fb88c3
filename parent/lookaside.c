#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/openat2.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "imsg/fixed.h"
#include "proto/msg.pb-c.h"
#include "parent/lookaside.h"

#define LOOKASIDE_SCHEME "file://"
#define LOOKASIDE_HEX	 64

/* Parts of lower-case words, none of them empty, "." or "..". */
static bool
lookaside_repository(const char *s)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

	do {
		size_t n = strspn(s, set);

		if (n == strspn(s, ".") || (s[n] != '/' && s[n] != '\0'))
			return false;
		s += n;
	} while (*s++ == '/');
	return true;
}

static bool
lookaside_valid(const struct fixed_sig_file *f)
{
	return lookaside_repository(f->repository) &&
	       strlen(f->digest) == LOOKASIDE_HEX &&
	       strspn(f->digest, "0123456789abcdef") == LOOKASIDE_HEX;
}

/* Links within the directory are its owner's business; none leads out. */
static int
lookaside_open_below(int dir, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

int
lookaside_open(const Criod__BootTrust *boot, const struct fixed_sig_file *f,
    struct cerr *err)
{
	CLEANUP_FD int dir = -1;
	CLEANUP_FD int fd = -1;
	const char *url = "";
	char name[512];
	struct stat st;
	int result;

	if (f->source < boot->n_sources)
		url = boot->sources[f->source]->lookaside;
	if (strncmp(url, LOOKASIDE_SCHEME, strlen(LOOKASIDE_SCHEME)) != 0 ||
	    !lookaside_valid(f))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "not a signature of a directory");
	(void)snprintf(name, sizeof(name), "%s@sha256=%s/signature-%u",
	    f->repository, f->digest, f->number);
	url += strlen(LOOKASIDE_SCHEME);
	dir = open(url, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir != -1)
		fd = lookaside_open_below(dir, name);
	if (fd == -1 && errno == ENOENT)
		return cerr_set(err, CERR_NOT_FOUND, "%s: no such signature",
		    url);
	if (fd == -1 || fstat(fd, &st) == -1)
		return cerr_errno(err, "lookaside %s", url);
	if (!S_ISREG(st.st_mode))
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "lookaside %s: not a regular file", url);
	result = fd;
	fd = -1;
	return result;
}
