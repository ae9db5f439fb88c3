#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criodctl/privileges.h"
#include "lib/capname.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/log.h"

#define PRIVILEGES_FILE_MAX (4 * 1024 * 1024)

char *
privileges_read(pid_t pid, const char *name, size_t *len)
{
	char path[128];
	CLEANUP_FD int fd = -1;
	char *buf;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	buf = malloc(PRIVILEGES_FILE_MAX + 1);
	if (buf == NULL)
		fatal("malloc");
	n = fd == -1 ? -1 : fdio_read_upto(fd, buf, PRIVILEGES_FILE_MAX);
	if (n == -1) {
		free(buf);
		return NULL;
	}
	buf[n] = '\0';
	*len = (size_t)n;
	return buf;
}

/* What follows "NAME:" in a status file, or "". */
static const char *
of_field(const char *status, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = status; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, n) == 0 && p[n] == ':')
			return p + n + 1 + strspn(p + n + 1, " \t");
	}
	return "";
}

/* The numbers on the rest of a line. */
static json_t *
of_numbers(const char *line)
{
	json_t *list = json_array();
	char *end;

	for (;;) {
		long long n = strtoll(line, &end, 10);

		line += strspn(line, " \t");
		if (end == line || *line == '\n' || *line == '\0')
			return list;
		(void)json_array_append_new(list, json_integer(n));
		line = end;
	}
}

static json_t *
of_capabilities(const char *status)
{
	static const struct {
		const char *field, *name;
	} sets[] = {
		{ "CapEff", "effective" },
		{ "CapPrm", "permitted" },
		{ "CapInh", "inheritable" },
		{ "CapBnd", "bounding" },
		{ "CapAmb", "ambient" },
	};
	json_t *all = json_object();

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		unsigned long long bits =
		    strtoull(of_field(status, sets[i].field), NULL, 16);
		json_t *names = json_array();

		for (unsigned int c = 0; c < capname_count(); c++) {
			if (bits & (1ULL << c))
				(void)json_array_append_new(names,
				    json_string(capname_name(c) + 4));
		}
		(void)json_object_set_new(all, sets[i].name, names);
	}
	return all;
}

static bool
of_has(const json_t *list, const char *word)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v) {
		if (strcmp(json_string_value(v), word) == 0)
			return true;
	}
	return false;
}

static json_t *
of_seccomp(const char *status, const struct privileges_program *program)
{
	static const char *const modes[] = { "none", "strict", "filter" };
	long mode = strtol(of_field(status, "Seccomp"), NULL, 10);
	json_t *calls = json_array();

	for (size_t i = 0; mode == 2 && program->filter != NULL &&
			   program->filter->named[i] != NULL;
	     i++) {
		const char *name = program->filter->named[i];

		if (!of_has(calls, name))
			(void)json_array_append_new(calls, json_string(name));
	}
	return json_pack("{s:s, s:o}", "mode",
	    mode >= 0 && mode < 3 ? modes[mode] : "unknown", "calls", calls);
}

/* ---- namespaces and root ---- */

static bool
of_link(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	n = readlink(path, buf, size - 1);
	buf[n == -1 ? 0 : n] = '\0';
	return n != -1;
}

static json_t *
of_namespaces(pid_t pid, pid_t parent)
{
	static const char *const kinds[] = { "cgroup", "ipc", "mnt", "net",
		"pid", "time", "user", "uts" };
	json_t *list = json_array();
	char name[32], ours[64], its[64];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		(void)snprintf(name, sizeof(name), "ns/%s", kinds[i]);
		if (of_link(parent, name, ours, sizeof(ours)) &&
		    of_link(pid, name, its, sizeof(its)) &&
		    strcmp(ours, its) != 0)
			(void)json_array_append_new(list,
			    json_string(kinds[i]));
	}
	return list;
}

/*
 * "ID PARENT MAJ:MIN ROOT AT ...": which directory of its file system what is
 * mounted last at "/" is.
 */
static json_t *
of_root(pid_t pid)
{
	size_t len;
	CLEANUP_FREE char *text = privileges_read(pid, "mountinfo", &len);
	char root[4096] = "", line_root[4096], at[4096];

	for (const char *p = text; p != NULL && *p != '\0'; p++) {
		if (sscanf(p, "%*d %*d %*s %4095s %4095s", line_root, at) ==
			2 &&
		    strcmp(at, "/") == 0)
			(void)snprintf(root, sizeof(root), "%s", line_root);
		p = strchr(p, '\n');
		if (p == NULL)
			break;
	}
	return json_string(root[0] == '\0' ? "(detached)" : root);
}

/* ---- descriptors ---- */

static int
of_sockopt(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == -1 ? -1
								    : value;
}

/* "unix seqpacket", "tcp6 listening". */
static void
of_socket(int pidfd, int number, char *kind, size_t size)
{
	static const struct {
		int domain, type;
		const char *name;
	} names[] = {
		{ AF_UNIX, SOCK_STREAM, "unix stream" },
		{ AF_UNIX, SOCK_DGRAM, "unix datagram" },
		{ AF_UNIX, SOCK_SEQPACKET, "unix seqpacket" },
		{ AF_INET, SOCK_STREAM, "tcp" },
		{ AF_INET6, SOCK_STREAM, "tcp6" },
		{ AF_INET, SOCK_DGRAM, "udp" },
		{ AF_INET6, SOCK_DGRAM, "udp6" },
	};
	CLEANUP_FD int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	int domain = of_sockopt(fd, SO_DOMAIN), type = of_sockopt(fd, SO_TYPE);
	const char *name = "socket";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].domain == domain && names[i].type == type)
			name = names[i].name;
	}
	(void)snprintf(kind, size, "%s%s", name,
	    of_sockopt(fd, SO_ACCEPTCONN) == 1 ? " listening" : "");
}

/* What there is at the path /proc/PID/fd/N. */
static const char *
of_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return "unknown";
	if (S_ISDIR(st.st_mode))
		return "directory";
	if (S_ISREG(st.st_mode))
		return st.st_nlink == 0 ? "file without a name" : "file";
	if (S_ISFIFO(st.st_mode))
		return "fifo";
	return S_ISCHR(st.st_mode) ? "device" : "other";
}

static json_t *
of_descriptor(pid_t pid, int pidfd, const char *number)
{
	char path[300], to[4096], kind[128];

	(void)snprintf(path, sizeof(path), "fd/%s", number);
	if (!of_link(pid, path, to, sizeof(to)))
		return NULL;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, number);
	if (strncmp(to, "socket:", 7) == 0)
		of_socket(pidfd, atoi(number), kind, sizeof(kind));
	else if (strncmp(to, "pipe:", 5) == 0)
		(void)snprintf(kind, sizeof(kind), "pipe");
	else if (strncmp(to, "anon_inode:", 11) == 0)
		(void)snprintf(kind, sizeof(kind), "%.*s",
		    (int)strcspn(to + 11 + (to[11] == '['), "]"),
		    to + 11 + (to[11] == '['));
	else if (strncmp(to, "/memfd:", 7) == 0)
		(void)snprintf(kind, sizeof(kind), "memory");
	else
		(void)snprintf(kind, sizeof(kind), "%s", of_file(path));
	return json_pack("{s:i, s:s, s:o}", "fd", atoi(number), "kind", kind,
	    "name", json_stringn_nocheck(to, strlen(to)));
}

static int
of_compare(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static json_t *
of_descriptors(pid_t pid)
{
	CLEANUP_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	json_t *list = json_array(), *one;
	struct dirent **names;
	char path[64];
	int n;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	n = scandir(path, &names, NULL, of_compare);
	for (int i = 0; i < n; i++) {
		one = names[i]->d_name[0] == '.'
			  ? NULL
			  : of_descriptor(pid, pidfd, names[i]->d_name);
		if (one != NULL)
			(void)json_array_append_new(list, one);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return list;
}

/* ---- limits ---- */

/* "Max open files            1024                 4096                 files"
 */
static json_t *
of_limits(pid_t pid)
{
	size_t len;
	CLEANUP_FREE char *text = privileges_read(pid, "limits", &len);
	json_t *all = json_object();
	char name[27], soft[22], hard[22];

	for (char *p = text; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (sscanf(p, "Max %22[^\n]", name) != 1 ||
		    strcspn(p, "\n") < 60 ||
		    sscanf(p + 26, "%21s %21s", soft, hard) != 2)
			continue;
		name[strcspn(name, "\n")] = '\0';
		for (size_t n = strlen(name); n > 0 && name[n - 1] == ' '; n--)
			name[n - 1] = '\0';
		(void)json_object_set_new(all, name,
		    json_pack("[s, s]", soft, hard));
	}
	return all;
}

json_t *
privileges_of(pid_t pid, pid_t parent, const struct privileges_program *program)
{
	size_t len;
	CLEANUP_FREE char *status = privileges_read(pid, "status", &len);

	if (status == NULL || len == 0)
		return NULL;
	return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:b, s:o, s:s, s:o, "
			 "s:o, s:o, s:o}",
	    "process", program->name, "pid", (int)pid, "uids",
	    of_numbers(of_field(status, "Uid")), "gids",
	    of_numbers(of_field(status, "Gid")), "groups",
	    of_numbers(of_field(status, "Groups")), "capabilities",
	    of_capabilities(status), "no_new_privs",
	    *of_field(status, "NoNewPrivs") == '1', "seccomp",
	    of_seccomp(status, program), "landlock", program->landlock,
	    "namespaces", of_namespaces(pid, parent), "root", of_root(pid),
	    "descriptors", of_descriptors(pid), "limits", of_limits(pid));
}
