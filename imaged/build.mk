include imaged/unpack.mk imaged/store.mk

PROGRAMS += imaged
imaged_OUT = libexec/criod/imaged
imaged_SRCS = imaged/main.c imaged/address.c imaged/auth.c imaged/fetch.c \
	imaged/holds.c imaged/hostfile.c imaged/http.c imaged/http_head.c \
	imaged/http_opt.c imaged/http_time.c imaged/images.c imaged/import.c \
	imaged/manifest.c imaged/proxy.c \
	imaged/pull.c imaged/pulls.c imaged/registry.c imaged/session.c \
	imaged/share.c imaged/url.c $(STORE_SRCS) $(GUARD_SRCS)
imaged_LIBS = base confine fixed link proto helperboot json
imaged_PKGS = $(STORE_PKGS) libcurl libcap-ng libprotobuf-c
imaged_CALLS = imaged/imaged.calls
