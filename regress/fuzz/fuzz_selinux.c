/* SELinux options of pods and containers: four strings each, and the host's
 * context. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "execd/selinux.h"

/* The strings of protobuf-c are not const. */
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
next(char **at)
{
	char *s = strsep(at, "\n");

	return s == NULL ? "" : s;
}

static void
option(Runtime__V1__SELinuxOption *o, char **at)
{
	runtime__v1__selinux_option__init(o);
	o->user = next(at);
	o->role = next(at);
	o->type = next(at);
	o->level = next(at);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Criod__BootExecd boot = CRIOD__BOOT_EXECD__INIT;
	Runtime__V1__SELinuxOption pod, ctr;
	struct selinux_labels out;
	char *text = strndup((const char *)data, size), *at = text;
	char level[SELINUX_LEVEL];
	struct cerr err;
	struct selinux_in in = { .boot = &boot, .pod = &pod, .ctr = &ctr };

	boot.selinux = true;
	boot.selinux_process = next(&at);
	boot.selinux_file = next(&at);
	boot.selinux_init = next(&at);
	boot.selinux_kvm = next(&at);
	option(&pod, &at);
	option(&ctr, &at);
	in.open = size % 2 == 0;
	in.init = size % 3 == 0;
	in.vm = size % 5 == 0;
	if (selinux_level(&boot, &pod, (uint32_t)size * 2654435761U, level,
		&err) == 0) {
		in.level = level;
		if (selinux_make(&in, &out, &err) == 0)
			assert(memchr(out.process, '\0', sizeof(out.process)) !=
			       NULL);
	}
	free(text);
	return 0;
}
