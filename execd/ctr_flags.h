#ifndef CRIOD_EXECD_CTR_FLAGS_H
#define CRIOD_EXECD_CTR_FLAGS_H

/*
 * struct fixed_ctr_create's flags: what the launcher and the monitor need to
 * know of a container without reading its config.json.  The first three say
 * how the monitor handles standard input and output, the others what the
 * launcher is to find in /proc once the container runs.
 */

#define CTR_FLAG_TTY	    0x0001U
#define CTR_FLAG_STDIN	    0x0002U /* keep standard input open */
#define CTR_FLAG_STDIN_ONCE 0x0004U /* close it after the first attach */
#define CTR_FLAG_PRIVILEGED 0x0010U
#define CTR_FLAG_READONLY   0x0020U /* read-only root file system */
#define CTR_FLAG_SECCOMP    0x0040U /* a seccomp filter must be installed */
#define CTR_FLAG_NNP	    0x0080U /* no_new_privs must be set */
#define CTR_FLAG_HOST_NET   0x0100U /* the host's network namespace */
#define CTR_FLAG_HOST_IPC   0x0200U
#define CTR_FLAG_HOST_PID   0x0400U /* kill what is left in its cgroup */
#define CTR_FLAG_POD_PID    0x0800U /* the pod's pinned PID namespace */
#define CTR_FLAG_RESTORE    0x2000U /* from a checkpoint */
#define CTR_FLAG_TARGET_PID 0x1000U /* another container's PID namespace */

/* With one of these there are no checkpoints. */
#define CTR_FLAGS_NO_CHECKPOINT                                                \
	(CTR_FLAG_TTY | CTR_FLAG_HOST_NET | CTR_FLAG_HOST_IPC |                \
	    CTR_FLAG_HOST_PID | CTR_FLAG_POD_PID | CTR_FLAG_TARGET_PID)

/* struct fixed_exec's flags */
#define EXEC_HAS_STDIN	0x1U
#define EXEC_HAS_STDOUT 0x2U
#define EXEC_HAS_STDERR 0x4U
#define EXEC_HAS_TTY	0x8U /* and none of the others */

/* struct fixed_mon_attach's streams */
#define ATTACH_STDIN  0x1U
#define ATTACH_STDOUT 0x2U
#define ATTACH_STDERR 0x4U

/*
 * Packets on an attach socket: one of these, then at most ATTACH_DATA_MAX
 * bytes.  The monitor sends the two outputs only, the client the others.
 */
enum attach_packet {
	ATTACH_PACKET_STDIN = 0,
	ATTACH_PACKET_STDOUT = 1,
	ATTACH_PACKET_STDERR = 2,
	ATTACH_PACKET_END = 3,	  /* of standard input */
	ATTACH_PACKET_RESIZE = 4, /* u16 columns, u16 rows, little-endian */
};
#define ATTACH_DATA_MAX 32768

/* struct fixed_mon_state's state */
#define MON_STATE_ALIVE	 0U /* created or running */
#define MON_STATE_EXITED 2U

#define MON_VERSION	   3U
#define MON_VERSION_ATTACH 2U /* the first that takes MON_ATTACH */

/*
 * A container's end, in its bundle: lib/record.h's format around a struct
 * fixed_mon_state as fixed_encode writes it.  The file is made readable to
 * execd, of exactly that size and all zero, before the container exists; the
 * monitor writes it with one pwrite.
 */
#define CTR_EXIT_FILE	 "exit"
#define CTR_MONITOR_SOCK "monitor.sock"

#endif
