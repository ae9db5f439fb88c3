FUZZERS += fuzz_ttrpc
fuzz_ttrpc_SRCS = regress/fuzz/fuzz_ttrpc.c
fuzz_ttrpc_LIBS = base ttrpc
FUZZERS += fuzz_yamljson
fuzz_yamljson_SRCS = regress/fuzz/fuzz_yamljson.c
fuzz_yamljson_LIBS = base json yamljson
fuzz_yamljson_PKGS = jansson yaml-0.1
