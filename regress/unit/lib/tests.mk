TESTS += t_json
t_json_SRCS = regress/unit/lib/t_json.c
t_json_LIBS = base json
t_json_PKGS = jansson
