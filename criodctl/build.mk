# The tables that the processes run under: what may be called is printed.
PRIVILEGES_FILTERS = $(foreach p,execd execlaunch front imaged keeper monitor \
	netd nrid pack pause policyread scribe shelf shimrun sigcheck streamd unarchive \
	unpack,$(B)/gen/filter/$(p).c)

PROGRAMS += criodctl
criodctl_OUT = sbin/criodctl
criodctl_SRCS = criodctl/main.c criodctl/ctl.c \
	criodctl/export.c criodctl/hash.c criodctl/image.c criodctl/import.c \
	criodctl/layout.c criodctl/layout_choose.c criodctl/layout_docker.c \
	criodctl/layout_read.c criodctl/logtail.c criodctl/outfile.c criodctl/pod.c \
	criodctl/privileges.c criodctl/privileges_of.c \
	criodctl/privileges_print.c criodctl/run.c criodctl/status.c criodctl/store.c criodctl/verify.c criodctl/wipe.c \
	lib/capname.c $(PRIVILEGES_FILTERS)
criodctl_LIBS = base fixed link proto json
criodctl_PKGS = libevent_core libprotobuf-c jansson libarchive libcrypto
