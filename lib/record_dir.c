#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/record.h"

int
record_each(int dirfd, void (*fn)(void *arg, const char *name), void *arg,
    struct cerr *err)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (dir == NULL) {
		fdio_close(&fd);
		return cerr_errno(err, "list records");
	}
	while ((d = readdir(dir)) != NULL)
		fn(arg, d->d_name);
	(void)closedir(dir);
	return 0;
}

static void
record_clear_one(void *arg, const char *name)
{
	const int *dirfd = arg;

	if (name[0] == '.' && strstr(name, ".new") != NULL)
		(void)unlinkat(*dirfd, name, 0);
}

int
record_clear_aside(int dirfd, struct cerr *err)
{
	return record_each(dirfd, record_clear_one, &dirfd, err);
}
