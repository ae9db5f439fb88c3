#ifndef CRIOD_EXECD_POD_FILE_H
#define CRIOD_EXECD_POD_FILE_H

#include "proto/cri.pb-c.h"

/*
 * The text of a pod's resolv.conf; owned, fatal without memory.  Empty if the
 * client says nothing: then the host's is copied.  policy_check_pod looked at
 * every word.
 */
char *pod_file_resolv_conf(const Runtime__V1__DNSConfig *d);

#endif
