#include <linux/capability.h>

#include <string.h>
#include <strings.h>

#include "execd/caps.h"

static const char *const caps_names[] = {
	[CAP_CHOWN] = "CAP_CHOWN",
	[CAP_DAC_OVERRIDE] = "CAP_DAC_OVERRIDE",
	[CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
	[CAP_FOWNER] = "CAP_FOWNER",
	[CAP_FSETID] = "CAP_FSETID",
	[CAP_KILL] = "CAP_KILL",
	[CAP_SETGID] = "CAP_SETGID",
	[CAP_SETUID] = "CAP_SETUID",
	[CAP_SETPCAP] = "CAP_SETPCAP",
	[CAP_LINUX_IMMUTABLE] = "CAP_LINUX_IMMUTABLE",
	[CAP_NET_BIND_SERVICE] = "CAP_NET_BIND_SERVICE",
	[CAP_NET_BROADCAST] = "CAP_NET_BROADCAST",
	[CAP_NET_ADMIN] = "CAP_NET_ADMIN",
	[CAP_NET_RAW] = "CAP_NET_RAW",
	[CAP_IPC_LOCK] = "CAP_IPC_LOCK",
	[CAP_IPC_OWNER] = "CAP_IPC_OWNER",
	[CAP_SYS_MODULE] = "CAP_SYS_MODULE",
	[CAP_SYS_RAWIO] = "CAP_SYS_RAWIO",
	[CAP_SYS_CHROOT] = "CAP_SYS_CHROOT",
	[CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
	[CAP_SYS_PACCT] = "CAP_SYS_PACCT",
	[CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
	[CAP_SYS_BOOT] = "CAP_SYS_BOOT",
	[CAP_SYS_NICE] = "CAP_SYS_NICE",
	[CAP_SYS_RESOURCE] = "CAP_SYS_RESOURCE",
	[CAP_SYS_TIME] = "CAP_SYS_TIME",
	[CAP_SYS_TTY_CONFIG] = "CAP_SYS_TTY_CONFIG",
	[CAP_MKNOD] = "CAP_MKNOD",
	[CAP_LEASE] = "CAP_LEASE",
	[CAP_AUDIT_WRITE] = "CAP_AUDIT_WRITE",
	[CAP_AUDIT_CONTROL] = "CAP_AUDIT_CONTROL",
	[CAP_SETFCAP] = "CAP_SETFCAP",
	[CAP_MAC_OVERRIDE] = "CAP_MAC_OVERRIDE",
	[CAP_MAC_ADMIN] = "CAP_MAC_ADMIN",
	[CAP_SYSLOG] = "CAP_SYSLOG",
	[CAP_WAKE_ALARM] = "CAP_WAKE_ALARM",
	[CAP_BLOCK_SUSPEND] = "CAP_BLOCK_SUSPEND",
	[CAP_AUDIT_READ] = "CAP_AUDIT_READ",
	[CAP_PERFMON] = "CAP_PERFMON",
	[CAP_BPF] = "CAP_BPF",
	[CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
};

#define CAPS_COUNT (sizeof(caps_names) / sizeof(caps_names[0]))

uint64_t
caps_default(void)
{
	return CAPS_BIT(CAP_CHOWN) | CAPS_BIT(CAP_DAC_OVERRIDE) |
	       CAPS_BIT(CAP_FSETID) | CAPS_BIT(CAP_FOWNER) |
	       CAPS_BIT(CAP_SETGID) | CAPS_BIT(CAP_SETUID) |
	       CAPS_BIT(CAP_SETPCAP) | CAPS_BIT(CAP_NET_BIND_SERVICE) |
	       CAPS_BIT(CAP_KILL);
}

unsigned int
caps_count(void)
{
	return CAPS_COUNT;
}

const char *
caps_name(unsigned int cap)
{
	return cap < CAPS_COUNT ? caps_names[cap] : NULL;
}

int
caps_number(const char *name)
{
	const char *bare = strncasecmp(name, "CAP_", 4) == 0 ? name + 4 : name;

	for (unsigned int i = 0; i < CAPS_COUNT; i++) {
		if (strcasecmp(caps_names[i] + 4, bare) == 0)
			return (int)i;
	}
	return -1;
}

/* Collects names; ALL sets *all instead. */
static int
caps_collect(char *const *names, size_t n, const char *field, uint64_t *set,
    bool *all, struct cerr *err)
{
	int cap;

	*set = 0;
	*all = false;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(names[i], "ALL") == 0) {
			*all = true;
			continue;
		}
		cap = caps_number(names[i]);
		if (cap == -1)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "%s: no capability is called %.64s", field,
			    names[i]);
		*set |= CAPS_BIT(cap);
	}
	return 0;
}

static int
caps_available(uint64_t want, uint64_t bounding, struct cerr *err)
{
	for (unsigned int i = 0; i < CAPS_COUNT; i++) {
		if (want & ~bounding & CAPS_BIT(i))
			return cerr_set(err, CERR_FAILED_PRECONDITION,
			    "%s is not among this daemon's own capabilities",
			    caps_names[i]);
	}
	return 0;
}

int
caps_resolve(const struct caps_in *in, struct caps *out, struct cerr *err)
{
	uint64_t add, drop, ambient;
	bool add_all, drop_all, ambient_all;

	if (caps_collect(in->add, in->nadd, "add_capabilities", &add, &add_all,
		err) == -1 ||
	    caps_collect(in->drop, in->ndrop, "drop_capabilities", &drop,
		&drop_all, err) == -1 ||
	    caps_collect(in->ambient, in->nambient, "add_ambient_capabilities",
		&ambient, &ambient_all, err) == -1)
		return -1;
	*out = (struct caps){ .permitted = in->bounding };
	if (in->privileged)
		return 0;
	if (caps_available(add | ambient, in->bounding, err) == -1)
		return -1;
	if (drop_all)
		out->permitted = 0;
	else if (!add_all)
		out->permitted = caps_default() & in->bounding;
	if (ambient_all)
		ambient = in->bounding;
	out->permitted |= add | ambient;
	out->permitted &= ~drop;
	out->ambient = ambient & ~drop;
	return 0;
}
