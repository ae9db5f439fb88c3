# The parent links neither curl, archive, nghttp2 nor jansson: nothing that
# reads what a client, an image, a registry, a plugin or a container wrote.
CONF_SRCS = parent/conf.c parent/conf_fill.c parent/conf_policy.c \
	parent/conf_print.c parent/conf_pull.c parent/conf_valid.c parent/lex.c \
	lib/capname.c lib/metric.c lib/rule.c $(B)/gen/parent/parse.c

PROGRAMS += criod
criod_OUT = sbin/criod
criod_SRCS = $(CONF_SRCS) parent/account.c parent/boot.c parent/conf_file.c \
	parent/dirs.c parent/drop.c parent/files.c parent/hooks.c parent/host.c \
	parent/listeners.c parent/logdest.c parent/main.c parent/metrics.c \
	parent/notify.c parent/plan.c parent/plugins.c parent/proc.c parent/proxies.c \
	parent/reader.c parent/regfiles.c parent/reload.c \
	parent/roles.c parent/selinux.c parent/spawn.c parent/lookaside.c parent/trust.c parent/unpacks.c \
	parent/watch.c
criod_LIBS = base capdrop fixed link proto trim
criod_PKGS = libevent_core libprotobuf-c libcap-ng

# "all" stays the first target: this file is read after it.
$(B)/gen/parent/parse.c $(B)/gen/parent/parse.h &: parent/parse.y
	@mkdir -p $(@D)
	bison -o $(B)/gen/parent/parse.c --defines=$(B)/gen/parent/parse.h \
	    parent/parse.y
$(B)/obj/parent/lex.o: $(B)/gen/parent/parse.h
