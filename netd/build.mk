PROGRAMS += netd netlaunch

netd_OUT = libexec/criod/netd
netd_SRCS = netd/main.c netd/args.c netd/cache.c netd/chain.c netd/conf.c \
	netd/confdir.c netd/dial.c netd/embedded.c netd/gc.c netd/op.c netd/op_add.c \
	netd/plugin.c netd/quantity.c netd/request.c netd/result.c \
	netd/run.c netd/scan.c netd/status.c $(GUARD_SRCS)
netd_LIBS = base confine fixed link proto helperboot json
netd_PKGS = libevent_core libprotobuf-c jansson libcap-ng
netd_CALLS = netd/netd.calls

# No filter and no table: it would be the plugins' too.
netlaunch_OUT = libexec/criod/netlaunch
netlaunch_SRCS = netd/launch_main.c netd/launch_child.c netd/launch_dial.c \
	netd/launch_group.c netd/launch_job.c netd/launch_lease.c netd/launch_netns.c \
	netd/launch_plugin.c netd/launch_root.c netd/plugin.c
netlaunch_LIBS = base capdrop confine fixed link helper
netlaunch_PKGS = libevent_core libcap-ng
