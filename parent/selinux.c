#include <sys/vfs.h>

#include <linux/magic.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "parent/selinux.h"

#define SELINUX_CONFIG	 "/etc/selinux/config"
#define SELINUX_FILE_MAX 16384
#define SELINUX_NAME_MAX 64

/* False if it is not there; what is longer is cut. */
static bool
selinux_read(const char *path, char buf[SELINUX_FILE_MAX])
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n =
	    fd == -1 ? -1 : fdio_read_upto(fd, buf, SELINUX_FILE_MAX - 1);

	buf[n < 0 ? 0 : n] = '\0';
	return n >= 0;
}

/*
 * The value of the last line that sets key, as KEY = "VALUE" or KEY=VALUE;
 * out stays as it is without one, or if that does not fit.
 */
static void
selinux_value(const char *text, const char *key, char *out, size_t size)
{
	while (*text != '\0') {
		const char *p = text + strspn(text, " \t");
		size_t len = strlen(key);

		text += strcspn(text, "\n");
		text += *text == '\n';
		if (strncmp(p, key, len) != 0)
			continue;
		p += len;
		p += strspn(p, " \t");
		if (*p++ != '=')
			continue;
		p += strspn(p, " \t\"");
		len = strcspn(p, " \t\"\n");
		if (len > 0 && len < size) {
			memcpy(out, p, len);
			out[len] = '\0';
		}
	}
}

void
selinux_contexts(struct selinux_facts *s, const char *text)
{
	selinux_value(text, "process", s->process, sizeof(s->process));
	selinux_value(text, "file", s->file, sizeof(s->file));
	selinux_value(text, "init_process", s->init, sizeof(s->init));
	selinux_value(text, "kvm_process", s->kvm, sizeof(s->kvm));
}

/* On, and a policy is loaded: before that all that runs is "kernel". */
static bool
selinux_enabled(void)
{
	char own[SELINUX_FILE_MAX];
	struct statfs fs;

	return statfs("/sys/fs/selinux", &fs) == 0 &&
	       fs.f_type == SELINUX_MAGIC &&
	       selinux_read("/proc/self/attr/current", own) &&
	       strcmp(own, "kernel") != 0;
}

void
selinux_look(struct selinux_facts *s)
{
	char text[SELINUX_FILE_MAX], path[128], type[SELINUX_NAME_MAX] = "";

	*s = (struct selinux_facts){
		.process = "system_u:system_r:container_t:s0",
		.file = "system_u:object_r:container_file_t:s0",
		.init = "system_u:system_r:container_init_t:s0",
		.kvm = "system_u:system_r:container_kvm_t:s0",
	};
	s->enabled = selinux_enabled();
	if (!s->enabled || !selinux_read(SELINUX_CONFIG, text))
		return;
	selinux_value(text, "SELINUXTYPE", type, sizeof(type));
	if (type[0] == '\0' || strchr(type, '/') != NULL)
		return;
	(void)snprintf(path, sizeof(path),
	    "/etc/selinux/%s/contexts/lxc_contexts", type);
	if (selinux_read(path, text))
		selinux_contexts(s, text);
}
