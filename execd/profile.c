#include <string.h>

#include "execd/policy.h"
#include "execd/profile.h"

#define PROFILE_LOCAL	 "localhost/"
#define PROFILE_NAME_MAX 255

static const struct {
	const char *name;
	enum profile_kind kind;
} profile_names[] = {
	{ "", PROFILE_UNSET },
	{ "runtime/default", PROFILE_RUNTIME },
	{ "docker/default", PROFILE_RUNTIME },
	{ "unconfined", PROFILE_UNCONFINED },
};

static int
profile_from_name(const char *field, const char *name, struct profile *out,
    struct cerr *err)
{
	const size_t local = strlen(PROFILE_LOCAL);

	for (size_t i = 0; i < sizeof(profile_names) / sizeof(profile_names[0]);
	     i++) {
		if (strcmp(name, profile_names[i].name) == 0) {
			out->kind = profile_names[i].kind;
			return 0;
		}
	}
	if (strncmp(name, PROFILE_LOCAL, local) != 0)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s: \"%.128s\" is no profile", field, name);
	out->kind = PROFILE_LOCALHOST;
	out->ref = name + local;
	return 0;
}

static int
profile_from_field(const char *field, const Runtime__V1__SecurityProfile *p,
    struct profile *out, struct cerr *err)
{
	switch (p->profile_type) {
	case RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault:
		out->kind = PROFILE_RUNTIME;
		return 0;
	case RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Unconfined:
		out->kind = PROFILE_UNCONFINED;
		return 0;
	case RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Localhost:
		out->kind = PROFILE_LOCALHOST;
		out->ref = p->localhost_ref;
		return 0;
	case _RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE_IS_INT_SIZE:
	default:
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s: not a profile type", field);
	}
}

/* The new field counts, if it is there. */
static int
profile_from(const char *field, const Runtime__V1__SecurityProfile *p,
    const char *name, struct profile *out, struct cerr *err)
{
	*out = (struct profile){ PROFILE_UNSET, "" };
	return p != NULL ? profile_from_field(field, p, out, err)
			 : profile_from_name(field, name, out, err);
}

int
profile_seccomp(const Criod__BootExecd *boot,
    const Runtime__V1__LinuxContainerSecurityContext *sc, struct profile *out,
    struct cerr *err)
{
	size_t dir;
	const char *below;

	*out = (struct profile){ PROFILE_UNSET, "" };
	if (sc != NULL && profile_from("seccomp", sc->seccomp,
			      sc->seccomp_profile_path, out, err) == -1)
		return -1;
	if (sc != NULL && sc->privileged)
		out->kind = PROFILE_UNCONFINED;
	if (out->kind == PROFILE_UNSET)
		out->kind = boot->seccomp_default ? PROFILE_RUNTIME
						  : PROFILE_UNCONFINED;
	return out->kind == PROFILE_LOCALHOST
		   ? profile_find(boot, out->ref, &dir, &below, err)
		   : 0;
}

int
profile_find(const Criod__BootExecd *boot, const char *path, size_t *dir,
    const char **below, struct cerr *err)
{
	if (policy_check_path("seccomp: localhost profile", path, err) == -1)
		return -1;
	for (size_t i = 0; i < boot->n_seccomp_directories; i++) {
		const char *d = boot->seccomp_directories[i];
		size_t len = strlen(d);

		if (strncmp(path, d, len) == 0 && path[len] == '/' &&
		    path[len + 1] != '\0') {
			*dir = i;
			*below = path + len + 1;
			return 0;
		}
	}
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "seccomp: \"%.256s\" is not in a directory for profiles", path);
}

/* Names of files, and such things as "cri-containerd//&foo": no namespace. */
static int
profile_apparmor_local(const Criod__BootExecd *boot, const char *ref,
    const char **name, struct cerr *err)
{
	const size_t local = strlen(PROFILE_LOCAL);

	if (strncmp(ref, PROFILE_LOCAL, local) == 0)
		ref += local;
	if (ref[0] == '\0' || ref[0] == ':' || strlen(ref) > PROFILE_NAME_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "apparmor: \"%.128s\" is no profile's name", ref);
	for (const char *p = ref; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "apparmor: a blank or control character in a "
			    "profile's name");
	}
	if (!boot->apparmor)
		return cerr_set(err, CERR_FAILED_PRECONDITION,
		    "apparmor: \"%.128s\" is asked for, but AppArmor is not "
		    "enabled on this host",
		    ref);
	*name = ref;
	return 0;
}

int
profile_apparmor(const Criod__BootExecd *boot,
    const Runtime__V1__LinuxContainerSecurityContext *sc, const char **name,
    struct cerr *err)
{
	struct profile want = { PROFILE_UNSET, "" };

	*name = "";
	if (sc != NULL && profile_from("apparmor", sc->apparmor,
			      sc->apparmor_profile, &want, err) == -1)
		return -1;
	if (want.kind == PROFILE_LOCALHOST)
		return profile_apparmor_local(boot, want.ref, name, err);
	if (boot->apparmor && want.kind != PROFILE_UNCONFINED &&
	    (sc == NULL || !sc->privileged) &&
	    strcmp(boot->apparmor_default, "unconfined") != 0)
		*name = boot->apparmor_default;
	return 0;
}
