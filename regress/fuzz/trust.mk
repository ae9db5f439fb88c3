FUZZERS += fuzz_policy fuzz_payload fuzz_sigmanifest fuzz_sigset fuzz_rekor \
	fuzz_sigbundle fuzz_sources
fuzz_policy_SRCS = regress/fuzz/fuzz_policy.c imaged/policy.c imaged/ref.c \
	imaged/digest.c
fuzz_policy_LIBS = base base64 json
fuzz_policy_PKGS = jansson libcrypto
fuzz_payload_SRCS = regress/fuzz/fuzz_payload.c imaged/payload.c \
	imaged/identity.c imaged/policy.c imaged/ref.c imaged/digest.c
fuzz_payload_LIBS = base base64 json
fuzz_payload_PKGS = jansson libcrypto
fuzz_sigmanifest_SRCS = regress/fuzz/fuzz_sigmanifest.c imaged/sigmanifest.c \
	imaged/sigset.c imaged/digest.c
fuzz_sigmanifest_LIBS = base json
fuzz_sigmanifest_PKGS = jansson libcrypto
fuzz_sigbundle_SRCS = regress/fuzz/fuzz_sigbundle.c imaged/sigatomic.c \
	imaged/sigbundle.c imaged/sigreferrer.c imaged/sigset.c imaged/digest.c
fuzz_sigbundle_LIBS = base base64 json
fuzz_sigbundle_PKGS = jansson libcrypto
fuzz_sigset_SRCS = regress/fuzz/fuzz_sigset.c imaged/sigset.c imaged/digest.c
fuzz_sigset_LIBS = base
fuzz_sigset_PKGS = libcrypto
fuzz_rekor_SRCS = regress/fuzz/fuzz_rekor.c imaged/rekor.c imaged/digest.c
fuzz_rekor_LIBS = base base64 json
fuzz_rekor_PKGS = jansson libcrypto
fuzz_sources_SRCS = regress/fuzz/fuzz_sources.c imaged/sources.c
fuzz_sources_LIBS = base json yamljson
fuzz_sources_PKGS = jansson yaml-0.1
FUZZERS += fuzz_openpgp fuzz_sigstore
# librnp is the target's own.
fuzz_openpgp_SRCS = regress/fuzz/fuzz_openpgp.c regress/fuzz/feed.c \
	imaged/openpgp.c
fuzz_openpgp_LIBS = base
fuzz_sigstore_SRCS = regress/fuzz/fuzz_sigstore.c regress/fuzz/feed.c \
	imaged/policy.c imaged/ref.c imaged/digest.c imaged/rekor.c \
	imaged/sigbundle.c imaged/sigset.c imaged/sigstore.c
fuzz_sigstore_LIBS = base base64 json
fuzz_sigstore_PKGS = jansson libcrypto
