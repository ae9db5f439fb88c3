TESTS += t_line
t_line_SRCS = regress/unit/scribe/t_line.c scribe/line.c
t_line_PKGS = jansson
