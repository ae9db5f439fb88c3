#ifndef CRIOD_CRIOD_CHECK_VALUE_H
#define CRIOD_CRIOD_CHECK_VALUE_H

/*
 * What one string may look like.  Each returns NULL if it is well, else what
 * is wrong with it, to stand behind the field's path.  "opt" ones take the
 * empty string as well.
 */

#include <stddef.h>

typedef const char *(*check_value_fn)(const char *s);

/* Names of pods, namespaces, containers, and uids: they become parts of
 * paths, arguments of plugins and lines of logs. */
const char *check_value_name(const char *s);
/* At most 4 KiB without control characters. */
const char *check_value_opt_line(const char *s);
/* The same, without blanks, at most 255 bytes, not empty. */
const char *check_value_word(const char *s);
const char *check_value_path(const char *s); /* absolute, no ".." */
const char *check_value_opt_path(const char *s);
/* Relative, no "..", as a container's log below the pod's. */
const char *check_value_opt_relative(const char *s);
const char *check_value_opt_hostname(const char *s);
const char *check_value_ip(const char *s);
const char *check_value_opt_ip(const char *s);
/* A cgroup's absolute path, or the name of a systemd slice. */
const char *check_value_opt_cgroup(const char *s);
const char *check_value_sysctl_name(const char *s);
const char *check_value_sysctl_value(const char *s);
const char *check_value_label_key(const char *s);
const char *check_value_any(const char *s);
const char *check_value_opt_cpuset(const char *s);
const char *check_value_unified_key(const char *s);
const char *check_value_page_size(const char *s);
const char *check_value_capability(const char *s);
const char *check_value_env_name(const char *s);
const char *check_value_opt_permissions(const char *s); /* of a device */
const char *check_value_reference(const char *s);	/* of an image */
const char *check_value_opt_user(const char *s);

#endif
