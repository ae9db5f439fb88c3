# The image store and unpack.
include imaged/store.mk
TESTS += t_imgconf t_store
t_imgconf_SRCS = regress/unit/imaged/t_imgconf.c imaged/imgconf.c
t_imgconf_LIBS = base json
t_imgconf_PKGS = jansson
t_store_SRCS = regress/unit/imaged/t_store.c $(STORE_SRCS)
t_store_LIBS = base fixed link json
t_store_PKGS = $(STORE_PKGS)
TESTS += t_unpack
t_unpack_SRCS = regress/unit/imaged/t_unpack.c imaged/unpack_path.c \
	imaged/unpack_pax.c imaged/unpack_sparse.c imaged/unpack_tar.c
t_unpack_LIBS = base
TESTS += t_gunzip
t_gunzip_SRCS = regress/unit/imaged/t_gunzip.c \
	imaged/unpack_gunzip_$(GUNZIP).c
t_gunzip_PKGS = $(GUNZIP_PKG_$(GUNZIP)) zlib
