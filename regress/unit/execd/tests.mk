PB_SRCS = $(B)/gen/proto/cri.pb-c.c $(B)/gen/proto/msg.pb-c.c \
	$(B)/gen/proto/nri.pb-c.c

TESTS += t_spec t_hooks t_user t_policy t_caps t_facts
t_facts_SRCS = regress/unit/execd/t_facts.c execd/runtime_facts.c \
	execd/devlist.c execd/devlist_make.c execd/pod_file.c $(PB_SRCS)
t_facts_LIBS = base json
t_facts_PKGS = jansson libprotobuf-c
t_spec_SRCS = regress/unit/execd/t_spec.c $(SPEC_SRCS) $(PB_SRCS)
t_spec_LIBS = base json
t_spec_PKGS = jansson libprotobuf-c
TESTS += t_cdi
t_cdi_SRCS = regress/unit/execd/t_cdi.c $(CDI_SRCS) execd/cdi_list.c \
	execd/policy.c execd/policy_userns.c execd/devlist.c $(PB_SRCS)
t_cdi_LIBS = base json yamljson
t_cdi_PKGS = jansson libprotobuf-c yaml-0.1
TESTS += t_seccomp_load
t_seccomp_load_SRCS = regress/unit/execd/t_seccomp_load.c \
	execd/seccomp_load.c execd/profile.c execd/policy.c \
	execd/policy_userns.c execd/caps.c lib/capname.c \
	$(PB_SRCS)
t_seccomp_load_LIBS = base json
t_seccomp_load_PKGS = jansson libprotobuf-c
t_hooks_SRCS = regress/unit/execd/t_hooks.c execd/hooks.c execd/regex_cost.c $(PB_SRCS)
t_hooks_LIBS = base json
t_hooks_PKGS = jansson libprotobuf-c
t_user_SRCS = regress/unit/execd/t_user.c execd/user.c
t_user_LIBS = base
t_policy_SRCS = regress/unit/execd/t_policy.c execd/policy.c \
	execd/policy_userns.c $(PB_SRCS)
t_policy_LIBS = base
t_policy_PKGS = libprotobuf-c
t_caps_SRCS = regress/unit/execd/t_caps.c execd/caps.c lib/capname.c \
	execd/signum.c
t_caps_LIBS = base

TESTS += t_logline t_monitor_attach t_monitor_log t_launch_cgroup t_launch_proc \
	t_launch_sysctl t_launch_tree
t_logline_SRCS = regress/unit/execd/t_logline.c execd/monitor_line.c
t_monitor_log_SRCS = regress/unit/execd/t_monitor_log.c \
	execd/monitor_log.c execd/monitor_line.c execd/monitor_attach.c
t_monitor_attach_SRCS = regress/unit/execd/t_monitor_attach.c \
	execd/monitor_attach.c
t_launch_cgroup_SRCS = regress/unit/execd/t_launch_cgroup.c \
	execd/launch_cgroup.c
t_launch_cgroup_LIBS = base
TESTS += t_launch_like t_launch_tar
t_launch_like_SRCS = regress/unit/execd/t_launch_like.c \
	execd/launch_like.c execd/launch_proc.c execd/launch_util.c
t_launch_like_LIBS = base
t_launch_tar_SRCS = regress/unit/execd/t_launch_tar.c execd/launch_tar.c
t_launch_tar_LIBS = base
TESTS += t_selinux t_launch_relabel
t_selinux_SRCS = regress/unit/execd/t_selinux.c execd/selinux.c $(PB_SRCS)
t_selinux_LIBS = base
t_selinux_PKGS = libprotobuf-c
t_launch_relabel_SRCS = regress/unit/execd/t_launch_relabel.c \
	execd/launch_relabel.c execd/launch_label.c execd/launch_run.c \
	execd/launch_proc.c execd/launch_tree.c execd/launch_util.c
t_launch_relabel_LIBS = base
TESTS += t_launch_label
t_launch_label_SRCS = regress/unit/execd/t_launch_label.c \
	execd/launch_label.c execd/launch_run.c execd/launch_proc.c \
	execd/launch_util.c
t_launch_label_LIBS = base
t_launch_proc_SRCS = regress/unit/execd/t_launch_proc.c \
	execd/launch_proc.c execd/launch_util.c execd/launch_verify.c \
	execd/launch_cgroup.c
t_launch_proc_LIBS = base
t_launch_sysctl_SRCS = regress/unit/execd/t_launch_sysctl.c \
	execd/launch_sysctl.c execd/launch_util.c
t_launch_sysctl_LIBS = base
t_launch_tree_SRCS = regress/unit/execd/t_launch_tree.c \
	execd/launch_tree.c execd/launch_util.c
t_launch_tree_LIBS = base

TESTS += t_stat_parse t_spec_update
t_stat_parse_SRCS = regress/unit/execd/t_stat_parse.c execd/stat_parse.c
t_stat_parse_LIBS = base
t_spec_update_SRCS = regress/unit/execd/t_spec_update.c \
	execd/spec_update.c $(SPEC_SRCS) $(PB_SRCS)
t_spec_update_LIBS = base json
t_spec_update_PKGS = jansson libprotobuf-c
TESTS += t_nri_apply
t_nri_apply_SRCS = regress/unit/execd/t_nri_apply.c execd/nri_apply.c \
	execd/nri_json.c $(SPEC_SRCS) $(PB_SRCS)
t_nri_apply_LIBS = base json pbsafe
t_nri_apply_PKGS = jansson libprotobuf-c
TESTS += t_launch_cgimg
t_launch_cgimg_SRCS = regress/unit/execd/t_launch_cgimg.c execd/launch_cgimg.c
