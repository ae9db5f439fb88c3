FUZZERS += fuzz_ttrpc
fuzz_ttrpc_SRCS = regress/fuzz/fuzz_ttrpc.c
fuzz_ttrpc_LIBS = base ttrpc
