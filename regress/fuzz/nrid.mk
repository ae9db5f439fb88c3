FUZZERS += fuzz_nri
fuzz_nri_SRCS = regress/fuzz/fuzz_nri.c nrid/merge.c nrid/mux.c \
	$(B)/gen/proto/nri.pb-c.c
fuzz_nri_LIBS = base pbsafe
fuzz_nri_PKGS = libprotobuf-c
