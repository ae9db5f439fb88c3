FUZZERS += fuzz_tar fuzz_path fuzz_imgconf
fuzz_tar_SRCS = regress/fuzz/fuzz_tar.c imaged/unpack_tar.c \
	imaged/unpack_pax.c imaged/unpack_sparse.c imaged/unpack_path.c \
	lib/cerr.c
fuzz_path_SRCS = regress/fuzz/fuzz_path.c imaged/unpack_path.c lib/cerr.c
fuzz_imgconf_SRCS = regress/fuzz/fuzz_imgconf.c imaged/imgconf.c lib/json.c \
	lib/cerr.c
fuzz_imgconf_PKGS = jansson
