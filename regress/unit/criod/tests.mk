TESTS += t_op t_stop t_signals t_check t_known

t_known_SRCS = regress/unit/criod/t_known.c criod/known.c criod/pb.c
t_known_LIBS = base fixed link proto
t_known_PKGS = libevent_core libprotobuf-c

TESTS += t_h2_scan
t_h2_scan_SRCS = regress/unit/criod/t_h2_scan.c criod/h2_scan.c
t_h2_scan_PKGS = libnghttp2

t_op_SRCS = regress/unit/criod/t_op.c criod/op.c criod/pb.c
t_op_LIBS = base fixed link proto
t_op_PKGS = libevent_core libprotobuf-c

t_stop_SRCS = regress/unit/criod/t_stop.c criod/stop.c
t_stop_LIBS = base

t_signals_SRCS = regress/unit/criod/t_signals.c criod/signals.c \
	$(B)/gen/proto/cri.pb-c.c
t_signals_LIBS = base
t_signals_PKGS = libprotobuf-c

t_check_SRCS = regress/unit/criod/t_check.c criod/pb.c $(front_CHECK_SRCS)
t_check_LIBS = base fixed proto link
t_check_PKGS = libevent_core libprotobuf-c

# The front's parent, imaged, netd and execd, for regress/front.
FIXTURES += front_peers
front_peers_SRCS = regress/front/peers.c criod/pb.c
front_peers_LIBS = base fixed link proto
front_peers_PKGS = libevent_core libprotobuf-c

TESTS += t_front_store
t_front_store_SRCS = regress/unit/criod/t_front_store.c \
	$(filter-out criod/main.c,$(front_SRCS))
t_front_store_LIBS = base fixed link proto grpc
t_front_store_PKGS = libevent_core libprotobuf-c libnghttp2

TESTS += t_resources
t_resources_SRCS = regress/unit/criod/t_resources.c criod/resources.c \
	criod/pb.c $(B)/gen/proto/cri.pb-c.c
t_resources_LIBS = base
t_resources_PKGS = libprotobuf-c
