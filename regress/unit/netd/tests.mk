TESTS += t_cni_conf t_cni_result t_cni_args t_cni_cache t_cni_confdir t_lease
t_cni_conf_SRCS = regress/unit/netd/t_cni_conf.c netd/conf.c netd/plugin.c \
	netd/embedded.c netd/request.c
t_cni_conf_LIBS = base json
t_cni_conf_PKGS = jansson
t_cni_result_SRCS = regress/unit/netd/t_cni_result.c netd/result.c
t_cni_result_LIBS = base json
t_cni_result_PKGS = jansson
t_cni_args_SRCS = regress/unit/netd/t_cni_args.c netd/args.c netd/quantity.c \
	netd/plugin.c $(B)/gen/proto/msg.pb-c.c $(B)/gen/proto/cri.pb-c.c \
	$(B)/gen/proto/nri.pb-c.c
t_cni_args_LIBS = base json
t_cni_args_PKGS = jansson libprotobuf-c
t_cni_cache_SRCS = regress/unit/netd/t_cni_cache.c netd/cache.c netd/conf.c \
	netd/plugin.c
t_cni_cache_LIBS = base json
t_cni_cache_PKGS = jansson
t_cni_confdir_SRCS = regress/unit/netd/t_cni_confdir.c netd/confdir.c \
	netd/conf.c netd/plugin.c netd/embedded.c
t_cni_confdir_LIBS = base json
t_cni_confdir_PKGS = jansson
t_lease_SRCS = regress/unit/netd/t_lease.c netd/launch_lease.c
t_lease_LIBS = base
