# The launcher, the monitor it starts for each container, and pause.
# Included from execd/build.mk.
PROGRAMS += execlaunch monitor pause shimrun

execlaunch_OUT = libexec/criod/execlaunch
execlaunch_SRCS = execd/cdi_list.c execd/launch.c execd/launch_aside.c \
	execd/launch_lower.c \
	execd/launch_console.c execd/launch_create.c execd/launch_ctr.c \
	execd/launch_dirs.c execd/launch_exec.c execd/launch_host.c execd/launch_job.c \
	execd/launch_label.c execd/launch_mount.c execd/launch_relabel.c \
	execd/launch_stat.c execd/launch_update.c execd/launch_usage.c \
	execd/launch_checkpoint.c execd/launch_tar.c \
	execd/launch_log.c execd/launch_pause.c execd/launch_pod.c \
	execd/launch_cgimg.c execd/launch_keep.c execd/launch_like.c execd/launch_restore.c \
	execd/launch_rootfs.c execd/launch_run.c execd/launch_start.c \
	execd/launch_shim.c execd/launch_userns.c execd/launch_verify.c \
	execd/rootfile.c \
	execd/devlist_make.c $(LAUNCH_SRCS)
execlaunch_LIBS = base confine fixed link helper
execlaunch_PKGS = libevent_core libcap-ng
# Of its jobs that work inside a root file system; it has none itself.
execlaunch_CALLS = execd/rootfile.calls

# What its tests link as well.
LAUNCH_SRCS = execd/launch_cgroup.c execd/launch_proc.c \
	execd/launch_record.c execd/launch_sysctl.c execd/launch_tree.c \
	execd/launch_util.c

# No heap, no stdio: see execd/monitor.h.
MONITOR_SRCS = execd/monitor_attach.c execd/monitor_line.c \
	execd/monitor_log.c
monitor_OUT = libexec/criod/monitor
monitor_SRCS = execd/monitor.c execd/monitor_create.c execd/monitor_setup.c \
	execd/monitor_loop.c execd/monitor_client.c execd/monitor_drop.c \
	$(MONITOR_SRCS) imsg/fixed.c lib/record_header.c lib/filter.c \
	lib/roexec.c $(B)/gen/filter_names.c $(FAILPOINT_SRCS)
monitor_LDFLAGS = -static
monitor_CALLS = execd/monitor.calls

pause_OUT = libexec/criod/pause
pause_SRCS = execd/pause.c execd/monitor_drop.c lib/filter.c \
	$(B)/gen/filter_names.c
pause_LDFLAGS = -static
pause_CALLS = execd/pause.calls

# What runs where a handler of type vm is asked for; see execd/shim.h.
shimrun_OUT = libexec/criod/shimrun
shimrun_SRCS = execd/shimrun.c execd/shim_apart.c execd/shim_call.c \
	execd/shim_proxy.c execd/shim_pump.c execd/shim_root.c \
	execd/shim_task.c execd/monitor_drop.c lib/filter.c \
	$(B)/gen/filter_names.c $(B)/gen/proto/task.pb-c.c
shimrun_LIBS = base ttrpc
shimrun_PKGS = libprotobuf-c
shimrun_CALLS = execd/shimrun.calls
