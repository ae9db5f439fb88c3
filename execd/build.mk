include execd/launch.mk

PROGRAMS += execd
CDI_SRCS = execd/cdi.c execd/cdi_apply.c execd/cdi_name.c
execd_OUT = libexec/criod/execd
SPEC_SRCS = execd/spec.c execd/spec_process.c execd/spec_mount.c \
	execd/spec_linux.c execd/caps.c lib/capname.c execd/policy.c \
	execd/policy_userns.c execd/devlist.c execd/profile.c \
	execd/seccomp_load.c execd/seccomp_profile.c execd/selinux.c \
	execd/hooks.c execd/regex_cost.c execd/spec_sandbox.c \
	execd/user.c
execd_SRCS = execd/main.c execd/ask.c execd/execd.c execd/ctr.c execd/ctr_create.c \
	execd/ctr_cdi.c execd/ctr_checkpoint.c execd/ctr_dirs.c \
	execd/ctr_mounts.c $(CDI_SRCS) \
	execd/ctr_ops.c execd/ctr_remove.c execd/ctr_restore.c \
	execd/exec.c execd/info.c execd/mon.c execd/nri.c execd/nri_apply.c \
	execd/nri_json.c execd/pod.c execd/pod_file.c \
	execd/runtime.c execd/runtime_facts.c execd/signum.c \
	execd/stream.c \
	execd/ctr_update.c execd/spec_update.c execd/stat_parse.c execd/stats.c \
	execd/stats_metric.c execd/stats_view.c lib/metric.c imsg/audit.c \
	imsg/guard.c lib/rule.c $(SPEC_SRCS)
execd_LIBS = base confine fixed link proto helperboot json pbsafe \
	yamljson
execd_PKGS = libevent_core libcap-ng libprotobuf-c jansson yaml-0.1
execd_CALLS = execd/execd.calls
