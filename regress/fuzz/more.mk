# What is read of state, of messages and of requests.
FUZZERS += fuzz_blob fuzz_recipe fuzz_record fuzz_imsg fuzz_check fuzz_hooks \
	fuzz_authfile fuzz_proc fuzz_selinux
FUZZ_PB = $(B)/gen/proto/cri.pb-c.c $(B)/gen/proto/msg.pb-c.c \
	$(B)/gen/proto/nri.pb-c.c
fuzz_blob_SRCS = regress/fuzz/fuzz_blob.c imaged/unpack_stream.c \
	imaged/unpack_gunzip_$(GUNZIP).c imaged/artifact.c imaged/digest.c
fuzz_blob_LIBS = base
fuzz_blob_PKGS = libcrypto $(GUNZIP_PKG_$(GUNZIP)) libzstd
fuzz_recipe_SRCS = regress/fuzz/fuzz_recipe.c $(REPACK_SRCS)
fuzz_recipe_LIBS = base
fuzz_recipe_PKGS = libcrypto libzstd
fuzz_record_SRCS = regress/fuzz/fuzz_record.c netd/cache.c netd/conf.c \
	netd/plugin.c
fuzz_record_LIBS = base json
fuzz_record_PKGS = jansson
fuzz_imsg_SRCS = regress/fuzz/fuzz_imsg.c
fuzz_imsg_LIBS = base fixed proto
fuzz_imsg_PKGS = libprotobuf-c
fuzz_check_SRCS = regress/fuzz/fuzz_check.c criod/pb.c $(front_CHECK_SRCS) \
	$(FUZZ_PB)
fuzz_check_LIBS = base pbsafe
fuzz_check_PKGS = libprotobuf-c
fuzz_hooks_SRCS = regress/fuzz/fuzz_hooks.c execd/hooks.c execd/regex_cost.c $(FUZZ_PB)
fuzz_hooks_LIBS = base json
fuzz_hooks_PKGS = jansson libprotobuf-c
fuzz_authfile_SRCS = regress/fuzz/fuzz_authfile.c imaged/authfile.c \
	imaged/auth.c imaged/digest.c
fuzz_authfile_LIBS = base base64 json
fuzz_authfile_PKGS = jansson libcrypto
fuzz_proc_SRCS = regress/fuzz/fuzz_proc.c execd/launch_like.c \
	execd/launch_proc.c execd/launch_util.c imaged/unarchive_fds.c
fuzz_proc_LIBS = base
fuzz_selinux_SRCS = regress/fuzz/fuzz_selinux.c execd/selinux.c $(FUZZ_PB)
fuzz_selinux_LIBS = base
fuzz_selinux_PKGS = libprotobuf-c
FUZZERS += fuzz_texts
fuzz_texts_SRCS = regress/fuzz/fuzz_texts.c regress/fuzz/feed.c \
	execd/devlist.c execd/runtime_facts.c netd/args.c netd/quantity.c \
	scribe/line.c streamd/resize.c $(FUZZ_PB)
fuzz_texts_LIBS = base json
fuzz_texts_PKGS = jansson libprotobuf-c
