# The launcher, the monitor it starts for each container, and pause.
# Included from execd/build.mk.
PROGRAMS += execlaunch monitor pause

execlaunch_OUT = libexec/criod/execlaunch
execlaunch_SRCS = $(LAUNCH_SRCS) execd/launch.c
execlaunch_LIBS = base confine fixed link helper
execlaunch_PKGS = libevent_core libcap-ng libbsd-overlay

LAUNCH_SRCS = 

# No heap, no stdio: see execd/monitor.h.
MONITOR_SRCS = execd/monitor_line.c execd/monitor_log.c
monitor_OUT = libexec/criod/monitor
monitor_SRCS = execd/monitor.c execd/monitor_create.c execd/monitor_setup.c \
	execd/monitor_loop.c execd/monitor_client.c execd/monitor_drop.c \
	$(MONITOR_SRCS) imsg/fixed.c lib/record_header.c lib/filter.c \
	$(B)/gen/filter_names.c
monitor_LDFLAGS = -static
monitor_CALLS = execd/monitor.calls

pause_OUT = libexec/criod/pause
pause_SRCS = execd/pause.c execd/monitor_drop.c lib/filter.c \
	$(B)/gen/filter_names.c
pause_LDFLAGS = -static
pause_CALLS = execd/pause.calls
