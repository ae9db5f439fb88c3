#ifndef CRIOD_LIB_ROEXEC_H
#define CRIOD_LIB_ROEXEC_H

/*
 * Programs that a container may find in /proc/PID/exe (CVE-2019-5736) run from
 * a read-only mount that is theirs alone: they cannot be written through that
 * link, which reads "/".  open_tree(2), mount_setattr(2); needs CAP_SYS_ADMIN.
 */

/* The program on such a mount, for execveat(2); close-on-exec.  -1 with errno.
 */
int roexec_open(const char *path) __attribute__((warn_unused_result));

/*
 * Executes path, from such a mount if there can be one: scripts cannot.
 * Runtimes that see it do not copy themselves for the same reason.  Between
 * fork and exec: async-signal-safe.  Returns only if it failed, with errno.
 */
void roexec(const char *path, char *const argv[], char *const env[]);

#endif
