# What reads the catalogues of additional stores.
PROGRAMS += shelf
shelf_OUT = libexec/criod/shelf
shelf_SRCS = imaged/shelf.c imaged/dump.c imaged/worker.c imaged/unpack_pax.c
shelf_LIBS = base confine fixed
shelf_PKGS = libcap-ng sqlite3
shelf_CALLS = imaged/shelf.calls
