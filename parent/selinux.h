#ifndef CRIOD_PARENT_SELINUX_H
#define CRIOD_PARENT_SELINUX_H

/* SELinux of the host: is it on, and how does it label containers? */

#include <stdbool.h>
#include <stddef.h>

#define SELINUX_CONTEXT 256

struct selinux_facts {
	bool enabled;
	char process[SELINUX_CONTEXT]; /* "USER:ROLE:TYPE:LEVEL" */
	char file[SELINUX_CONTEXT];
	char init[SELINUX_CONTEXT];
	char kvm[SELINUX_CONTEXT];
};

void selinux_look(struct selinux_facts *s);

/* A policy's lxc_contexts, as far as it says something. */
void selinux_contexts(struct selinux_facts *s, const char *text);

#endif
