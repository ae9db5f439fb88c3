#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "criod/pb.h"
#include "criod/resources.h"
#include "lib/log.h"

static const size_t resources_numbers[] = {
	offsetof(Runtime__V1__LinuxContainerResources, cpu_period),
	offsetof(Runtime__V1__LinuxContainerResources, cpu_quota),
	offsetof(Runtime__V1__LinuxContainerResources, cpu_shares),
	offsetof(Runtime__V1__LinuxContainerResources, memory_limit_in_bytes),
	offsetof(Runtime__V1__LinuxContainerResources,
	    memory_swap_limit_in_bytes),
};

static int64_t *
resources_number(Runtime__V1__LinuxContainerResources *r, size_t i)
{
	return (void *)((char *)r + resources_numbers[i]);
}

static void
resources_text(char **to, const char *change)
{
	if (change[0] == '\0')
		return;
	/* As protobuf-c frees it. */
	if (*to != protobuf_c_empty_string)
		free(*to);
	*to = pb_strdup(change);
}

/* One more place at the end of a list that protobuf-c will free. */
static void *
resources_grow(void *list, size_t n)
{
	void *grown = reallocarray(list, n + 1, sizeof(void *));

	if (grown == NULL)
		fatal("reallocarray");
	return grown;
}

static void
resources_hugepage(Runtime__V1__LinuxContainerResources *r,
    const Runtime__V1__HugepageLimit *change)
{
	for (size_t i = 0; i < r->n_hugepage_limits; i++) {
		if (strcmp(r->hugepage_limits[i]->page_size,
			change->page_size) == 0) {
			r->hugepage_limits[i]->limit = change->limit;
			return;
		}
	}
	r->hugepage_limits =
	    resources_grow(r->hugepage_limits, r->n_hugepage_limits);
	r->hugepage_limits[r->n_hugepage_limits++] = pb_copy(change);
}

static void
resources_unified(Runtime__V1__LinuxContainerResources *r,
    const Runtime__V1__LinuxContainerResources__UnifiedEntry *change)
{
	for (size_t i = 0; i < r->n_unified; i++) {
		if (strcmp(r->unified[i]->key, change->key) != 0)
			continue;
		pb_free(r->unified[i]);
		r->unified[i] = pb_copy(change);
		return;
	}
	r->unified = resources_grow(r->unified, r->n_unified);
	r->unified[r->n_unified++] = pb_copy(change);
}

/*
 * A limit of memory alone leaves the amount of swap: memory_swap_limit counts
 * both.
 */
static int64_t
resources_swap(const Runtime__V1__LinuxContainerResources *old,
    const Runtime__V1__LinuxContainerResources *change)
{
	int64_t limit = change->memory_limit_in_bytes, swap;

	if (change->memory_swap_limit_in_bytes != 0 || limit == 0 ||
	    old->memory_swap_limit_in_bytes <= 0 ||
	    old->memory_limit_in_bytes <= 0)
		return 0;
	if (limit < 0)
		return -1;
	swap = old->memory_swap_limit_in_bytes - old->memory_limit_in_bytes;
	return limit > INT64_MAX - swap ? INT64_MAX : limit + swap;
}

Runtime__V1__LinuxContainerResources *
resources_merge(const Runtime__V1__LinuxContainerResources *old,
    const Runtime__V1__LinuxContainerResources *change)
{
	Runtime__V1__LinuxContainerResources none =
	    RUNTIME__V1__LINUX_CONTAINER_RESOURCES__INIT;
	Runtime__V1__LinuxContainerResources *r, copy = *change;
	int64_t swap;

	if (old == NULL)
		old = &none;
	r = pb_copy(old);
	swap = resources_swap(old, change);
	if (swap != 0)
		copy.memory_swap_limit_in_bytes = swap;
	for (size_t i = 0;
	     i < sizeof(resources_numbers) / sizeof(resources_numbers[0]);
	     i++) {
		if (*resources_number(&copy, i) != 0)
			*resources_number(r, i) = *resources_number(&copy, i);
	}
	resources_text(&r->cpuset_cpus, change->cpuset_cpus);
	resources_text(&r->cpuset_mems, change->cpuset_mems);
	for (size_t i = 0; i < change->n_hugepage_limits; i++)
		resources_hugepage(r, change->hugepage_limits[i]);
	for (size_t i = 0; i < change->n_unified; i++)
		resources_unified(r, change->unified[i]);
	return r;
}

void
resources_step(Runtime__V1__LinuxContainerResources *step,
    const Runtime__V1__LinuxContainerResources *merged,
    const Runtime__V1__LinuxContainerResources *change)
{
	*step = *change;
	if (change->cpu_quota != 0 || change->cpu_period != 0) {
		step->cpu_quota = merged->cpu_quota;
		step->cpu_period = merged->cpu_period;
	}
	if (change->memory_limit_in_bytes != 0 ||
	    change->memory_swap_limit_in_bytes != 0) {
		step->memory_limit_in_bytes = merged->memory_limit_in_bytes;
		step->memory_swap_limit_in_bytes =
		    merged->memory_swap_limit_in_bytes;
	}
}
