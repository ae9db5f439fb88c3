FUZZERS += fuzz_nri
fuzz_nri_SRCS = regress/fuzz/fuzz_nri.c nrid/merge.c nrid/mux.c \
	$(B)/gen/proto/nri.pb-c.c
fuzz_nri_LIBS = base pbsafe
fuzz_nri_PKGS = libprotobuf-c
FUZZERS += fuzz_nri_apply
fuzz_nri_apply_SRCS = regress/fuzz/fuzz_nri_apply.c execd/nri_apply.c \
	execd/nri_json.c $(SPEC_SRCS) $(B)/gen/proto/cri.pb-c.c \
	$(B)/gen/proto/msg.pb-c.c $(B)/gen/proto/nri.pb-c.c
fuzz_nri_apply_LIBS = base json pbsafe
fuzz_nri_apply_PKGS = jansson libprotobuf-c
