# What reads gzip: ISA-L where Debian has it, else zlib.
GUNZIP := $(shell pkg-config --exists libisal && echo isal || echo zlib)
GUNZIP_PKG_isal = libisal
GUNZIP_PKG_zlib = zlib

# The programs that write and read layers, and the sources their tests share.
UNPACK_SRCS = imaged/artifact.c imaged/digest.c imaged/recipe.c \
	imaged/unpack_gunzip_$(GUNZIP).c imaged/unpack_path.c \
	imaged/unpack_pax.c imaged/unpack_remove.c imaged/unpack_sparse.c \
	imaged/unpack_stream.c imaged/unpack_tar.c imaged/unpack_tree.c \
	imaged/walk.c
REPACK_SRCS = imaged/digest.c imaged/repack.c imaged/unpack_path.c \
	imaged/walk.c

PROGRAMS += unpack
unpack_OUT = libexec/criod/unpack
unpack_SRCS = imaged/unpack.c imaged/worker.c $(UNPACK_SRCS)
unpack_LIBS = base confine fixed
unpack_PKGS = libcap-ng libcrypto $(GUNZIP_PKG_$(GUNZIP)) libzstd
unpack_CALLS = imaged/unpack.calls

PROGRAMS += pack
pack_OUT = libexec/criod/pack
pack_SRCS = imaged/pack.c imaged/worker.c imaged/unpack_pax.c $(REPACK_SRCS)
pack_LIBS = base confine fixed
pack_PKGS = libcap-ng libcrypto libzstd
pack_CALLS = imaged/pack.calls

# What reads checkpoints, for execlaunch; an archive is like a layer.
PROGRAMS += unarchive
UNARCHIVE_SRCS = imaged/digest.c imaged/recipe.c imaged/unarchive_fds.c \
	imaged/unpack_path.c imaged/unpack_pax.c imaged/unpack_remove.c \
	imaged/unpack_sparse.c imaged/unpack_tar.c imaged/unpack_tree.c \
	imaged/walk.c
unarchive_OUT = libexec/criod/unarchive
unarchive_SRCS = imaged/unarchive.c $(UNARCHIVE_SRCS)
unarchive_LIBS = base confine fixed
unarchive_PKGS = libcap-ng libcrypto libzstd
unarchive_CALLS = imaged/unarchive.calls
