TESTS += t_http1 t_metrics
t_http1_SRCS = regress/unit/streamd/t_http1.c streamd/http1.c
t_metrics_SRCS = regress/unit/streamd/t_metrics.c streamd/metrics.c \
	$(B)/gen/proto/cri.pb-c.c $(B)/gen/proto/nri.pb-c.c \
	$(B)/gen/proto/msg.pb-c.c
t_metrics_PKGS = libevent_core libprotobuf-c
