TESTS += t_http1 t_metrics t_spdy t_token t_remote_text
t_http1_SRCS = regress/unit/streamd/t_http1.c streamd/http1.c
t_metrics_SRCS = regress/unit/streamd/t_metrics.c streamd/metrics.c \
	$(B)/gen/proto/cri.pb-c.c $(B)/gen/proto/nri.pb-c.c \
	$(B)/gen/proto/msg.pb-c.c
t_metrics_PKGS = libevent_core libprotobuf-c
t_spdy_SRCS = regress/unit/streamd/t_spdy.c streamd/spdy.c streamd/spdy_dict.c
t_spdy_PKGS = zlib
t_token_SRCS = regress/unit/streamd/t_token.c streamd/token.c lib/cerr.c \
	lib/log.c
t_token_PKGS = libevent_core libcrypto
t_remote_text_SRCS = regress/unit/streamd/t_remote_text.c lib/base64.c \
	streamd/resize.c streamd/status.c
t_remote_text_LIBS = base json
t_remote_text_PKGS = jansson
