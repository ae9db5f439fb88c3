#include <stdio.h>
#include <string.h>

#include "execd/runtime_facts.h"
#include "lib/json.h"

/*
 * The first releases without the mount and descriptor holes that are public
 * (leaked descriptors, links in /dev and /proc).  A distribution may have
 * mended an older one, so this is a warning.
 */
static const struct {
	const char *name;
	int version[3];
} runtime_facts_fixed[] = {
	{ "crun", { 1, 28, 0 } },
	{ "runc", { 1, 3, 6 } },
};

/* "crun version 1.8.1\n..." */
static int
runtime_facts_version(const char *text, struct runtime_facts *f)
{
	int *v = f->version;

	if (sscanf(text, "%31s version %9d.%9d.%9d", f->name, &v[0], &v[1],
		&v[2]) < 3)
		return -1;
	return 0;
}

static bool
runtime_facts_older(const int a[3], const int b[3])
{
	for (int i = 0; i < 3; i++) {
		if (a[i] != b[i])
			return a[i] < b[i];
	}
	return false;
}

static bool
runtime_facts_option(const json_t *features, const char *option)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(features, "mountOptions"), i, v) {
		if (json_is_string(v) &&
		    strcmp(json_string_value(v), option) == 0)
			return true;
	}
	return false;
}

void
runtime_facts_parse(const char *text, size_t len, struct runtime_facts *out)
{
	size_t first = strlen(text);
	json_t *features;

	*out = (struct runtime_facts){ 0 };
	if (runtime_facts_version(text, out) == -1)
		*out = (struct runtime_facts){ .name = "unknown" };
	for (size_t i = 0;
	     i < sizeof(runtime_facts_fixed) / sizeof(runtime_facts_fixed[0]);
	     i++) {
		if (strcmp(out->name, runtime_facts_fixed[i].name) == 0)
			out->outdated = runtime_facts_older(out->version,
			    runtime_facts_fixed[i].version);
	}
	/* crun lists what it was built with; runc always can. */
	out->criu =
	    strcmp(out->name, "runc") == 0 ||
	    (strcmp(out->name, "crun") == 0 && strstr(text, "+CRIU") != NULL);
	if (first + 1 >= len)
		return; /* a runtime without "features" */
	features = json_read_bounded("features", text + first + 1,
	    len - first - 1, RUNTIME_FACTS_MAX, NULL);
	out->rro = runtime_facts_option(features, "rro");
	json_decref(features);
}
