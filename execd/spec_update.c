/* New limits of a container, for its runtime and for its cgroup's files. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "execd/spec_part.h"
#include "execd/spec_update.h"

/* Takes value; one without members says nothing. */
static int
spec_update_part(struct spec *s, json_t *o, const char *key, json_t *value)
{
	if (value != NULL && json_object_size(value) == 0) {
		json_decref(value);
		return 0;
	}
	return spec_set(s, o, key, value);
}

json_t *
spec_update(const Criod__BootExecd *boot,
    const Runtime__V1__LinuxContainerResources *res, struct cerr *err)
{
	struct spec_in in = { .boot = boot };
	struct spec s = { .in = &in, .res = res, .err = err };
	json_t *o = spec_object(&s);

	if (o == NULL)
		return NULL;
	if (spec_update_part(&s, o, "cpu", spec_cpu(&s)) == 0 &&
	    spec_update_part(&s, o, "memory", spec_memory(&s)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int
spec_update_add(struct update_file *list, size_t *n, const char *name,
    const char *value, struct cerr *err)
{
	struct update_file *f = &list[*n];

	if (*n == UPDATE_FILES_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "resources: too many limits");
	if (strlen(name) >= sizeof(f->name) ||
	    strlen(value) >= sizeof(f->value))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "resources: \"%.64s\": too long", name);
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	(void)snprintf(f->value, sizeof(f->value), "%s", value);
	(*n)++;
	return 0;
}

/* What is reserved, then what is used: runtimes limit both. */
static int
spec_update_huge(const Criod__BootExecd *boot,
    const Runtime__V1__HugepageLimit *h, struct update_file *list, size_t *n,
    struct cerr *err)
{
	static const char *const reserved[] = { ".rsvd", "" };
	char name[UPDATE_FILE_SIZE], value[24];

	if (!spec_page_size(h->page_size) || h->limit > INT64_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "hugepage_limits: \"%.32s\"", h->page_size);
	if (!boot->hugetlb)
		return 0;
	(void)snprintf(value, sizeof(value), "%" PRIu64, h->limit);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(name, sizeof(name), "hugetlb.%s%s.%s",
		    h->page_size, reserved[i],
		    boot->cgroup2 ? "max" : "limit_in_bytes");
		if (spec_update_add(list, n, name, value, err) == -1)
			return -1;
	}
	return 0;
}

int
spec_update_files(const Criod__BootExecd *boot,
    const Runtime__V1__LinuxContainerResources *res,
    struct update_file list[UPDATE_FILES_MAX], size_t *n, struct cerr *err)
{
	*n = 0;
	/* See spec_cpu. */
	if (res->cpu_quota < 0 && !boot->cgroup2 &&
	    spec_update_add(list, n, "cpu.cfs_quota_us", "-1", err) == -1)
		return -1;
	if (res->n_unified > 0 && !boot->cgroup2)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "resources.unified: this host has no cgroup v2");
	/* It writes its own values again whenever something near changes. */
	if (res->n_unified > 0 &&
	    boot->cgroup_driver == RUNTIME__V1__CGROUP_DRIVER__SYSTEMD)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "resources.unified: systemd, which manages the cgroups, "
		    "would undo a change");
	for (size_t i = 0; i < res->n_hugepage_limits; i++) {
		if (spec_update_huge(boot, res->hugepage_limits[i], list, n,
			err) == -1)
			return -1;
	}
	for (size_t i = 0; i < res->n_unified; i++) {
		const char *key = res->unified[i]->key;

		if (!spec_unified_key(key))
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "resources.unified: \"%.64s\"", key);
		if (spec_update_add(list, n, key, res->unified[i]->value,
			err) == -1)
			return -1;
	}
	return 0;
}
