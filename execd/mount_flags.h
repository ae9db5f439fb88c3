#ifndef CRIOD_EXECD_MOUNT_FLAGS_H
#define CRIOD_EXECD_MOUNT_FLAGS_H

/*
 * Mounts of a container that the launcher makes before the runtime, which
 * then binds them: STATE/rootfs/CTR/mNUMBER, of struct fixed_mount's flags.
 */

#define MOUNT_FLAG_IMAGE 0x01U /* of layers, at path below their root */
#define MOUNT_FLAG_SLAVE 0x02U /* what the host mounts there later shows up */
#define MOUNT_FLAG_RRO	 0x04U /* read-only, with all beneath it */

#define MOUNT_FLAG_REAL 0x08U /* path has no symbolic link, or fail */

#define MOUNT_FLAG_ALL 0x0fU
#define MOUNT_MAX      1024U /* of one container */

/* struct fixed_host_path's propagation: what the source's mount must do. */
#define MOUNT_SOURCE_ANY    0U
#define MOUNT_SOURCE_SLAVE  1U /* hear of the host's mounts */
#define MOUNT_SOURCE_SHARED 2U /* and tell of its own */

/* Its flags: say what the path is without symbolic links. */
#define MOUNT_SOURCE_REAL 0x01U

#endif
