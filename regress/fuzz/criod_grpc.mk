FUZZERS += fuzz_grpc_frame fuzz_h2 fuzz_http1
fuzz_grpc_frame_SRCS = regress/fuzz/fuzz_grpc_frame.c proto/pballoc.c \
	proto/pbcheck.c $(B)/gen/proto/cri.pb-c.c
fuzz_grpc_frame_LIBS = base grpcframe
fuzz_grpc_frame_PKGS = libprotobuf-c
fuzz_h2_SRCS = regress/fuzz/fuzz_h2.c $(B)/gen/proto/cri.pb-c.c
fuzz_h2_LIBS = base grpc
fuzz_h2_PKGS = libevent_core libnghttp2 libprotobuf-c
fuzz_http1_SRCS = regress/fuzz/fuzz_http1.c streamd/http1.c
