PROGRAMS += front
front_OUT = libexec/criod/front
front_SRCS = criod/main.c criod/front.c criod/methods.c criod/nri.c criod/nri_msg.c criod/serve.c \
	criod/control.c criod/facts.c criod/foreign.c criod/orphan.c criod/store.c \
	criod/pod.c criod/pod_restore.c criod/pod_run.c criod/pod_stop.c criod/pod_remove.c \
	criod/ctr.c criod/ctr_create.c criod/ctr_start.c criod/ctr_stop.c \
	criod/ctr_remove.c criod/ctr_exec.c criod/ctr_stream.c \
	criod/pod_forward.c criod/session.c criod/ctr_log.c criod/image.c criod/keep.c \
	criod/list.c criod/events.c criod/node.c criod/node_net.c criod/status.c criod/stream_list.c \
	criod/view.c criod/filter_match.c criod/forward.c criod/known.c criod/wait.c \
	criod/ctr_update.c criod/pod_update.c criod/resources.c \
	criod/figures.c criod/fs_info.c criod/metrics.c criod/stats.c criod/stats_ask.c lib/metric.c \
	criod/checkpoint.c criod/op.c criod/pb.c criod/record.c imsg/audit.c criod/stop.c criod/signals.c \
	$(front_CHECK_SRCS)
front_CHECK_SRCS = criod/check_value.c criod/check_tab.c \
	criod/check_linux.c criod/check_pod.c criod/check_ctr.c \
	criod/check_image.c criod/check_update.c
front_LIBS = base confine fixed link proto helperboot grpc
front_PKGS = libevent_core libprotobuf-c libnghttp2 libcap-ng
front_CALLS = criod/front.calls
