FUZZERS += fuzz_ref fuzz_manifest fuzz_auth
fuzz_ref_SRCS = regress/fuzz/fuzz_ref.c imaged/ref.c imaged/digest.c
fuzz_ref_LIBS = base
fuzz_ref_PKGS = libcrypto
fuzz_manifest_SRCS = regress/fuzz/fuzz_manifest.c imaged/artifact.c \
	imaged/manifest.c imaged/foreign.c imaged/url.c imaged/ref.c \
	imaged/digest.c
fuzz_manifest_LIBS = base json
fuzz_manifest_PKGS = jansson libcrypto libcurl
fuzz_auth_SRCS = regress/fuzz/fuzz_auth.c imaged/auth.c imaged/digest.c
fuzz_auth_LIBS = base json
fuzz_auth_PKGS = jansson libcrypto
FUZZERS += fuzz_toml
fuzz_toml_SRCS = regress/fuzz/fuzz_toml.c imaged/toml.c
fuzz_toml_LIBS = base
FUZZERS += fuzz_registries
fuzz_registries_SRCS = regress/fuzz/fuzz_registries.c $(REGCONF_SRCS) \
	imaged/ref.c imaged/digest.c $(B)/gen/proto/cri.pb-c.c \
	$(B)/gen/proto/msg.pb-c.c $(B)/gen/proto/nri.pb-c.c
fuzz_registries_LIBS = base json
fuzz_registries_PKGS = jansson libcrypto libprotobuf-c
FUZZERS += fuzz_head
fuzz_head_SRCS = regress/fuzz/fuzz_head.c imaged/http_head.c imaged/proxy.c \
	imaged/address.c imaged/url.c
fuzz_head_LIBS = base
fuzz_head_PKGS = libcurl
