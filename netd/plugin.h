#ifndef CRIOD_NETD_PLUGIN_H
#define CRIOD_NETD_PLUGIN_H

/*
 * What both halves must agree on about a plugin and its parameters.  netd
 * checks what it reads; the launcher checks again what netd asks for.
 */

#include <stdbool.h>

#define PLUGIN_NAME_MAX	  63
#define PLUGIN_IFNAME_MAX 15
#define PLUGIN_ARGS_MAX	  1023

/* struct fixed_plugin_run.netns */
enum {
	NETNS_NONE = 0,	   /* the command concerns no pod's namespace */
	NETNS_USE = 1,	   /* the pod's; with DEL it may be gone */
	NETNS_PREPARE = 2, /* likewise; first bring lo up and refuse
			      router advertisements in it */
};

/* A file name in the plugin directory: [A-Za-z0-9._-]+, not "." or "..". */
bool plugin_name_valid(const char *s);
/* An interface's name as the kernel takes it, from the same letters. */
bool plugin_ifname_valid(const char *s);
/* CNI_ARGS: printable ASCII without space. */
bool plugin_args_valid(const char *s);
/* One of the commands of the CNI specification. */
bool plugin_command_valid(const char *s);
/* True if the command concerns one pod (ADD, DEL, CHECK). */
bool plugin_command_has_pod(const char *s);

#endif
