TESTS += t_nri_mux t_nri_merge
t_nri_mux_SRCS = regress/unit/nrid/t_nri_mux.c nrid/mux.c
t_nri_mux_LIBS = base
t_nri_merge_SRCS = regress/unit/nrid/t_nri_merge.c nrid/merge.c \
	$(B)/gen/proto/nri.pb-c.c
t_nri_merge_LIBS = base pbsafe
t_nri_merge_PKGS = libprotobuf-c
