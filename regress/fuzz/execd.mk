FUZZERS += fuzz_passwd fuzz_devlist
fuzz_passwd_SRCS = regress/fuzz/fuzz_passwd.c execd/user.c
fuzz_passwd_LIBS = base
fuzz_devlist_SRCS = regress/fuzz/fuzz_devlist.c execd/devlist.c
fuzz_devlist_LIBS = base
FUZZERS += fuzz_stat
fuzz_stat_SRCS = regress/fuzz/fuzz_stat.c execd/stat_parse.c
fuzz_stat_LIBS = base
