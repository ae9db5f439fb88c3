/* criodctl privileges: what each process of a running criod may do. */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "criodctl/criodctl.h"
#include "criodctl/ctl.h"
#include "criodctl/privileges.h"
#include "lib/fdio.h"
#include "lib/filter.h"
#include "lib/log.h"

extern const struct filter filter_execd, filter_execlaunch, filter_front,
    filter_imaged, filter_keeper, filter_monitor, filter_netd, filter_nrid,
    filter_pack, filter_pause, filter_policyread, filter_scribe, filter_shelf,
    filter_shimrun, filter_sigcheck, filter_streamd, filter_unarchive,
    filter_unpack;

/* In the order in which they are shown; the parent is the first. */
const struct privileges_program privileges_programs[] = {
	{ "criod", NULL, "none" },
	{ "front", &filter_front, "own root" },
	{ "streamd", &filter_streamd, "no files" },
	{ "imaged", &filter_imaged, "own root" },
	{ "unpack", &filter_unpack, "own root" },
	{ "pack", &filter_pack, "own root" },
	{ "sigcheck", &filter_sigcheck, "no files" },
	{ "shelf", &filter_shelf, "own root" },
	{ "policyread", &filter_policyread, "no files" },
	{ "unarchive", &filter_unarchive, "own root" },
	{ "netd", &filter_netd, "own root" },
	{ "netlaunch", NULL, "none" },
	{ "execd", &filter_execd, "own root" },
	/* The filter is that of its children in a root file system. */
	{ "execlaunch", &filter_execlaunch, "none" },
	{ "nrid", &filter_nrid, "no files" },
	{ "scribe", &filter_scribe, "no files" },
	{ "keeper", &filter_keeper, "own root" },
	{ "monitor", &filter_monitor, "none" },
	{ "shimrun", &filter_shimrun, "none" },
	{ "pause", &filter_pause, "none" },
};
const size_t privileges_nprograms =
    sizeof(privileges_programs) / sizeof(privileges_programs[0]);

#define PRIVILEGES_PATH 4096

/* Of a running criod. */
struct criod {
	pid_t parent;
	char programs[PRIVILEGES_PATH]; /* the directory of the helpers' */
	char state[PRIVILEGES_PATH];
};

static pid_t
privileges_ppid(pid_t pid)
{
	size_t len;
	CLEANUP_FREE char *status = privileges_read(pid, "status", &len);
	const char *at = status == NULL ? NULL : strstr(status, "\nPPid:");

	return at == NULL ? 0 : (pid_t)strtol(at + 6, NULL, 10);
}

/* A root of its own or another mount namespace does not matter to this. */
static bool
privileges_runs(pid_t pid, const char *path)
{
	struct stat its, theirs;
	char exe[64];

	(void)snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)pid);
	return stat(exe, &its) == 0 && stat(path, &theirs) == 0 &&
	       its.st_dev == theirs.st_dev && its.st_ino == theirs.st_ino;
}

static const struct privileges_program *
privileges_program(const struct criod *c, pid_t pid)
{
	char path[PRIVILEGES_PATH + 32];

	if (pid == c->parent)
		return &privileges_programs[0];
	for (size_t i = 1; i < privileges_nprograms; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", c->programs,
		    privileges_programs[i].name);
		if (privileges_runs(pid, path))
			return &privileges_programs[i];
	}
	return NULL;
}

/* Pause has no argument that says whose it is, but its pod's namespace. */
static bool
privileges_in_pod(const struct criod *c, pid_t pid)
{
	char path[PRIVILEGES_PATH + 300];
	struct dirent **names;
	struct stat its, pin;
	bool found = false;
	int n;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	if (stat(path, &its) == -1)
		return false;
	(void)snprintf(path, sizeof(path), "%s/ns", c->state);
	n = scandir(path, &names, NULL, NULL);
	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/ns/%s/pid", c->state,
		    names[i]->d_name);
		found =
		    found ||
		    (names[i]->d_name[0] != '.' && stat(path, &pin) == 0 &&
			pin.st_dev == its.st_dev && pin.st_ino == its.st_ino);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return found;
}

/* Below the parent, or, living on its own, with its state in an argument. */
static bool
privileges_belongs(const struct criod *c, pid_t pid)
{
	size_t len, n = strlen(c->state);
	CLEANUP_FREE char *args = privileges_read(pid, "cmdline", &len);

	for (pid_t p = pid; p > 1; p = privileges_ppid(p)) {
		if (p == c->parent)
			return true;
	}
	if (args == NULL)
		return false;
	for (size_t i = 0; i < len; i += strlen(args + i) + 1) {
		if (strncmp(args + i, c->state, n) == 0 && args[i + n] == '/')
			return true;
	}
	return privileges_in_pod(c, pid);
}

/* The launcher's arguments have the directories. */
static void
privileges_find_launcher(struct criod *c, pid_t pid)
{
	size_t len;
	CLEANUP_FREE char *args = privileges_read(pid, "cmdline", &len);
	char exe[PRIVILEGES_PATH], path[64];
	char *slash;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n == -1 ? 0 : n] = '\0';
	slash = strrchr(exe, '/');
	if (slash == NULL || strcmp(slash, "/execlaunch") != 0 || args == NULL)
		return;
	*slash = '\0';
	(void)snprintf(c->programs, sizeof(c->programs), "%s", exe);
	for (size_t i = 0; i + 3 < len; i += strlen(args + i) + 1) {
		if (strcmp(args + i, "-s") == 0)
			(void)snprintf(c->state, sizeof(c->state), "%s",
			    args + i + 3);
	}
}

/* fn for the pid of every process there is, in order. */
static int
privileges_compare(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static void
privileges_each(struct criod *c, void (*fn)(struct criod *, pid_t, json_t *),
    json_t *list)
{
	struct dirent **names;
	int n = scandir("/proc", &names, NULL, privileges_compare);

	if (n == -1)
		err(1, "/proc");
	for (int i = 0; i < n; i++) {
		pid_t pid = (pid_t)strtol(names[i]->d_name, NULL, 10);

		if (pid > 0)
			fn(c, pid, list);
		free(names[i]);
	}
	free(names);
}

static void
privileges_look(struct criod *c, pid_t pid, json_t *list)
{
	(void)list;
	if (privileges_ppid(pid) == c->parent)
		privileges_find_launcher(c, pid);
}

static void
privileges_add(struct criod *c, pid_t pid, json_t *list)
{
	const struct privileges_program *p = privileges_program(c, pid);
	json_t *o;

	if (p == NULL || !privileges_belongs(c, pid))
		return;
	o = privileges_of(pid, c->parent, p);
	if (o != NULL)
		(void)json_array_append_new(list, o);
}

/* In the order of the programs, then of pids. */
static json_t *
privileges_sorted(const json_t *all)
{
	json_t *list = json_array(), *o;
	size_t k;

	for (size_t i = 0; i < privileges_nprograms; i++) {
		json_array_foreach(all, k, o) {
			if (strcmp(json_string_value(
				       json_object_get(o, "process")),
				privileges_programs[i].name) == 0)
				(void)json_array_append(list, o);
		}
	}
	return list;
}

static void
privileges_dump(const json_t *list)
{
	(void)json_dumpf(list, stdout, JSON_INDENT(1));
	(void)putchar('\n');
}

int
privileges_main(struct ctl *ctl, int argc, char **argv)
{
	struct criod criod = { .parent = ctl_server(ctl) };
	bool json = false;
	int verbose = 0, c;
	json_t *all, *list;

	while ((c = getopt(argc, argv, "jv")) != -1) {
		if (c != 'j' && c != 'v')
			return 2;
		json = json || c == 'j';
		verbose += c == 'v';
	}
	if (argc != optind)
		return 2;
	privileges_each(&criod, privileges_look, NULL);
	if (criod.state[0] == '\0')
		errx(1, "criod[%d] has no launcher", (int)criod.parent);
	all = json_array();
	privileges_each(&criod, privileges_add, all);
	list = privileges_sorted(all);
	if (json)
		privileges_dump(list);
	else
		privileges_print(list, verbose);
	json_decref(list);
	json_decref(all);
	return 0;
}
