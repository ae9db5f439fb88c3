#ifndef CRIOD_EXECD_POD_NS_H
#define CRIOD_EXECD_POD_NS_H

/*
 * struct fixed_pod_make's flags: the namespaces that a pod has of its own and
 * that the launcher makes and pins below STATE/ns/POD.  One that is not named
 * is the host's, or (PID) each container's own.
 */

#define POD_NS_NET  0x01U /* pinned as net; loopback is up */
#define POD_NS_IPC  0x02U /* pinned as ipc */
#define POD_NS_UTS  0x04U /* pinned as uts; an empty hostname: the host's */
#define POD_NS_PID  0x08U /* pinned as pid; its first process is pause */
#define POD_NS_USER 0x10U /* pinned as user */

#define POD_NS_ALL 0x1fU

/*
 * The descriptors that come with struct fixed_pod_make: resolv.conf, hostname,
 * hosts, as many as the pod has.  An empty one asks for a copy of the host's.
 */
#define POD_FILES 3

/* Bytes of struct fixed_pod_make's shm_size if nothing else is asked for. */
#define POD_SHM_SIZE (64ULL * 1024 * 1024)

#endif
