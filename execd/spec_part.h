#ifndef CRIOD_EXECD_SPEC_PART_H
#define CRIOD_EXECD_SPEC_PART_H

/* Between the files that build config.json. */

#include <jansson.h>

#include "execd/spec.h"

struct spec {
	const struct spec_in *in;
	struct spec_out *out;
	const Runtime__V1__LinuxContainerSecurityContext *sc; /* may be NULL */
	const Runtime__V1__LinuxContainerResources *res;      /* may be NULL */
	bool privileged;
	struct cerr *err;
};

/* Each makes one object or array, or NULL with s->err. */
json_t *spec_process(struct spec *s);
json_t *spec_mounts(struct spec *s);
json_t *spec_resources(struct spec *s);
/* Each device node that was asked for, and its place in the container. */
typedef int (*spec_device_fn)(struct spec *s, void *arg,
    const struct devlist_entry *e, const char *path);
int spec_each_device(struct spec *s, spec_device_fn fn, void *arg)
    __attribute__((warn_unused_result));
json_t *spec_devices(struct spec *s);
json_t *spec_namespaces(struct spec *s);
json_t *spec_id_map(struct spec *s, const struct policy_ids *ids);
json_t *spec_masked(struct spec *s);
json_t *spec_readonly(struct spec *s);

/* Parts of the resources, and what is checked in them. */
json_t *spec_cpu(struct spec *s);
json_t *spec_memory(struct spec *s);
bool spec_page_size(const char *p);
bool spec_unified_key(const char *key);

/* A string of the client's; NULL with err if it is not UTF-8. */
json_t *spec_string(struct spec *s, const char *field, const char *value);
/* Takes value (NULL is passed on as failure). */
int spec_set(struct spec *s, json_t *object, const char *key, json_t *value)
    __attribute__((warn_unused_result));
int spec_add(struct spec *s, json_t *array, json_t *value)
    __attribute__((warn_unused_result));
/* A new object or array; never fails otherwise than for memory. */
json_t *spec_object(struct spec *s);
json_t *spec_array(struct spec *s);
/* An array of constant strings, NULL at the end. */
json_t *spec_words(struct spec *s, const char *const *words);

/* Whether a client may name it so, or mount there. */
bool spec_page_size(const char *size);
bool spec_unified_key(const char *key);
bool spec_mount_proc_allowed(const char *to, const char *from);
/* path NULL: a new one. */
int spec_namespace(struct spec *s, json_t *list, const char *type,
    const char *path) __attribute__((warn_unused_result));
/* The pod's, as it is pinned. */
int spec_namespace_pod(struct spec *s, json_t *list, const char *type,
    const char *name) __attribute__((warn_unused_result));
/* linux.cgroupsPath of id; out->cgroup is what it comes to. */
json_t *spec_cgroup(struct spec *s, const char *id);
/* process.selinuxLabel, and out->labels; nothing where there is none. */
int spec_selinux(struct spec *s, json_t *process)
    __attribute__((warn_unused_result));
/* What a shim reads. */
int spec_set_annotations(struct spec *s) __attribute__((warn_unused_result));

/* The fs.root propagation that the mounts need; "" if none. */
const char *spec_propagation(const struct spec *s);

/* NODE pid namespace, from the container's options. */
Runtime__V1__NamespaceMode spec_pid_mode(const struct spec *s);

#endif
