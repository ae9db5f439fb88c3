#include <sys/file.h>
#include <sys/stat.h>

#include <arpa/inet.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/log.h"
#include "netd/launch_lease.h"

#define LEASE_LOCK "lock"

static DIR *
launch_lease_dir(int at, const char *path)
{
	int fd =
	    openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);

	if (dir == NULL)
		fdio_close(&fd);
	return dir;
}

static bool
launch_lease_is_address(const char *name)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, name, &addr) == 1 ||
	       inet_pton(AF_INET6, name, &addr) == 1;
}

static void
launch_lease_look(int dir, const char *network, const char *name)
{
	struct stat st;

	if (!launch_lease_is_address(name) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(st.st_mode) || st.st_size != 0)
		return;
	if (unlinkat(dir, name, 0) == -1)
		log_warn("address %s of network %s is nobody's: %m", name,
		    network);
	else
		log_info("address %s of network %s was nobody's: released",
		    name, network);
}

static void
launch_lease_network(int at, const char *network)
{
	DIR *dir = launch_lease_dir(at, network);
	CLEANUP_FD int lock = -1;
	struct dirent *e;

	if (dir == NULL)
		return;
	lock = openat(dirfd(dir), LEASE_LOCK,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (lock != -1 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
		while ((e = readdir(dir)) != NULL)
			launch_lease_look(dirfd(dir), network, e->d_name);
	}
	(void)closedir(dir);
}

void
launch_lease_sweep(const char *directory)
{
	DIR *dir = launch_lease_dir(AT_FDCWD, directory);
	struct dirent *e;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] != '.')
			launch_lease_network(dirfd(dir), e->d_name);
	}
	(void)closedir(dir);
}
