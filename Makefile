# criod.  GNU make.  Each folder's build.mk lists its programs:
#
#	PROGRAMS += NAME
#	NAME_OUT = libexec/criod/NAME	# below $(B)
#	NAME_SRCS = folder/a.c ...	# its own, beside $(NAME_LIBS)'s
#	NAME_LIBS = lib imsg proto	# internal libraries, see lib/build.mk
#	NAME_PKGS = libevent_core ...	# pkg-config names
#	NAME_LDFLAGS =			# -static for monitor and pause
#	NAME_CALLS = folder/NAME.calls	# system call table; may be empty
#	NAME_DEFS =

VERSION = 0.1.0
prefix ?= /usr
sysconfdir ?= /etc
B ?= build
CC ?= gcc
CLANG ?= clang

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
	-Wcast-qual -Wwrite-strings -Wformat=2 -Wundef -Wvla -Wconversion \
	-Wswitch-enum -Wimplicit-fallthrough
WERROR ?= -Werror
HARDEN = -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-fstack-clash-protection -fPIE
LDHARDEN = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
BASE_CFLAGS = -std=gnu11 -D_GNU_SOURCE -Ulinux -I. -isystem $(B)/gen \
	-DCRIOD_VERSION='"$(VERSION)"' -DCRIOD_PREFIX='"$(prefix)"' \
	-DCRIOD_SYSCONFDIR='"$(sysconfdir)"'
ALL_CFLAGS = $(BASE_CFLAGS) $(HARDEN) $(CFLAGS)

# Says what is made; make V=1 prints the commands.
ifndef V
.SILENT:
MAKEFLAGS += --no-print-directory
endif
say = @echo '  $(1)	$@'

all: programs

PROGRAMS =
include lib/build.mk
include $(wildcard parent/build.mk criod/build.mk streamd/build.mk \
	imaged/build.mk netd/build.mk execd/build.mk nrid/build.mk \
	scribe/build.mk keeper/build.mk criodctl/build.mk)
include $(wildcard regress/build.mk contrib/build.mk)

# regress/unit/FOLDER/tests.mk: TESTS += t_NAME, with t_NAME_SRCS (the test
# and the sources under test), _LIBS and _PKGS as for programs.
# FIXTURES are built in the same way, for tests in other languages to run.
# regress/fuzz/fuzz.mk: FUZZERS += fuzz_NAME, likewise.
TESTS =
FIXTURES =
FUZZERS =
include $(wildcard regress/unit/*/tests.mk regress/fuzz/*.mk)

objs = $(patsubst %.c,$(B)/obj/%.o,$(filter-out $(B)/gen/%,$(1))) \
	$(patsubst $(B)/gen/%.c,$(B)/obj/gen/%.o,$(filter $(B)/gen/%,$(1)))
libsrcs = $(foreach l,$(1),$(LIB_$(l)_SRCS))
pkgcflags = $(if $(1),$(shell pkg-config --cflags $(1)))
pkglibs = $(if $(1),$(shell pkg-config $(2) --libs $(1)))

# NAME's system call filter, from its table.
define sysfilter
$(B)/gen/filter/$(1).c: lib/mkfilter.c lib/callrow.h $$($(1)_CALLS)
	@mkdir -p $$(@D) $(B)/tool
	$$(call say,filter)
	$(CC) $(BASE_CFLAGS) -DCALLS_FILE='"$$($(1)_CALLS)"' -o $(B)/tool/mkfilter-$(1) lib/mkfilter.c -lseccomp
	$(B)/tool/mkfilter-$(1) $(1) >$$@.tmp && mv $$@.tmp $$@
endef

define program
$(1)_ALLSRCS = $$($(1)_SRCS) $$(call libsrcs,$$($(1)_LIBS)) \
	$$(if $$($(1)_CALLS),$(B)/gen/filter/$(1).c)
$(B)/$$($(1)_OUT): $$(call objs,$$($(1)_ALLSRCS))
	@mkdir -p $$(@D)
	$$(call say,link)
	$(CC) $(HARDEN) $(CFLAGS) $$(if $$(filter -static,$$($(1)_LDFLAGS)),-static-pie -Wl$$(comma)-z$$(comma)relro$$(comma)-z$$(comma)now,$(LDHARDEN)) $(LDFLAGS) -o $$@ $$^ \
	    $$(call pkglibs,$$($(1)_PKGS),$$(if $$(filter -static,$$($(1)_LDFLAGS)),--static)) $$($(1)_LDADD)
programs: $(B)/$$($(1)_OUT)
endef
comma := ,
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

define test
$(1)_ALLSRCS = $$($(1)_SRCS) $$(call libsrcs,$$($(1)_LIBS)) \
	$$(if $$($(1)_CALLS),$(B)/gen/filter/$(1).c)
$(B)/regress/$(1): $$(call objs,$$($(1)_ALLSRCS))
	@mkdir -p $$(@D)
	$$(call say,link)
	$(CC) $(HARDEN) $(CFLAGS) $(LDHARDEN) $(LDFLAGS) $$($(1)_LDFLAGS) -o $$@ $$^ \
	    $$(call pkglibs,$$($(1)_PKGS) cmocka) $$($(1)_LDADD)
tests: $(B)/regress/$(1)
endef
$(foreach t,$(TESTS) $(FIXTURES),$(eval $(call test,$(t))))

$(foreach p,$(PROGRAMS) $(TESTS),$(if $($(p)_CALLS),$(eval $(call sysfilter,$(p)))))

# A twin of each program that has a filter, for the death tests.
define twin
$(B)/obj/twin_$(1).o: regress/sandbox/twin.c $$($(1)_CALLS)
	@mkdir -p $$(@D)
	$$(call say,cc)
	$(CC) $(ALL_CFLAGS) $(WARN) $(WERROR) -DTWIN_FILTER=filter_$(1) \
	    -DCALLS_FILE='"$$($(1)_CALLS)"' -MD -MP -c -o $$@ $$<
$(B)/regress/twin_$(1): $(B)/obj/twin_$(1).o $(B)/obj/lib/filter.o \
    $(B)/obj/gen/filter/$(1).o $(B)/obj/gen/filter_names.o
	@mkdir -p $$(@D)
	$$(call say,link)
	$(CC) $(HARDEN) $(CFLAGS) $(LDHARDEN) $(LDFLAGS) -o $$@ $$^
tests: $(B)/regress/twin_$(1)
endef
$(foreach p,$(PROGRAMS),$(if $($(p)_CALLS),$(eval $(call twin,$(p)))))

# The fuzz targets build whole from source: clang, its own object files.
FUZZ_CFLAGS = $(BASE_CFLAGS) -g -O1 -w \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
define fuzzer
$(B)/fuzz/$(1): $$($(1)_SRCS) $$(call libsrcs,$$($(1)_LIBS)) | $(PROTO_H)
	@mkdir -p $$(@D)
	$$(call say,fuzzer)
	$(CLANG) $(FUZZ_CFLAGS) $$(call pkgcflags,$$($(1)_PKGS)) -o $$@ \
	    $$(filter %.c,$$^) $$(call pkglibs,$$($(1)_PKGS)) $$($(1)_LDADD)
fuzzers: $(B)/fuzz/$(1)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

unit-programs: $(addprefix $(B)/regress/,$(TESTS))
unit: unit-programs
	regress/run-unit $(B)/regress $(TESTS)

$(B)/gen/filter_names.c: lib/mknames.c
	@mkdir -p $(@D) $(B)/tool
	$(CC) $(BASE_CFLAGS) -o $(B)/tool/mknames lib/mknames.c -lseccomp
	$(B)/tool/mknames >$@.tmp && mv $@.tmp $@

PROTO_H = $(B)/gen/proto/cri.pb-c.h $(B)/gen/proto/msg.pb-c.h \
	$(B)/gen/proto/nri.pb-c.h $(B)/gen/proto/task.pb-c.h
$(B)/gen/proto/%.pb-c.c $(B)/gen/proto/%.pb-c.h: proto/%.proto
	@mkdir -p $(@D)
	$(call say,protoc)
	protoc-c --c_out=$(B)/gen proto/$*.proto
$(B)/gen/proto/msg.pb-c.c: proto/cri.proto proto/nri.proto

# Generated code builds without -Werror.
$(B)/obj/gen/%.o: $(B)/gen/%.c $(PROTO_H)
	@mkdir -p $(@D)
	$(call say,cc)
	$(CC) $(ALL_CFLAGS) -w -MD -MP -c -o $@ $<
$(B)/obj/%.o: %.c | $(PROTO_H)
	@mkdir -p $(@D)
	$(call say,cc)
	$(CC) $(ALL_CFLAGS) $(WARN) $(WERROR) -MD -MP -c -o $@ $<

# ---- installing ----
mandir ?= $(prefix)/share/man
unitdir ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
completiondir ?= $(prefix)/share/bash-completion/completions

install: programs
	install -d $(DESTDIR)$(prefix)/sbin $(DESTDIR)$(prefix)/libexec/criod \
	    $(DESTDIR)$(mandir)/man5 $(DESTDIR)$(mandir)/man8 \
	    $(DESTDIR)$(unitdir) $(DESTDIR)$(sysusersdir) \
	    $(DESTDIR)$(sysconfdir)/criod $(DESTDIR)$(completiondir)
	install -m 755 $(B)/sbin/criod $(B)/sbin/criodctl \
	    $(DESTDIR)$(prefix)/sbin
	install -m 755 $(B)/libexec/criod/* $(DESTDIR)$(prefix)/libexec/criod
	install -m 644 criod.conf.5 $(DESTDIR)$(mandir)/man5
	install -m 644 criod.8 criodctl.8 $(DESTDIR)$(mandir)/man8
	install -m 644 contrib/criodctl.bash \
	    $(DESTDIR)$(completiondir)/criodctl
	install -m 644 contrib/criod.service $(DESTDIR)$(unitdir)
	install -m 644 contrib/criod.sysusers \
	    $(DESTDIR)$(sysusersdir)/criod.conf
	[ -n "$(DESTDIR)" ] || contrib/add-users

# ---- trying and testing ----
# As root on Debian 12; each installs the packages it needs.
demo:
	contrib/install-deps build run
	$(MAKE) programs
	contrib/add-users
	contrib/demo

regress:
	contrib/install-deps regress
	regress/run

# The CRI's own suite, critest, with each runtime, in parallel, by WebSocket.
conformance:
	contrib/install-deps regress
	$(MAKE) programs
	contrib/add-users
	regress/conformance/run

# The same in emulated guests: cgroup v2, with AppArmor and with SELinux.
conformance-vm:
	contrib/install-deps regress
	$(MAKE) programs
	regress/conformance/vm

# Which calls of the filters' tables the tests never make; takes long.
coverage-calls: programs
	regress/sandbox/coverage

# Published vulnerabilities: the table of proofs, and the tests.
cve:
	cat regress/cve/ROWS.md
	/usr/bin/python3 -m pytest -q -p no:cacheprovider \
	    --rootdir=regress/cve regress/cve

bench:
	contrib/install-deps bench
	$(MAKE) programs
	contrib/add-users
	regress/bench/bench

# PullImage beside containerd's; BENCH="-s 0.1 -n 3 -m 0" is a quick look.
bench-pull:
	contrib/install-deps bench
	$(MAKE) programs
	contrib/add-users
	regress/box regress/bench/pull $(BENCH)

# Pods, probes, pulls and random faults for SOAK_SECONDS (600), then the same
# number of everything as before; SOAK_SEED=N repeats what was drawn.
soak:
	contrib/install-deps regress
	$(MAKE) programs
	contrib/add-users
	regress/box regress/soak/soak

lint:
	regress/lint/lint

# Takes minutes, and what it says wants judging: no part of lint.
tidy: $(PROTO_H)
	git ls-files '*.c' | grep -vE '^regress/|^lib/mk' | \
	    xargs -P2 -n4 sh -c 'clang-tidy --quiet "$$@" -- $(subst ','\'',$(BASE_CFLAGS)) 2>/dev/null' sh

FUZZ_SECONDS ?= 30
FUZZ_JOBS ?= 2
fuzz: fuzzers
	regress/fuzz/run $(B)/fuzz $(FUZZ_JOBS) $(FUZZ_SECONDS) $(FUZZERS)
# The same, keeping in the tree what reached something new.
fuzz-grow: fuzzers
	regress/fuzz/run -g $(B)/fuzz $(FUZZ_JOBS) $(FUZZ_SECONDS) $(FUZZERS)

# ASan and UBSan, without the system call filters (they would forbid what
# the sanitizers do).
ASAN = B=$(B)/asan CFLAGS="-fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer \
	-DCRIOD_SANDBOX_OFF -U_FORTIFY_SOURCE"
asan:
	$(MAKE) $(ASAN) programs tests
asan-tests:
	$(MAKE) $(ASAN) unit-programs
# The filters stay in force in their own tests, which ASan cannot bear.
asan-unit:
	$(MAKE) $(ASAN) TESTS="$(filter-out t_confine t_landlock,$(TESTS))" unit

# With named places to fail at (lib/failpoint.h), and no wait for what dies.
failpoints:
	$(MAKE) B=$(B)/failpoints FAILPOINTS=1 CFLAGS="-DCRIOD_FAILPOINTS=\
	'\"/run/criod.failpoints\"' -DPROC_STEADY_MS=0 \
	-DWATCH_PERIOD_MS=500 -DWATCH_KILL_MS=10000 \
	-DLAUNCH_RUN_MS=8000 -DCTR_DELETE_MS=3000 -DCTR_HUNG_MS=4000 \
	-DFRONT_PARK_S=15" programs

# As if it were the next version: everything that is kept says more than this
# version knows.  Only what that touches is made again.
NEWER_OBJS = lib/record execd/monitor_client parent/main parent/boot \
	criodctl/main
newer: programs
	mkdir -p $(B)/newer
	cp -a --update $(B)/obj $(B)/gen $(B)/newer
	rm -f $(NEWER_OBJS:%=$(B)/newer/obj/%.o)
	$(MAKE) B=$(B)/newer VERSION=$(VERSION).newer CFLAGS=-DCRIOD_NEWER programs

# valgrind has not the calls that these are about: pidfd_open (launch_proc),
# openat2 (dirs), open_tree (confine), a listener of seccomp (landlock).
NO_VALGRIND = t_launch_proc t_dirs t_confine t_landlock
valgrind: unit-programs
	regress/run-unit -v $(B)/regress $(filter-out $(NO_VALGRIND),$(TESTS))

clean:
	rm -rf $(B)

.PHONY: all programs tests fuzzers unit clean install demo regress cve bench bench-pull \
	coverage-calls \
	conformance conformance-vm \
	newer \
	lint tidy soak fuzz fuzz-grow asan asan-tests asan-unit failpoints unit-programs valgrind
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
