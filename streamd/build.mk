PROGRAMS += streamd
streamd_OUT = libexec/criod/streamd
streamd_SRCS = $(addprefix streamd/,main.c attach.c certs.c client.c \
	forward.c http.c http1.c metrics.c pump.c remote.c resize.c session.c \
	sock.c spdy.c spdy_dict.c status.c tls.c token.c upgrade.c ws.c)
streamd_LIBS = base base64 confine fixed link json proto helperboot
streamd_PKGS = libevent_core libprotobuf-c libcap-ng jansson libssl libcrypto \
	zlib
streamd_LDADD = -lwslay
streamd_CALLS = streamd/streamd.calls
