TESTS += t_ref t_manifest t_auth t_registry t_toml t_authfile
t_ref_SRCS = regress/unit/imaged/t_ref.c imaged/ref.c imaged/digest.c
t_ref_LIBS = base
t_ref_PKGS = libcrypto
t_manifest_SRCS = regress/unit/imaged/t_manifest.c imaged/artifact.c \
	imaged/manifest.c \
	imaged/digest.c
t_manifest_LIBS = base json
t_manifest_PKGS = jansson libcrypto
TESTS += t_foreign t_digest t_dump
t_dump_SRCS = regress/unit/imaged/t_dump.c imaged/dump.c
t_dump_LIBS = base
t_foreign_SRCS = regress/unit/imaged/t_foreign.c imaged/artifact.c \
	imaged/foreign.c imaged/manifest.c imaged/ref.c imaged/url.c \
	imaged/digest.c
t_foreign_LIBS = base json
t_foreign_PKGS = jansson libcrypto libcurl
t_digest_SRCS = regress/unit/imaged/t_digest.c imaged/digest.c
t_digest_LIBS = base
t_digest_PKGS = libcrypto
t_auth_SRCS = regress/unit/imaged/t_auth.c imaged/auth.c imaged/digest.c
t_auth_LIBS = base json
t_auth_PKGS = jansson libcrypto
t_registry_SRCS = regress/unit/imaged/t_registry.c $(REGCONF_SRCS) \
	imaged/url.c imaged/ref.c imaged/digest.c \
	$(B)/gen/proto/cri.pb-c.c $(B)/gen/proto/msg.pb-c.c \
	$(B)/gen/proto/nri.pb-c.c
t_registry_LIBS = base json
t_registry_PKGS = jansson libcrypto libcurl libprotobuf-c
TESTS += t_proxy
t_proxy_SRCS = regress/unit/imaged/t_proxy.c imaged/address.c imaged/holds.c \
	imaged/proxy.c imaged/url.c
t_proxy_LIBS = base
t_proxy_PKGS = libcurl
t_toml_SRCS = regress/unit/imaged/t_toml.c imaged/toml.c
t_toml_LIBS = base
t_authfile_SRCS = regress/unit/imaged/t_authfile.c imaged/authfile.c \
	imaged/auth.c imaged/digest.c
t_authfile_LIBS = base json
t_authfile_PKGS = jansson libcrypto
include regress/unit/imaged/store.mk
TESTS += t_unarchive
t_unarchive_SRCS = regress/unit/imaged/t_unarchive.c imaged/unarchive_fds.c
t_unarchive_LIBS = base
include regress/unit/imaged/trust.mk
