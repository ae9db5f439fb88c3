# Files of images, and stores of others.
FUZZERS += fuzz_layout fuzz_shelf fuzz_tree
# libarchive is the target's own.
fuzz_layout_SRCS = regress/fuzz/fuzz_layout.c regress/fuzz/feed.c \
	criodctl/hash.c criodctl/layout.c criodctl/layout_choose.c \
	criodctl/layout_docker.c criodctl/layout_read.c imsg/wire.c
fuzz_layout_LIBS = base json
fuzz_layout_PKGS = jansson libcrypto
fuzz_shelf_SRCS = regress/fuzz/fuzz_shelf.c regress/fuzz/feed.c \
	imaged/digest.c imaged/dump.c imaged/image.c imaged/imgconf.c \
	imaged/ref.c imaged/shelves.c
fuzz_shelf_LIBS = base json
fuzz_shelf_PKGS = libevent_core jansson libcrypto
fuzz_tree_SRCS = regress/fuzz/fuzz_tree.c regress/fuzz/feed.c \
	imaged/recipe.c imaged/unpack_remove.c imaged/unpack_tree.c \
	$(REPACK_SRCS)
fuzz_tree_LIBS = base
fuzz_tree_PKGS = libcrypto libzstd
