PROGRAMS += criodctl
criodctl_OUT = sbin/criodctl
criodctl_SRCS = criodctl/main.c criodctl/ctl.c \
	criodctl/export.c criodctl/hash.c criodctl/image.c criodctl/import.c \
	criodctl/layout.c criodctl/layout_choose.c criodctl/layout_docker.c \
	criodctl/layout_read.c criodctl/logtail.c criodctl/outfile.c criodctl/pod.c \
	criodctl/run.c criodctl/status.c criodctl/store.c criodctl/verify.c
criodctl_LIBS = base fixed link proto json
criodctl_PKGS = libevent_core libprotobuf-c jansson libarchive libcrypto
