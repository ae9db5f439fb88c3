PROGRAMS += keeper
keeper_OUT = libexec/criod/keeper
keeper_SRCS = keeper/main.c keeper/files.c
keeper_LIBS = base confine fixed link proto helperboot
keeper_PKGS = libevent_core libprotobuf-c libcap-ng
keeper_CALLS = keeper/keeper.calls
