PROGRAMS += nrid
nrid_OUT = libexec/criod/nrid
NRID_SRCS = nrid/ask.c nrid/bytes.c nrid/job.c nrid/known.c nrid/merge.c \
	nrid/mux.c nrid/plugin.c nrid/sync.c nrid/update.c
nrid_SRCS = nrid/main.c $(NRID_SRCS)
nrid_LIBS = base confine fixed link proto helperboot ttrpc pbsafe
nrid_PKGS = libevent_core libprotobuf-c libcap-ng
nrid_CALLS = nrid/nrid.calls
