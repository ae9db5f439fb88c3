TESTS += t_conf t_roles t_spawn t_dirs t_listeners

t_conf_SRCS = regress/unit/parent/t_conf.c $(CONF_SRCS)
t_conf_LIBS = base

t_roles_SRCS = regress/unit/parent/t_roles.c $(CONF_SRCS) parent/roles.c \
	parent/plan.c parent/boot.c parent/conf_file.c parent/account.c \
	parent/hooks.c parent/host.c parent/proxies.c parent/selinux.c \
	parent/regfiles.c parent/files.c
t_roles_LIBS = base fixed link proto
t_roles_PKGS = libevent_core libprotobuf-c

t_spawn_SRCS = regress/unit/parent/t_spawn.c parent/spawn.c
t_spawn_LIBS = base

t_dirs_SRCS = regress/unit/parent/t_dirs.c $(CONF_SRCS) parent/dirs.c
t_dirs_LIBS = base

t_listeners_SRCS = regress/unit/parent/t_listeners.c $(CONF_SRCS) \
	parent/listeners.c parent/dirs.c parent/account.c
t_listeners_LIBS = base

TESTS += t_selinux_facts
t_selinux_facts_SRCS = regress/unit/parent/t_selinux_facts.c parent/selinux.c
t_selinux_facts_LIBS = base

TESTS += t_lookaside
t_lookaside_SRCS = regress/unit/parent/t_lookaside.c parent/lookaside.c
t_lookaside_LIBS = base fixed link proto
t_lookaside_PKGS = libevent_core libprotobuf-c
