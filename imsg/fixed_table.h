/*
 * The fixed-size messages: what a process may take that must not parse
 * anything.  FIXED(NAME, FIELDS) makes struct fixed_NAME and its codec.
 * Field kinds: U32, U64, I64, STR (size with its NUL; zero-filled after it),
 * ARR64 (array of u64, count), no others.  Multi-byte values travel
 * little-endian.  This file is included several times with different macros:
 * no guard.
 */

#define FIXED_FIELDS_none(U32, U64, I64, STR, ARR64) U32(zero)

/* A link to a peer; the descriptor is one end of a socketpair. */
#define FIXED_FIELDS_link(U32, U64, I64, STR, ARR64) U32(role)

/* A peer broke the protocol. */
#define FIXED_FIELDS_peer_bad(U32, U64, I64, STR, ARR64) U32(role)

/* The id of the request that is no longer wanted. */
#define FIXED_FIELDS_cancel(U32, U64, I64, STR, ARR64) U32(request)

/* What kind of file the parent is asked to open again: criod.File.Kind. */
#define FIXED_FIELDS_scan(U32, U64, I64, STR, ARR64) U32(kind)

/*
 * What file of credentials: of the configuration, or with a namespace the one
 * that a credential provider left for it and the image of whose name this is
 * the sha256, in hexadecimal.
 */
#define FIXED_FIELDS_auth_take(U32, U64, I64, STR, ARR64)                      \
	STR(namespace, 64) STR(digest, 65)

/* op: 0 unpack a blob into layer, 1 remove what layer holds, 2 read it; 3
 * check a signature, layer is not used; 4 read the catalogue of the additional
 * store that layer is in (lib/layerid.h), 5 read that layer. */
#define FIXED_FIELDS_unpack_spawn(U32, U64, I64, STR, ARR64) U64(layer) U32(op)

/*
 * imaged to unpack, with the blob and the file for the recipe.  compression:
 * 0 none, 1 gzip, 2 zstd.  diff_id is the sha256 of the uncompressed tar, in
 * hexadecimal.  have is how much of the blob is in the file now; UNPACK_MORE
 * says when there is more.  compression 3: one file, of that name.
 */
#define FIXED_FIELDS_unpack_layer(U32, U64, I64, STR, ARR64)                   \
	U32(compression)                                                       \
	U64(blob_size)                                                         \
	STR(diff_id, 65) U64(max_bytes) U64(max_entries) U64(have)             \
	    STR(name, 256)

#define FIXED_FIELDS_unpack_more(U32, U64, I64, STR, ARR64) U64(have)

#define FIXED_FIELDS_unpack_done(U32, U64, I64, STR, ARR64)                    \
	U64(bytes) U64(inodes) STR(diff_id, 65)

/* With the recipe (but for op 5) and, if the tar is wanted, a pipe for it. */
#define FIXED_FIELDS_pack_layer(U32, U64, I64, STR, ARR64) STR(diff_id, 65)

/* size: of the tar; lost: it cannot be made again. */
#define FIXED_FIELDS_pack_done(U32, U64, I64, STR, ARR64) U64(size) U32(lost)

/*
 * With a file to put the catalogue in (imaged/dump.h).  print: what was said
 * of it before; the same comes back, without a catalogue, if nothing changed.
 */
#define FIXED_FIELDS_shelf_read(U32, U64, I64, STR, ARR64) STR(print, 100)

#define FIXED_FIELDS_shelf_done(U32, U64, I64, STR, ARR64)                     \
	STR(print, 100) U64(len)

/*
 * Which signature of a directory of such: of the manifest with this sha256, in
 * hexadecimal, of this repository.  source counts BOOT's signature sources.
 */
#define FIXED_FIELDS_sig_file(U32, U64, I64, STR, ARR64)                       \
	U32(source) U32(number) STR(repository, 256) STR(digest, 65)

/*
 * imaged to sigcheck goes SIG_CHECK with three memfds: keyrings, each behind
 * its length (4 bytes, little-endian), and an OpenPGP message, both sealed,
 * then one where len bytes of what was signed are put.
 */
#define FIXED_FIELDS_sig_checked(U32, U64, I64, STR, ARR64)                    \
	U32(len) STR(fingerprint, 65)

/* A launcher's or monitor's "no": code is enum cerr_code. */
#define FIXED_FIELDS_fail(U32, U64, I64, STR, ARR64) U32(code) STR(text, 1024)

/*
 * flags: POD_NS_* of execd/pod_ns.h, which has the descriptors, too: sealed
 * memfds.  sysctls come as L_POD_SYSCTL before.  With POD_NS_USER: ids 0 to
 * count - 1 are the host's from uid and gid on.  label is SELinux's for its
 * files, or empty; so it is in rootfs.
 */
#define FIXED_FIELDS_pod_make(U32, U64, I64, STR, ARR64)                       \
	STR(pod, 65)                                                           \
	U32(flags)                                                             \
	U64(shm_size)                                                          \
	STR(hostname, 65) STR(cgroup, 1024) U32(uid) U32(uid_count) U32(gid)   \
	    U32(gid_count) STR(label, 512)

#define FIXED_FIELDS_pod_sysctl(U32, U64, I64, STR, ARR64)                     \
	STR(pod, 65) STR(name, 128) STR(value, 1024)

#define FIXED_FIELDS_pod(U32, U64, I64, STR, ARR64) STR(pod, 65)

/* pause_pid is 0 when the pod has no pause process. */
#define FIXED_FIELDS_pod_made(U32, U64, I64, STR, ARR64) U32(pause_pid)

/*
 * layers are layer numbers, lowest first; nlayers at most 128.  userns: the
 * pod whose user namespace the image's ids are of; empty: none.
 */
#define FIXED_FIELDS_rootfs(U32, U64, I64, STR, ARR64)                         \
	STR(ctr, 65)                                                           \
	STR(userns, 65) U32(nlayers) ARR64(layers, 128) STR(label, 512)

/*
 * flags: MOUNT_FLAG_* of execd/mount_flags.h.  path: of the host; of an image
 * volume, below its root or empty.  userns and layers as with rootfs.
 */
#define FIXED_FIELDS_mount(U32, U64, I64, STR, ARR64)                          \
	STR(ctr, 65)                                                           \
	U32(number)                                                            \
	U32(flags)                                                             \
	STR(userns, 65) STR(path, 4096) U32(nlayers) ARR64(layers, 128)        \
	    STR(label, 512)

/* path is absolute and lexically clean; the launcher resolves its symbolic
 * links inside the root file system.  userns as with rootfs. */
#define FIXED_FIELDS_rootfs_dir(U32, U64, I64, STR, ARR64)                     \
	STR(ctr, 65) STR(userns, 65) STR(path, 4096)

/*
 * runtime: index into the runtimes the launcher was started with.
 * flags: CTR_FLAG_* of execd/ctr_flags.h.  cgroup is where the runtime puts
 * the container, for verification and for OOM counts.  log_dir is absolute;
 * empty: no log.  caps is the bounding set to find, bits 1 << CAP_*.
 * apparmor and selinux are labels, or empty.
 */
#define FIXED_FIELDS_ctr_create(U32, U64, I64, STR, ARR64)                     \
	STR(ctr, 65)                                                           \
	STR(pod, 65)                                                           \
	U32(runtime) U32(flags) STR(cgroup, 1024) STR(log_dir, 4096)           \
	    STR(log_name, 256) U32(uid) U32(gid) U64(caps) I64(oom_score_adj)  \
		STR(apparmor, 256) STR(selinux, 512)

#define FIXED_FIELDS_ctr_created(U32, U64, I64, STR, ARR64)                    \
	U32(pid) U64(start_time)

#define FIXED_FIELDS_ctr(U32, U64, I64, STR, ARR64) STR(ctr, 65) U32(runtime)

#define FIXED_FIELDS_ctr_signal(U32, U64, I64, STR, ARR64)                     \
	STR(ctr, 65) U32(runtime) U32(signal)

#define FIXED_FIELDS_ctr_log(U32, U64, I64, STR, ARR64)                        \
	STR(ctr, 65) STR(log_dir, 4096) STR(log_name, 256)

/*
 * With process.json (sealed memfd), then standard input, output and error,
 * each if flags (EXEC_HAS_* of execd/ctr_flags.h) says so; or with the first
 * alone and EXEC_HAS_TTY: then L_EXEC_TTY follows, with the terminal.
 */
#define FIXED_FIELDS_exec(U32, U64, I64, STR, ARR64)                           \
	STR(ctr, 65) STR(exec, 65) U32(runtime) U32(flags) U64(timeout_ms)

/* The master of a terminal, before the command it belongs to has ended. */
#define FIXED_FIELDS_exec_tty(U32, U64, I64, STR, ARR64) STR(exec, 65)

#define FIXED_FIELDS_exec_done(U32, U64, I64, STR, ARR64)                      \
	U32(exit_code) U32(timed_out)

/*
 * what: STAT_WANT_* of execd/stat_file.h; names: at most STAT_NAMES_MAX of
 * STAT_NAME_SIZE bytes, one after the other.  L_STATS_ARE carries a sealed
 * memfd, as that file describes; what is not there any more is left out.
 */
#define FIXED_FIELDS_stats(U32, U64, I64, STR, ARR64) U32(what) STR(names, 2081)

/*
 * Checkpoints of running containers, all stopped at one moment: n of
 * execd/checkpoint_list.h, in the descriptor.  dir is absolute; empty: it must
 * be empty.
 */
#define FIXED_FIELDS_checkpoint(U32, U64, I64, STR, ARR64)                     \
	STR(dir, 4096) U32(n) U32(empty) U64(timeout_ms)

/* A checkpoint's archive, a path of the host, for a container to be made. */
#define FIXED_FIELDS_restore(U32, U64, I64, STR, ARR64)                        \
	STR(ctr, 65) STR(path, 4096)

/* What the writable layer takes, and its whole file system. */
#define FIXED_FIELDS_usage(U32, U64, I64, STR, ARR64)                          \
	U64(bytes) U64(inodes) U64(fs_bytes) U64(fs_inodes) U64(fs_free_inodes)

/*
 * L_FEATURES_ARE carries a sealed memfd: what "RUNTIME --version" printed, a
 * NUL, and what "RUNTIME features" printed (nothing if it has no such
 * command).  FAIL only if the first cannot be run.  idmap: the image store
 * can be shown in a user namespace.  criu: enum launch_criu of
 * execd/checkpoint_list.h.
 */
#define FIXED_FIELDS_runtime(U32, U64, I64, STR, ARR64) U32(runtime)

#define FIXED_FIELDS_features(U32, U64, I64, STR, ARR64) U32(idmap) U32(criu)

/* SELinux's label for a path of the host and all below it. */
#define FIXED_FIELDS_relabel(U32, U64, I64, STR, ARR64)                        \
	STR(path, 4096) STR(label, 512)

/*
 * A seccomp profile of the host's: number of a directory that the launcher
 * was started with, and the path below it.  The answer is a sealed memfd.
 */
#define FIXED_FIELDS_profile(U32, U64, I64, STR, ARR64) U32(dir) STR(path, 4096)

/*
 * A path of the host.  L_HOST_PATH: the source of a bind mount; if nothing is
 * there, a directory is made (0755, with its parents); propagation is
 * MOUNT_SOURCE_* of execd/mount_flags.h.  L_DEVICES: a device
 * node, or a directory to walk; L_DEVICES_ARE carries a sealed memfd made by
 * devlist_make of execd/devlist.h.
 */
#define FIXED_FIELDS_host_path(U32, U64, I64, STR, ARR64)                      \
	STR(path, 4096) U32(propagation) U32(flags)
/* What that path is without symbolic links; "" if it was not asked for. */
#define FIXED_FIELDS_real_path(U32, U64, I64, STR, ARR64) STR(path, 4096)

/*
 * With stdin (sealed memfd), stdout and stderr (pipes) of the plugin.
 * netns: NETNS_* of netd/plugin.h.
 */
#define FIXED_FIELDS_plugin_run(U32, U64, I64, STR, ARR64)                     \
	STR(plugin, 64)                                                        \
	STR(command, 16)                                                       \
	STR(pod, 65) STR(ifname, 16) STR(args, 1024) U32(netns) U64(timeout_ms)

#define FIXED_FIELDS_plugin_done(U32, U64, I64, STR, ARR64)                    \
	U32(exit_code) U32(timed_out)

/* Is there such a plugin?  PLUGIN_DONE with 0, or FAIL. */
#define FIXED_FIELDS_plugin_find(U32, U64, I64, STR, ARR64) STR(plugin, 64)

/*
 * Connects to port on the loopback of the pod's pinned network namespace, or
 * of the host's own (host: 1).  DIALLED carries the socket.
 */
#define FIXED_FIELDS_dial(U32, U64, I64, STR, ARR64)                           \
	STR(pod, 65) U32(host) U32(port) U64(timeout_ms)

/* With one end of a socket; streams: ATTACH_* of execd/ctr_flags.h. */
#define FIXED_FIELDS_mon_attach(U32, U64, I64, STR, ARR64) U32(streams)

/*
 * A monitor's greeting; state: 0 created or running, 2 exited.  log_lost: log
 * lines that could not be written.
 */
#define FIXED_FIELDS_mon_state(U32, U64, I64, STR, ARR64)                      \
	U32(version)                                                           \
	U32(state) U32(exit_code) I64(finished_at) U32(oom) U64(log_lost)

/*
 * Not a message: the launcher's record of a container or (pod's pause) that
 * it started, in STATE/launch.  pid 0: it was about to be made.  uid, gid: the
 * host's ids of the pod's root.
 */
#define FIXED_FIELDS_launch_rec(U32, U64, I64, STR, ARR64)                     \
	U32(pid)                                                               \
	U64(start_time)                                                        \
	U32(monitor) U64(monitor_start) U32(flags) U64(caps) STR(cgroup, 1024) \
	    U32(uid) U32(gid) STR(apparmor, 256) STR(selinux, 512)

/*
 * What the descriptor is: AUDIT_TO_* of imsg/audit.h.
 */
#define FIXED_FIELDS_audit_file(U32, U64, I64, STR, ARR64) U32(to)

/*
 * A call of a client's that has ended: cut where it is too long.  lost:
 * records before this one that could not be sent.  flags: AUDIT_CALL_*.
 */
#define FIXED_FIELDS_audit_call(U32, U64, I64, STR, ARR64)                     \
	U64(lost)                                                              \
	U64(took_us) U32(uid) U32(pid) U32(code) U32(flags) STR(method, 64)    \
	    STR(pod, 65) STR(ctr, 65) STR(namespace, 64) STR(name, 128)        \
		STR(image, 384)

/* What a rule of the policy decided; what is an enum rule_what. */
#define FIXED_FIELDS_audit_rule(U32, U64, I64, STR, ARR64)                     \
	U64(lost)                                                              \
	U32(allow) U32(what) STR(pod, 65) STR(ctr, 65) STR(namespace, 64)      \
	    STR(value, 384) STR(rule, 384)

#define FIXED_FIELDS_audit_figures(U32, U64, I64, STR, ARR64)                  \
	U64(written) U64(lost)

#define FIXED_TABLE(FIXED)                                                     \
	FIXED(none)                                                            \
	FIXED(link)                                                            \
	FIXED(peer_bad)                                                        \
	FIXED(cancel)                                                          \
	FIXED(scan)                                                            \
	FIXED(auth_take)                                                       \
	FIXED(unpack_spawn)                                                    \
	FIXED(unpack_layer)                                                    \
	FIXED(unpack_more)                                                     \
	FIXED(unpack_done)                                                     \
	FIXED(pack_layer)                                                      \
	FIXED(shelf_read)                                                      \
	FIXED(shelf_done)                                                      \
	FIXED(pack_done)                                                       \
	FIXED(sig_file)                                                        \
	FIXED(sig_checked)                                                     \
	FIXED(fail)                                                            \
	FIXED(pod_make)                                                        \
	FIXED(pod_sysctl)                                                      \
	FIXED(pod)                                                             \
	FIXED(pod_made)                                                        \
	FIXED(rootfs)                                                          \
	FIXED(mount)                                                           \
	FIXED(rootfs_dir)                                                      \
	FIXED(ctr_create)                                                      \
	FIXED(ctr_created)                                                     \
	FIXED(ctr)                                                             \
	FIXED(ctr_signal)                                                      \
	FIXED(ctr_log)                                                         \
	FIXED(exec)                                                            \
	FIXED(exec_tty)                                                        \
	FIXED(exec_done)                                                       \
	FIXED(runtime)                                                         \
	FIXED(features)                                                        \
	FIXED(profile)                                                         \
	FIXED(stats)                                                           \
	FIXED(checkpoint)                                                      \
	FIXED(restore)                                                         \
	FIXED(usage)                                                           \
	FIXED(relabel)                                                         \
	FIXED(host_path)                                                       \
	FIXED(real_path)                                                       \
	FIXED(plugin_run)                                                      \
	FIXED(plugin_done)                                                     \
	FIXED(plugin_find)                                                     \
	FIXED(dial)                                                            \
	FIXED(audit_file)                                                      \
	FIXED(audit_call)                                                      \
	FIXED(audit_rule)                                                      \
	FIXED(audit_figures)                                                   \
	FIXED(mon_attach)                                                      \
	FIXED(mon_state)                                                       \
	FIXED(launch_rec)
