# Only where tests make things fail: see lib/failpoint.h.
FAILPOINT_SRCS = $(if $(FAILPOINTS),lib/failpoint.c)
# The internal libraries: names that a program may put in NAME_LIBS.
LIB_base_SRCS = lib/cerr.c lib/fdio.c lib/id.c lib/layerid.c lib/log.c lib/mono.c \
	lib/pattern.c lib/record.c lib/record_dir.c lib/record_header.c lib/roexec.c lib/sigreset.c $(FAILPOINT_SRCS)
# needs libcap-ng and the program's own filter
LIB_confine_SRCS = lib/confine.c lib/filter.c $(B)/gen/filter_names.c
# for the parent; needs libcap-ng
LIB_capdrop_SRCS = lib/capdrop.c
# messages for processes that parse nothing
LIB_fixed_SRCS = imsg/codec.c imsg/fixed.c imsg/msg.c imsg/wire.c
# links on libevent_core
LIB_link_SRCS = imsg/link.c
# protobuf bodies; needs libprotobuf-c
LIB_proto_SRCS = imsg/codec_pb.c $(B)/gen/proto/cri.pb-c.c \
	$(B)/gen/proto/msg.pb-c.c $(B)/gen/proto/nri.pb-c.c
# the policy, in a role that enforces it
GUARD_SRCS = imsg/audit.c imsg/guard.c lib/rule.c lib/capname.c
# giving memory back; part of helper too
LIB_trim_SRCS = lib/trim.c
# a helper's main(); helperboot for those that take protobuf
LIB_helper_SRCS = imsg/helper.c lib/trim.c
LIB_helperboot_SRCS = imsg/helper.c lib/trim.c imsg/helper_boot.c
LIB_base64_SRCS = lib/base64.c
# bounded JSON; needs jansson
LIB_json_SRCS = lib/json.c
# YAML as JSON; needs jansson, yaml-0.1 and json
LIB_yamljson_SRCS = lib/yamljson.c
# decoding protobuf of strangers
LIB_pbsafe_SRCS = proto/pballoc.c proto/pbcheck.c
# gRPC by HTTP/2; needs libevent_core, libnghttp2, libprotobuf-c
LIB_grpcframe_SRCS = proto/grpc_frame.c proto/grpc_status.c
LIB_grpc_SRCS = criod/grpc.c criod/grpc_answer.c criod/grpc_h2.c \
	criod/grpc_local.c criod/h2.c criod/h2_conn.c criod/h2_scan.c criod/h2_stream.c \
	$(LIB_pbsafe_SRCS) $(LIB_grpcframe_SRCS)
# ttrpc, without any input or output
LIB_ttrpc_SRCS = lib/ttrpc.c lib/ttrpc_pb.c
