TESTS += t_grpc_status t_grpc_frame t_grpc_decode t_grpc_call
t_grpc_status_SRCS = regress/unit/proto/t_grpc_status.c
t_grpc_status_LIBS = base grpcframe
t_grpc_frame_SRCS = regress/unit/proto/t_grpc_frame.c
t_grpc_frame_LIBS = base grpcframe
t_grpc_decode_SRCS = regress/unit/criod/t_grpc_decode.c \
	proto/pballoc.c proto/pbcheck.c $(B)/gen/proto/cri.pb-c.c
t_grpc_decode_LIBS = base
t_grpc_decode_PKGS = libprotobuf-c
t_grpc_call_SRCS = regress/unit/criod/t_grpc_call.c $(B)/gen/proto/cri.pb-c.c
t_grpc_call_LIBS = base grpc
t_grpc_call_PKGS = libevent_core libnghttp2 libprotobuf-c

# What regress/grpc/test_grpc.py talks to.
FIXTURES += grpc_echo
grpc_echo_SRCS = regress/grpc/echo.c $(B)/gen/proto/cri.pb-c.c
grpc_echo_LIBS = base grpc
grpc_echo_PKGS = libevent_core libnghttp2 libprotobuf-c
