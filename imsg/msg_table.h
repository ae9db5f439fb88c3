/*
 * The single source of criod's internal message types.  Included with MSG
 * defined; no guard.
 *
 *	MSG(NAME, from, to, state, codec, max, fds_min, fds_max, reply)
 *
 * from, to  roles (imsg/role.h); a message from or to any other is a breach.
 * state     when the receiver takes it: BOOT before READY was sent (that
 *           includes links and files), RUN after, ANY both.
 * codec     F(name): fixed, imsg/fixed_table.h.  P(pkg, name): protobuf, the
 *           protobuf-c function prefix pkg__name.
 * max       bytes of payload; more than IMSG_INLINE_MAX travels in a sealed
 *           memfd, which takes one more descriptor slot.
 * fds       how many descriptors belong to it.
 * reply     the type that answers it, or NONE.  Any request may also be
 *           answered by ERROR (or FAIL by a peer without protobuf).
 */

#ifndef MSG_ROLES_ANY
#define MSG_ROLES_ANY (ROLE_PARENT | ROLE_HELPERS | ROLE_MONITOR | ROLE_CTL)
#define MSG_KIB	      1024U
#define MSG_MIB	      (1024U * MSG_KIB)
#endif

/* Every link */
MSG(ERROR, MSG_ROLES_ANY, MSG_ROLES_ANY, ANY, P(criod, error), 2 * MSG_KIB, 0,
    0, NONE)
MSG(FAIL, MSG_ROLES_ANY, MSG_ROLES_ANY, ANY, F(fail), 2 * MSG_KIB, 0, 0, NONE)
MSG(CANCEL, MSG_ROLES_ANY, MSG_ROLES_ANY, RUN, F(cancel), 16, 0, 0, NONE)

/*
 * execd with a monitor.  A monitor may be older than the daemon: the types up
 * to here keep their numbers, and their bodies their layout.
 */
MSG(MON_STATE, ROLE_MONITOR, ROLE_EXECD, RUN, F(mon_state), 64, 0, 0, NONE)
MSG(MON_LOG, ROLE_EXECD, ROLE_MONITOR, RUN, F(none), 16, 1, 1, MON_OK)
MSG(MON_QUIT, ROLE_EXECD, ROLE_MONITOR, RUN, F(none), 16, 0, 0, MON_OK)
MSG(MON_OK, ROLE_MONITOR, ROLE_EXECD, RUN, F(none), 16, 0, 0, NONE)
MSG(MON_ATTACH, ROLE_EXECD, ROLE_MONITOR, RUN, F(mon_attach), 16, 1, 1, MON_OK)

/* parent with each */
MSG(BOOT, ROLE_PARENT, ROLE_HELPERS, BOOT, P(criod, boot), 4 * MSG_MIB, 0, 1,
    NONE)
MSG(START, ROLE_PARENT, ROLE_HELPERS, BOOT, F(none), 16, 0, 0, NONE)
MSG(READY, ROLE_HELPERS, ROLE_PARENT, ANY, F(none), 16, 0, 0, NONE)
MSG(LINK, ROLE_PARENT, ROLE_HELPERS, ANY, F(link), 16, 1, 1, NONE)
MSG(LISTENER, ROLE_PARENT, ROLE_FRONT | ROLE_STREAMD | ROLE_NRID, ANY,
    P(criod, listener), 4 * MSG_KIB, 1, 1, NONE)
MSG(FILE, ROLE_PARENT, ROLE_IMAGED | ROLE_NETD | ROLE_STREAMD, ANY,
    P(criod, file), 4 * MSG_KIB, 1, 1, NONE)
MSG(SCAN, ROLE_IMAGED | ROLE_NETD, ROLE_PARENT, ANY, F(scan), 16, 0, 0, SCANNED)
MSG(SCANNED, ROLE_PARENT, ROLE_IMAGED | ROLE_NETD, ANY, F(none), 16, 0, 0, NONE)
MSG(STOP, ROLE_PARENT, ROLE_HELPERS, ANY, F(none), 16, 0, 0, NONE)
MSG(PING, ROLE_PARENT, ROLE_HELPERS, RUN, F(none), 16, 0, 0, PONG)
MSG(PONG, ROLE_HELPERS, ROLE_PARENT, ANY, F(none), 16, 0, 0, NONE)
MSG(PEER_BAD, ROLE_HELPERS, ROLE_PARENT, ANY, F(peer_bad), 16, 0, 0, NONE)
MSG(METRICS, ROLE_PARENT, ROLE_STREAMD, ANY, P(criod, metrics), 4 * MSG_KIB, 0,
    0, NONE)
MSG(FRONT_FIGURES, ROLE_FRONT, ROLE_STREAMD, RUN, P(criod, front_figures),
    64 * MSG_KIB, 0, 0, NONE)
MSG(UNPACK_SPAWN, ROLE_IMAGED, ROLE_PARENT, ANY, F(unpack_spawn), 32, 0, 0,
    UNPACK_LINK)
MSG(UNPACK_LINK, ROLE_PARENT, ROLE_IMAGED, ANY, F(none), 16, 1, 1, NONE)
MSG(AUTH_TAKE, ROLE_IMAGED, ROLE_PARENT, ANY, F(auth_take), 136, 0, 0,
    AUTH_TAKEN)
MSG(AUTH_TAKEN, ROLE_PARENT, ROLE_IMAGED, ANY, F(none), 16, 0, 1, NONE)

/* imaged with unpack */
MSG(UNPACK_LAYER, ROLE_IMAGED, ROLE_UNPACK, RUN, F(unpack_layer), 512, 2, 2,
    UNPACK_DONE)
MSG(UNPACK_MORE, ROLE_IMAGED, ROLE_UNPACK, RUN, F(unpack_more), 16, 0, 0, NONE)
MSG(UNPACK_REMOVE, ROLE_IMAGED, ROLE_UNPACK, RUN, F(none), 16, 0, 0,
    UNPACK_DONE)
MSG(UNPACK_DONE, ROLE_UNPACK, ROLE_IMAGED, RUN, F(unpack_done), 128, 0, 0, NONE)

/* imaged with pack */
MSG(PACK_LAYER, ROLE_IMAGED, ROLE_PACK, RUN, F(pack_layer), 128, 1, 2,
    PACK_DONE)
MSG(PACK_SIZE, ROLE_IMAGED, ROLE_PACK, RUN, F(none), 16, 1, 1, PACK_DONE)
MSG(PACK_DONE, ROLE_PACK, ROLE_IMAGED, RUN, F(pack_done), 32, 0, 0, NONE)

/* imaged with sigcheck */
MSG(SIG_CHECK, ROLE_IMAGED, ROLE_SIGCHECK, RUN, F(none), 16, 3, 3, SIG_CHECKED)
MSG(SIG_CHECKED, ROLE_SIGCHECK, ROLE_IMAGED, RUN, F(sig_checked), 128, 0, 0, NONE)

/* front with imaged */
MSG(IMG_PULL, ROLE_FRONT, ROLE_IMAGED, RUN, P(runtime__v1, pull_image_request),
    1 * MSG_MIB, 0, 0, IMG_PULLED)
MSG(IMG_PULLED, ROLE_IMAGED, ROLE_FRONT, RUN,
    P(runtime__v1, pull_image_response), 16 * MSG_KIB, 0, 0, NONE)
MSG(IMG_LIST, ROLE_FRONT, ROLE_IMAGED, RUN, P(runtime__v1, list_images_request),
    1 * MSG_MIB, 0, 0, IMG_LISTED)
MSG(IMG_LISTED, ROLE_IMAGED, ROLE_FRONT, RUN,
    P(runtime__v1, list_images_response), 64 * MSG_MIB, 0, 0, NONE)
MSG(IMG_STATUS, ROLE_FRONT, ROLE_IMAGED, RUN,
    P(runtime__v1, image_status_request), 1 * MSG_MIB, 0, 0, IMG_STATUS_IS)
MSG(IMG_STATUS_IS, ROLE_IMAGED, ROLE_FRONT, RUN,
    P(runtime__v1, image_status_response), 16 * MSG_MIB, 0, 0, NONE)
MSG(IMG_REMOVE, ROLE_FRONT, ROLE_IMAGED, RUN,
    P(runtime__v1, remove_image_request), 1 * MSG_MIB, 0, 0, IMG_REMOVED)
MSG(IMG_REMOVED, ROLE_IMAGED, ROLE_FRONT, RUN, P(criod, empty), 16, 0, 0, NONE)
MSG(IMG_FSINFO, ROLE_FRONT, ROLE_IMAGED, RUN, P(criod, empty), 16, 0, 0,
    IMG_FSINFO_IS)
MSG(IMG_FSINFO_IS, ROLE_IMAGED, ROLE_FRONT, RUN,
    P(runtime__v1, image_fs_info_response), 64 * MSG_KIB, 0, 0, NONE)
MSG(IMG_BLOB, ROLE_FRONT | ROLE_CTL, ROLE_IMAGED | ROLE_FRONT, RUN,
    P(criod, img_blob), 1 * MSG_KIB, 1, 1, NONE)
MSG(IMG_IMPORT, ROLE_FRONT | ROLE_CTL, ROLE_IMAGED | ROLE_FRONT, RUN,
    P(criod, img_import), 8 * MSG_KIB, 0, 0, IMG_IMPORTED)
MSG(IMG_IMPORTED, ROLE_IMAGED | ROLE_FRONT, ROLE_FRONT | ROLE_CTL, RUN,
    P(runtime__v1, pull_image_response), 16 * MSG_KIB, 0, 0, NONE)
MSG(IMG_DETAILS, ROLE_FRONT | ROLE_CTL, ROLE_IMAGED | ROLE_FRONT, RUN,
    P(criod, img_details), 8 * MSG_KIB, 0, 0, IMG_DETAILS_ARE)
MSG(IMG_DETAILS_ARE, ROLE_IMAGED | ROLE_FRONT, ROLE_FRONT | ROLE_CTL, RUN,
    P(criod, img_details_are), 64 * MSG_MIB, 0, 0, NONE)
MSG(IMG_READ, ROLE_FRONT | ROLE_CTL, ROLE_IMAGED | ROLE_FRONT, RUN,
    P(criod, img_read), 64, 0, 1, IMG_READ_DONE)
MSG(IMG_READ_DONE, ROLE_IMAGED | ROLE_FRONT, ROLE_FRONT | ROLE_CTL, RUN,
    P(criod, img_read_done), 64, 0, 0, NONE)
MSG(IMG_TASKS, ROLE_FRONT | ROLE_CTL, ROLE_IMAGED | ROLE_FRONT, RUN,
    P(criod, empty), 16, 0, 0, IMG_TASKS_ARE)
MSG(IMG_TASKS_ARE, ROLE_IMAGED | ROLE_FRONT, ROLE_FRONT | ROLE_CTL, RUN,
    P(criod, img_tasks_are), 1 * MSG_MIB, 0, 0, NONE)

/* front with streamd */
MSG(STREAM_PREPARE, ROLE_FRONT, ROLE_STREAMD, RUN, P(criod, stream_prepare),
    8 * MSG_KIB, 0, 0, STREAM_URL)
MSG(STREAM_URL, ROLE_STREAMD, ROLE_FRONT, RUN, P(criod, stream_url),
    4 * MSG_KIB, 0, 0, NONE)
MSG(STREAM_DROP, ROLE_STREAMD, ROLE_FRONT, RUN, P(criod, stream_session), 64, 0,
    0, NONE)
MSG(STREAM_BEGIN, ROLE_STREAMD, ROLE_FRONT, RUN, P(criod, stream_session), 64,
    0, 0, STREAM_BEGUN)
MSG(STREAM_BEGUN, ROLE_FRONT, ROLE_STREAMD, RUN, P(criod, empty), 16, 0, 0,
    NONE)
MSG(STREAM_DIAL, ROLE_STREAMD, ROLE_FRONT, RUN, P(criod, stream_dial), 64, 0, 0,
    STREAM_DIALLED)
MSG(STREAM_DIALLED, ROLE_FRONT, ROLE_STREAMD, RUN, P(criod, empty), 16, 1, 1,
    NONE)
MSG(STREAM_END, ROLE_STREAMD, ROLE_FRONT | ROLE_EXECD, RUN,
    P(criod, stream_session), 64, 0, 0, NONE)

/* execd with streamd */
MSG(STREAM_STDIO, ROLE_EXECD, ROLE_STREAMD, RUN, P(criod, stream_stdio), 64, 1,
    3, NONE)
MSG(STREAM_EXIT, ROLE_EXECD, ROLE_STREAMD, RUN, P(criod, stream_exit),
    2 * MSG_KIB, 0, 0, NONE)

/* criodctl with front, on the control socket */
MSG(CTL_CALL, ROLE_CTL, ROLE_FRONT, RUN, P(criod, ctl_call), 16 * MSG_MIB, 0, 0,
    CTL_REPLY)
MSG(CTL_REPLY, ROLE_FRONT, ROLE_CTL, RUN, P(criod, ctl_reply), 64 * MSG_MIB, 0,
    0, NONE)

/* execd with imaged */
MSG(LEASE_GET, ROLE_EXECD, ROLE_IMAGED, RUN, P(criod, lease_get), 8 * MSG_KIB,
    0, 0, LEASE)
MSG(LEASE, ROLE_IMAGED, ROLE_EXECD, RUN, P(criod, lease), 8 * MSG_MIB, 0, 0,
    NONE)
MSG(LEASE_PUT, ROLE_EXECD, ROLE_IMAGED, RUN, P(criod, lease_put), 1 * MSG_KIB,
    0, 0, NONE)
MSG(LEASE_HAVE, ROLE_EXECD, ROLE_IMAGED, RUN, P(criod, lease_have), 1 * MSG_KIB,
    0, 0, NONE)

/* front with execd */
MSG(POD_CREATE, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, pod_create), 16 * MSG_MIB,
    0, 0, POD_CREATED)
MSG(POD_CREATED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, pod_created),
    4 * MSG_KIB, 0, 0, NONE)
MSG(POD_REMOVE, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, pod_id), 1 * MSG_KIB, 0,
    0, POD_REMOVED)
MSG(POD_REMOVED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, empty), 16, 0, 0, NONE)
MSG(CTR_CREATE, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, ctr_create), 32 * MSG_MIB,
    0, 0, CTR_CREATED)
MSG(CTR_CREATED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, ctr_created),
    1 * MSG_MIB, 0, 0, NONE)
MSG(CTR_START, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, ctr_id), 1 * MSG_KIB, 0, 0,
    CTR_STARTED)
MSG(CTR_STARTED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, ctr_started), 64, 0, 0,
    NONE)
MSG(CTR_SIGNAL, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, ctr_signal), 1 * MSG_KIB,
    0, 0, CTR_SIGNALLED)
MSG(CTR_SIGNALLED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, empty), 16, 0, 0, NONE)
MSG(CTR_REMOVE, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, ctr_id), 1 * MSG_KIB, 0,
    0, CTR_REMOVED)
MSG(CTR_REMOVED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, empty), 16, 0, 0, NONE)
MSG(CTR_REOPEN, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, ctr_id), 1 * MSG_KIB, 0,
    0, CTR_REOPENED)
MSG(CTR_REOPENED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, empty), 16, 0, 0, NONE)
MSG(CTR_EXEC, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, ctr_exec), 4 * MSG_MIB, 0,
    0, CTR_EXEC_DONE)
MSG(CTR_EXEC_DONE, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, ctr_exec_done),
    33 * MSG_MIB, 0, 0, NONE)
MSG(CTR_STREAM, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, ctr_stream), 4 * MSG_MIB,
    0, 0, CTR_STREAMING)
MSG(CTR_STREAMING, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, empty), 16, 0, 0, NONE)
MSG(CTR_UPDATE, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, ctr_update), 4 * MSG_MIB,
    0, 0, CTR_UPDATED)
MSG(CTR_UPDATED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, empty), 16, 0, 0, NONE)
MSG(CTR_CHECKPOINT, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, ctr_checkpoint),
    1 * MSG_MIB, 0, 0, CTR_CHECKPOINTED)
MSG(CTR_CHECKPOINTED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, empty), 16, 0, 0,
    NONE)
MSG(STATS_GET, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, stats_get), 4 * MSG_MIB, 0,
    0, STATS)
MSG(STATS, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, stats), 64 * MSG_MIB, 0, 0,
    NONE)
MSG(CTR_EXITED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, ctr_exited), 1 * MSG_KIB,
    0, 0, NONE)
MSG(CTR_LIST, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, empty), 16, 0, 0,
    CTR_LISTED)
MSG(CTR_LISTED, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, ctr_facts), 16 * MSG_MIB,
    0, 0, NONE)
MSG(CTR_INFO, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, ctr_id), 1 * MSG_KIB, 0, 0,
    INFO)
MSG(POD_INFO, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, pod_id), 1 * MSG_KIB, 0, 0,
    INFO)
MSG(INFO, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, info), 9 * MSG_MIB, 0, 0, NONE)
MSG(RUNTIMES, ROLE_FRONT, ROLE_EXECD, RUN, P(criod, empty), 16, 0, 0,
    RUNTIMES_ARE)
MSG(RUNTIMES_ARE, ROLE_EXECD, ROLE_FRONT, RUN, P(criod, runtime_facts),
    64 * MSG_KIB, 0, 0, NONE)

/* front with netd */
MSG(NET_ADD, ROLE_FRONT, ROLE_NETD, RUN, P(criod, net_pod), 1 * MSG_MIB, 0, 0,
    NET_ADDED)
MSG(NET_ADDED, ROLE_NETD, ROLE_FRONT, RUN, P(criod, net_added), 16 * MSG_KIB, 0,
    0, NONE)
MSG(NET_CHECK, ROLE_FRONT, ROLE_NETD, RUN, P(criod, pod_id), 1 * MSG_KIB, 0, 0,
    NET_ADDED)
MSG(NET_DEL, ROLE_FRONT, ROLE_NETD, RUN, P(criod, pod_id), 1 * MSG_KIB, 0, 0,
    NET_DELETED)
MSG(NET_DELETED, ROLE_NETD, ROLE_FRONT, RUN, P(criod, empty), 16, 0, 0, NONE)
MSG(NET_STATUS, ROLE_FRONT, ROLE_NETD, RUN, P(criod, empty), 16, 0, 0,
    NET_STATUS_IS)
MSG(NET_STATUS_IS, ROLE_NETD, ROLE_FRONT, RUN, P(criod, net_status),
    16 * MSG_KIB, 0, 0, NONE)
MSG(NET_GC, ROLE_FRONT, ROLE_NETD, RUN, P(criod, net_gc), 4 * MSG_MIB, 0, 0,
    NET_DELETED)
MSG(NET_DIAL, ROLE_FRONT, ROLE_NETD, RUN, P(criod, net_dial), 1 * MSG_KIB, 0, 0,
    NET_DIALLED)
MSG(NET_DIALLED, ROLE_NETD, ROLE_FRONT, RUN, P(criod, empty), 16, 1, 1, NONE)

/* parent with nrid: a plugin that it started, and perhaps its configuration */
MSG(NRI_PLUGIN, ROLE_PARENT, ROLE_NRID, ANY, P(criod, nri_plugin), 1 * MSG_KIB,
    1, 2, NONE)

/* the audit log: parent, who has something to record, and streamd's page */
MSG(AUDIT_FILE, ROLE_PARENT, ROLE_SCRIBE, ANY, F(audit_file), 16, 1, 1, NONE)
MSG(AUDIT_CALL, ROLE_FRONT, ROLE_SCRIBE, RUN, F(audit_call), 2 * MSG_KIB, 0, 0,
    NONE)
MSG(AUDIT_RULE, ROLE_IMAGED | ROLE_NETD | ROLE_EXECD, ROLE_SCRIBE, RUN,
    F(audit_rule), 2 * MSG_KIB, 0, 0, NONE)
MSG(AUDIT_FIGURES, ROLE_SCRIBE, ROLE_STREAMD, RUN, F(audit_figures), 32, 0, 0,
    NONE)

/* nrid with front */
MSG(NRI_STATE, ROLE_FRONT, ROLE_NRID, RUN, P(nri, synchronize_request),
    64 * MSG_MIB, 0, 0, NONE)
MSG(NRI_EVENT, ROLE_FRONT, ROLE_NRID, RUN, P(criod, nri_event), 32 * MSG_MIB, 0,
    0, NRI_DONE)
MSG(NRI_DONE, ROLE_NRID, ROLE_FRONT, RUN, P(criod, nri_done), 32 * MSG_MIB, 0,
    0, NONE)
MSG(NRI_UPDATE, ROLE_NRID, ROLE_FRONT, RUN, P(nri, container_update),
    8 * MSG_MIB, 0, 0, NRI_UPDATED)
MSG(NRI_UPDATED, ROLE_FRONT, ROLE_NRID, RUN, P(criod, empty), 16, 0, 0, NONE)
MSG(NRI_EVICT, ROLE_NRID, ROLE_FRONT, RUN, P(nri, container_eviction),
    4 * MSG_KIB, 0, 0, NONE)

/* nrid with execd */
MSG(NRI_HAVE, ROLE_EXECD, ROLE_NRID, RUN, P(nri, container), 32 * MSG_MIB, 0, 0,
    NONE)
MSG(NRI_CREATE, ROLE_EXECD, ROLE_NRID, RUN, P(nri, container), 32 * MSG_MIB, 0,
    0, NRI_CREATED)
MSG(NRI_CREATED, ROLE_NRID, ROLE_EXECD, RUN, P(nri, container_adjustment),
    32 * MSG_MIB, 0, 0, NONE)

/* netd with its launcher */
MSG(PLUGIN_RUN, ROLE_NETD, ROLE_NETLAUNCH, RUN, F(plugin_run), 2 * MSG_KIB, 3,
    3, PLUGIN_DONE)
MSG(PLUGIN_FIND, ROLE_NETD, ROLE_NETLAUNCH, RUN, F(plugin_find), 128, 0, 0,
    PLUGIN_DONE)
MSG(PLUGIN_DONE, ROLE_NETLAUNCH, ROLE_NETD, RUN, F(plugin_done), 16, 0, 0, NONE)
MSG(DIAL, ROLE_NETD, ROLE_NETLAUNCH, RUN, F(dial), 128, 0, 0, DIALLED)
MSG(DIALLED, ROLE_NETLAUNCH, ROLE_NETD, RUN, F(none), 16, 1, 1, NONE)

/* execd with its launcher */
MSG(L_POD_SYSCTL, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(pod_sysctl), 2 * MSG_KIB,
    0, 0, NONE)
MSG(L_POD_MAKE, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(pod_make), 2 * MSG_KIB, 0,
    3, L_POD_MADE)
MSG(L_POD_MADE, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(pod_made), 16, 0, 0, NONE)
MSG(L_POD_UNMAKE, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(pod), 128, 0, 0, L_OK)
MSG(L_ROOTFS, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(rootfs), 4 * MSG_KIB, 0, 0,
    L_ROOTFS_IS)
MSG(L_ROOTFS_IS, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(none), 16, 2, 2, NONE)
MSG(L_ROOTFS_DIR, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(rootfs_dir), 8 * MSG_KIB,
    0, 0, L_OK)
MSG(L_MOUNT, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(mount), 8 * MSG_KIB, 0, 0,
    L_OK)
MSG(L_ROOTFS_DROP, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(ctr), 128, 0, 0, L_OK)
MSG(L_CTR_CREATE, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(ctr_create), 8 * MSG_KIB,
    0, 0, L_CTR_CREATED)
MSG(L_CTR_CREATED, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(ctr_created), 32, 0, 0,
    NONE)
MSG(L_CTR_START, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(ctr), 128, 0, 0, L_OK)
MSG(L_CTR_SIGNAL, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(ctr_signal), 128, 0, 0,
    L_OK)
MSG(L_CTR_DELETE, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(ctr), 128, 0, 0, L_OK)
MSG(L_CTR_LOG, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(ctr_log), 8 * MSG_KIB, 0, 0,
    L_CTR_LOG_IS)
MSG(L_CTR_LOG_IS, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(none), 16, 1, 1, NONE)
MSG(L_EXEC, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(exec), 256, 1, 4, L_EXEC_DONE)
MSG(L_EXEC_TTY, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(exec_tty), 128, 1, 1, NONE)
MSG(L_EXEC_DONE, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(exec_done), 16, 0, 0, NONE)
MSG(L_STATS, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(stats), 4 * MSG_KIB, 0, 0,
    L_STATS_ARE)
MSG(L_STATS_ARE, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(none), 16, 1, 1, NONE)
MSG(L_USAGE, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(ctr), 128, 0, 0, L_USAGE_IS)
MSG(L_USAGE_IS, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(usage), 64, 0, 0, NONE)
MSG(L_CTR_UPDATE, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(ctr), 128, 2, 2, L_OK)
MSG(L_FEATURES, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(runtime), 16, 0, 0,
    L_FEATURES_ARE)
MSG(L_FEATURES_ARE, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(features), 16, 1, 1,
    NONE)
MSG(L_PROFILE, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(profile), 8 * MSG_KIB, 0, 0,
    L_PROFILE_IS)
MSG(L_PROFILE_IS, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(none), 16, 1, 1, NONE)
MSG(L_CDI, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(none), 16, 0, 0, L_CDI_IS)
MSG(L_CDI_IS, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(none), 16, 1, 1, NONE)
MSG(L_RELABEL, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(relabel), 8 * MSG_KIB, 0, 0,
    L_OK)
MSG(L_HOST_PATH, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(host_path), 8 * MSG_KIB, 0,
    0, L_HOST_PATH_IS)
MSG(L_HOST_PATH_IS, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(real_path), 8 * MSG_KIB,
    0, 0, NONE)
MSG(L_DEVICES, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(host_path), 8 * MSG_KIB, 0,
    0, L_DEVICES_ARE)
MSG(L_DEVICES_ARE, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(none), 16, 1, 1, NONE)
MSG(L_CHECKPOINT, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(checkpoint), 8 * MSG_KIB,
    1, 1, L_OK)
MSG(L_CHECKPOINT_END, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(ctr), 128, 0, 0, L_OK)
MSG(L_RESTORE, ROLE_EXECD, ROLE_EXECLAUNCH, RUN, F(restore), 8 * MSG_KIB, 0, 0,
    L_OK)
MSG(L_OK, ROLE_EXECLAUNCH, ROLE_EXECD, RUN, F(none), 16, 0, 0, NONE)
