# The unpack program and the sources its tests share.
UNPACK_SRCS = imaged/digest.c imaged/unpack_path.c imaged/unpack_pax.c \
	imaged/unpack_remove.c imaged/unpack_sparse.c imaged/unpack_stream.c \
	imaged/unpack_tar.c imaged/unpack_tree.c

PROGRAMS += unpack
unpack_OUT = libexec/criod/unpack
unpack_SRCS = imaged/unpack.c $(UNPACK_SRCS)
unpack_LIBS = base confine fixed
unpack_PKGS = libcap-ng libcrypto zlib libzstd
unpack_CALLS = imaged/unpack.calls
