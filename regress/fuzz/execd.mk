FUZZERS += fuzz_passwd
fuzz_passwd_SRCS = regress/fuzz/fuzz_passwd.c execd/user.c
fuzz_passwd_LIBS = base
FUZZERS += fuzz_stat
fuzz_stat_SRCS = regress/fuzz/fuzz_stat.c execd/stat_parse.c
fuzz_stat_LIBS = base
FUZZERS += fuzz_cdi
fuzz_cdi_SRCS = regress/fuzz/fuzz_cdi.c $(CDI_SRCS) execd/policy.c \
	execd/policy_userns.c execd/devlist.c $(B)/gen/proto/cri.pb-c.c \
	$(B)/gen/proto/msg.pb-c.c $(B)/gen/proto/nri.pb-c.c
fuzz_cdi_LIBS = base json yamljson
fuzz_cdi_PKGS = jansson libprotobuf-c yaml-0.1
FUZZERS += fuzz_seccomp
fuzz_seccomp_SRCS = regress/fuzz/fuzz_seccomp.c execd/seccomp_load.c \
	execd/caps.c lib/capname.c
fuzz_seccomp_LIBS = base json
fuzz_seccomp_PKGS = jansson
FUZZERS += fuzz_spec
fuzz_spec_SRCS = regress/fuzz/fuzz_spec.c $(SPEC_SRCS) \
	$(B)/gen/proto/cri.pb-c.c $(B)/gen/proto/msg.pb-c.c \
	$(B)/gen/proto/nri.pb-c.c
fuzz_spec_LIBS = base json pbsafe
fuzz_spec_PKGS = jansson libprotobuf-c
