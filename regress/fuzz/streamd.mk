FUZZERS += fuzz_spdy fuzz_ws
fuzz_spdy_SRCS = regress/fuzz/fuzz_spdy.c streamd/spdy.c streamd/spdy_dict.c
fuzz_spdy_PKGS = zlib
fuzz_ws_SRCS = regress/fuzz/fuzz_ws.c streamd/ws.c lib/base64.c \
	streamd/upgrade.c streamd/http1.c
fuzz_ws_PKGS = libevent_core libcrypto
fuzz_ws_LDADD = -lwslay
