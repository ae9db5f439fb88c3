FUZZERS += fuzz_conf
fuzz_conf_SRCS = regress/fuzz/fuzz_conf.c $(CONF_SRCS)
fuzz_conf_LIBS = base
