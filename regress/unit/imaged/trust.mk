# Signatures.
TESTS += t_sigpolicy t_sigset t_sources
t_sigpolicy_SRCS = regress/unit/imaged/t_sigpolicy.c imaged/policy.c \
	imaged/identity.c imaged/payload.c imaged/ref.c imaged/digest.c
t_sigpolicy_LIBS = base base64 json
t_sigpolicy_PKGS = jansson libcrypto
t_sigset_SRCS = regress/unit/imaged/t_sigset.c imaged/sigset.c \
	imaged/sigatomic.c imaged/sigbundle.c imaged/sigmanifest.c \
	imaged/sigreferrer.c imaged/digest.c
t_sigset_LIBS = base base64 json
t_sigset_PKGS = jansson libcrypto
t_sources_SRCS = regress/unit/imaged/t_sources.c imaged/sources.c
t_sources_LIBS = base json yamljson
t_sources_PKGS = jansson yaml-0.1
