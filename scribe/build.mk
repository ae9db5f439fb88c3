PROGRAMS += scribe
scribe_OUT = libexec/criod/scribe
scribe_SRCS = scribe/main.c scribe/line.c lib/capname.c lib/rule.c
scribe_LIBS = base confine fixed link proto helperboot
scribe_PKGS = libevent_core libprotobuf-c libcap-ng
scribe_CALLS = scribe/scribe.calls
