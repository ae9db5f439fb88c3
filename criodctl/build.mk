PROGRAMS += criodctl
criodctl_OUT = sbin/criodctl
criodctl_SRCS = criodctl/main.c criodctl/ctl.c criodctl/status.c \
	criodctl/image.c criodctl/layout.c criodctl/run.c criodctl/pod.c criodctl/logtail.c
criodctl_LIBS = base fixed link proto json
criodctl_PKGS = libevent_core libprotobuf-c jansson libarchive
