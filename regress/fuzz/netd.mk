FUZZERS += fuzz_cni_conf fuzz_cni_result
fuzz_cni_conf_SRCS = regress/fuzz/fuzz_cni_conf.c netd/conf.c netd/plugin.c \
	netd/request.c
fuzz_cni_conf_LIBS = base json
fuzz_cni_conf_PKGS = jansson
fuzz_cni_result_SRCS = regress/fuzz/fuzz_cni_result.c netd/result.c
fuzz_cni_result_LIBS = base json
fuzz_cni_result_PKGS = jansson
