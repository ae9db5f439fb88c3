PROGRAMS += streamd
streamd_OUT = libexec/criod/streamd
streamd_SRCS = streamd/main.c streamd/http.c streamd/http1.c streamd/metrics.c
streamd_LIBS = base confine fixed link proto helperboot
streamd_PKGS = libevent_core libprotobuf-c libcap-ng
streamd_CALLS = streamd/streamd.calls
