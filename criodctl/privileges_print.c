#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "criodctl/privileges.h"

#define PRINT_CELL 256

static const char *
print_string(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s == NULL ? "" : s;
}

/* The words of a list; "none" if there are none. */
static void
print_words(const json_t *list, char *out, size_t size)
{
	size_t i, n = 0;
	json_t *v;

	(void)snprintf(out, size, "none");
	json_array_foreach(list, i, v) {
		if (n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s",
			    i == 0 ? "" : " ", json_string_value(v));
	}
}

/* As many as the first process may ever have: all. */
static void
print_caps(const json_t *first, const json_t *o, const char *set, char *out,
    size_t size)
{
	const json_t *all =
	    json_object_get(json_object_get(first, "capabilities"), "bounding");
	const json_t *list =
	    json_object_get(json_object_get(o, "capabilities"), set);

	if (json_array_size(all) > 0 && json_equal(all, list))
		(void)snprintf(out, size, "all");
	else
		print_words(list, out, size);
}

static void
print_user(const json_t *o, char *out, size_t size)
{
	json_int_t uid =
	    json_integer_value(json_array_get(json_object_get(o, "uids"), 1));
	const struct passwd *pw = getpwuid((uid_t)uid);

	if (pw != NULL)
		(void)snprintf(out, size, "%s", pw->pw_name);
	else
		(void)snprintf(out, size, "%lld", (long long)uid);
}

static void
print_row(const json_t *first, const json_t *o)
{
	const json_t *seccomp = json_object_get(o, "seccomp");
	size_t calls = json_array_size(json_object_get(seccomp, "calls"));
	char user[PRINT_CELL], caps[2 * PRINT_CELL], ns[PRINT_CELL], filter[32];

	print_user(o, user, sizeof(user));
	print_caps(first, o, "effective", caps, sizeof(caps));
	print_words(json_object_get(o, "namespaces"), ns, sizeof(ns));
	(void)snprintf(filter, sizeof(filter), "%s", "none");
	if (calls > 0)
		(void)snprintf(filter, sizeof(filter), "%zu calls", calls);
	printf("%-10s %8lld %-11s %-3s %-9s %-8s %-16s %3zu %s\n",
	    print_string(o, "process"),
	    (long long)json_integer_value(json_object_get(o, "pid")), user,
	    json_is_true(json_object_get(o, "no_new_privs")) ? "yes" : "no",
	    filter, print_string(o, "landlock"), ns,
	    json_array_size(json_object_get(o, "descriptors")), caps);
}

static void
print_numbers(const char *label, const json_t *list)
{
	size_t i;
	json_t *v;

	printf("\t%s:", label);
	json_array_foreach(list, i, v) {
		printf(" %lld", (long long)json_integer_value(v));
	}
	putchar('\n');
}

static void
print_more_caps(const json_t *first, const json_t *o)
{
	static const char *const sets[] = { "effective", "permitted",
		"inheritable", "bounding", "ambient" };
	char caps[4 * PRINT_CELL];

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		print_caps(first, o, sets[i], caps, sizeof(caps));
		printf("\t%s capabilities: %s\n", sets[i], caps);
	}
}

static void
print_calls(const json_t *o)
{
	const json_t *list =
	    json_object_get(json_object_get(o, "seccomp"), "calls");
	size_t i;
	json_t *v;

	printf("\tcalls:%s", json_array_size(list) == 0 ? " all" : "");
	json_array_foreach(list, i, v) {
		printf(" %s", json_string_value(v));
	}
	putchar('\n');
}

static void
print_descriptors(const json_t *o)
{
	size_t i;
	json_t *d;

	json_array_foreach(json_object_get(o, "descriptors"), i, d) {
		printf("\tdescriptor %lld: %s, %s\n",
		    (long long)json_integer_value(json_object_get(d, "fd")),
		    print_string(d, "kind"), print_string(d, "name"));
	}
}

static void
print_limits(const json_t *o)
{
	const char *name;
	json_t *v;

	json_object_foreach(json_object_get(o, "limits"), name, v) {
		printf("\tlimit of %s: %s %s\n", name,
		    json_string_value(json_array_get(v, 0)),
		    json_string_value(json_array_get(v, 1)));
	}
}

static void
print_more(const json_t *first, const json_t *o)
{
	print_numbers("uids", json_object_get(o, "uids"));
	print_numbers("gids", json_object_get(o, "gids"));
	print_numbers("groups", json_object_get(o, "groups"));
	print_more_caps(first, o);
	printf("\troot: %s\n", print_string(o, "root"));
	print_calls(o);
	print_descriptors(o);
	print_limits(o);
}

void
privileges_print(const json_t *list, int verbose)
{
	const json_t *first = json_array_get(list, 0);
	size_t i;
	json_t *o;

	printf("%-10s %8s %-11s %-3s %-9s %-8s %-16s %3s %s\n", "PROCESS",
	    "PID", "USER", "NNP", "FILTER", "LANDLOCK", "NAMESPACES", "FDS",
	    "CAPABILITIES");
	json_array_foreach(list, i, o) {
		print_row(first, o);
		if (verbose > 0)
			print_more(first, o);
	}
}
