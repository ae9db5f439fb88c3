# The image store: what imaged and its tests share.
STORE_SRCS = imaged/catalogue.c imaged/check.c imaged/digest.c imaged/dump.c \
	imaged/image.c \
	imaged/imgconf.c imaged/kept.c imaged/layer.c imaged/lease.c \
	imaged/ref.c imaged/shelfread.c imaged/shelves.c imaged/store.c \
	imaged/unpacker.c
STORE_PKGS = sqlite3 jansson libcrypto libevent_core
