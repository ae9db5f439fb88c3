FUZZERS += fuzz_logline
fuzz_logline_SRCS = regress/fuzz/fuzz_logline.c execd/monitor_line.c
