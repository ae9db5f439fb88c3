include imaged/unpack.mk imaged/store.mk imaged/sigcheck.mk imaged/shelf.mk

# From what was read of the configuration to where images are; with ref.c and
# digest.c.
REGREAD_SRCS = imaged/hosts.c imaged/regconf.c imaged/regconf_read.c \
	imaged/toml.c imaged/trust.c
REGCONF_SRCS = imaged/auth.c imaged/authfile.c imaged/registry.c $(REGREAD_SRCS)

PROGRAMS += imaged
imaged_OUT = libexec/criod/imaged
imaged_SRCS = imaged/main.c imaged/artifact.c imaged/address.c imaged/admin.c imaged/fetch.c \
	imaged/foreign.c \
	imaged/holds.c \
	imaged/hostfile.c imaged/http.c imaged/http_head.c imaged/http_opt.c \
	imaged/http_time.c imaged/images.c imaged/import.c imaged/item.c imaged/manifest.c imaged/news.c \
	imaged/authask.c imaged/proxy.c imaged/pull.c imaged/pulls.c imaged/regnow.c \
	imaged/session.c imaged/share.c imaged/url.c $(REGCONF_SRCS) \
	$(STORE_SRCS) $(GUARD_SRCS) $(TRUST_SRCS)
imaged_LIBS = base base64 confine fixed link proto helperboot json
imaged_PKGS = $(STORE_PKGS) libcurl libcap-ng libprotobuf-c
imaged_CALLS = imaged/imaged.calls
