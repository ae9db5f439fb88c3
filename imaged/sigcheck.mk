# What verifies signatures: sigcheck reads OpenPGP, imaged the rest.
PROGRAMS += sigcheck
sigcheck_OUT = libexec/criod/sigcheck
sigcheck_SRCS = imaged/sigcheck.c imaged/openpgp.c imaged/worker.c \
	imaged/unpack_pax.c
sigcheck_LIBS = base confine fixed
sigcheck_PKGS = libcap-ng librnp
sigcheck_CALLS = imaged/sigcheck.calls

# For the parent: see imaged/policyread.c.
PROGRAMS += policyread
policyread_OUT = libexec/criod/policyread
policyread_SRCS = imaged/policyread.c imaged/policy.c imaged/sources.c \
	imaged/ref.c imaged/digest.c $(REGREAD_SRCS) \
	$(B)/gen/proto/cri.pb-c.c $(B)/gen/proto/msg.pb-c.c \
	$(B)/gen/proto/nri.pb-c.c
policyread_LIBS = base base64 confine json yamljson
policyread_PKGS = libcap-ng jansson yaml-0.1 libcrypto libprotobuf-c
policyread_CALLS = imaged/policyread.calls

TRUST_SRCS = imaged/gate.c imaged/grant.c imaged/identity.c imaged/payload.c imaged/policy.c \
	imaged/rekor.c imaged/sigatomic.c imaged/sigbundle.c \
	imaged/sigchecker.c imaged/sigfetch.c imaged/sigmanifest.c \
	imaged/sigreferrer.c imaged/sigset.c imaged/sigstore.c imaged/judge.c
