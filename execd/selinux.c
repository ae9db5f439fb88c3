#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "execd/selinux.h"

/* What container policies call a container that is not kept apart. */
#define SELINUX_OPEN_TYPE "spc_t"

enum selinux_part {
	SELINUX_USER,
	SELINUX_ROLE,
	SELINUX_TYPE,
	SELINUX_RANGE,
	SELINUX_PARTS,
};

static const char *const selinux_names[] = { "user", "role", "type", "level" };

struct selinux_context {
	char part[SELINUX_PARTS][SELINUX_LEVEL];
};

/* Only a level has colons and commas of its own. */
static bool
selinux_part_valid(enum selinux_part part, const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) &&
		    strchr(part == SELINUX_RANGE ? "-.:," : "-._", s[i]) ==
			NULL)
			return false;
	}
	return len > 0 && len < SELINUX_LEVEL;
}

static int
selinux_put(struct selinux_context *c, enum selinux_part part, const char *s,
    struct cerr *err)
{
	if (!selinux_part_valid(part, s))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "selinux_options.%s: \"%.64s\"", selinux_names[part], s);
	(void)snprintf(c->part[part], SELINUX_LEVEL, "%s", s);
	return 0;
}

/* A context of the host's policy, which the parent read. */
static int
selinux_parse(const char *text, struct selinux_context *c, struct cerr *err)
{
	char part[SELINUX_LABEL];

	for (int i = 0; i < SELINUX_PARTS; i++) {
		size_t n =
		    i == SELINUX_RANGE ? strlen(text) : strcspn(text, ":");

		if (n >= sizeof(part))
			return cerr_set(err, CERR_INTERNAL,
			    "the host's SELinux contexts are malformed");
		memcpy(part, text, n);
		part[n] = '\0';
		if (selinux_put(c, (enum selinux_part)i, part, err) == -1)
			return -1;
		text += n + (text[n] == ':');
	}
	return 0;
}

static const char *
selinux_option(const Runtime__V1__SELinuxOption *o, enum selinux_part part)
{
	const char *parts[SELINUX_PARTS];

	if (o == NULL)
		return "";
	parts[SELINUX_USER] = o->user;
	parts[SELINUX_ROLE] = o->role;
	parts[SELINUX_TYPE] = o->type;
	parts[SELINUX_RANGE] = o->level;
	return parts[part];
}

/* What the client says of a part, "" if nothing. */
static const char *
selinux_asked(const struct selinux_in *in, enum selinux_part part)
{
	const char *own = selinux_option(in->ctr, part);

	return own[0] != '\0' ? own : selinux_option(in->pod, part);
}

static const char *
selinux_base(const struct selinux_in *in)
{
	if (in->vm)
		return in->boot->selinux_kvm;
	return in->init ? in->boot->selinux_init : in->boot->selinux_process;
}

static int
selinux_process(const struct selinux_in *in, struct selinux_context *c,
    struct cerr *err)
{
	if (selinux_parse(selinux_base(in), c, err) == -1)
		return -1;
	if (in->open &&
	    selinux_put(c, SELINUX_TYPE, SELINUX_OPEN_TYPE, err) == -1)
		return -1;
	if (!in->open && selinux_put(c, SELINUX_RANGE, in->level, err) == -1)
		return -1;
	for (int i = 0; i < SELINUX_PARTS; i++) {
		const char *s = selinux_asked(in, (enum selinux_part)i);

		if (s[0] != '\0' &&
		    selinux_put(c, (enum selinux_part)i, s, err) == -1)
			return -1;
	}
	return 0;
}

static int
selinux_mount(const struct selinux_in *in, struct selinux_context *c,
    struct cerr *err)
{
	const char *level = selinux_asked(in, SELINUX_RANGE);

	if (selinux_parse(in->boot->selinux_file, c, err) == -1)
		return -1;
	return selinux_put(c, SELINUX_RANGE,
	    level[0] != '\0' ? level : in->level, err);
}

static void
selinux_print(const struct selinux_context *c, char out[SELINUX_LABEL])
{
	_Static_assert(SELINUX_PARTS * SELINUX_LEVEL <= SELINUX_LABEL, "room");
	(void)snprintf(out, SELINUX_LABEL, "%s:%s:%s:%s", c->part[SELINUX_USER],
	    c->part[SELINUX_ROLE], c->part[SELINUX_TYPE],
	    c->part[SELINUX_RANGE]);
}

int
selinux_make(const struct selinux_in *in, struct selinux_labels *out,
    struct cerr *err)
{
	struct selinux_context process, mount;

	*out = (struct selinux_labels){ 0 };
	if (!in->boot->selinux)
		return 0;
	if (selinux_process(in, &process, err) == -1 ||
	    selinux_mount(in, &mount, err) == -1)
		return -1;
	selinux_print(&process, out->process);
	selinux_print(&mount, out->mount);
	out->relabel =
	    strcmp(process.part[SELINUX_TYPE], SELINUX_OPEN_TYPE) != 0;
	return 0;
}

const Runtime__V1__SELinuxOption *
selinux_pod(const Runtime__V1__PodSandboxConfig *c, bool *open)
{
	const Runtime__V1__LinuxSandboxSecurityContext *sc =
	    c->linux != NULL ? c->linux->security_context : NULL;
	const Runtime__V1__NamespaceOption *o =
	    sc != NULL ? sc->namespace_options : NULL;

	*open = o != NULL && (o->pid == RUNTIME__V1__NAMESPACE_MODE__NODE ||
				 o->ipc == RUNTIME__V1__NAMESPACE_MODE__NODE);
	return sc != NULL ? sc->selinux_options : NULL;
}

int
selinux_level(const Criod__BootExecd *boot,
    const Runtime__V1__SELinuxOption *pod, uint32_t random,
    char out[SELINUX_LEVEL], struct cerr *err)
{
	const char *asked = selinux_option(pod, SELINUX_RANGE);
	unsigned int a = random % SELINUX_CATEGORIES;
	unsigned int b = random / SELINUX_CATEGORIES % (SELINUX_CATEGORIES - 1);
	struct selinux_context c;

	out[0] = '\0';
	if (!boot->selinux)
		return 0;
	if (selinux_parse(boot->selinux_process, &c, err) == -1)
		return -1;
	if (asked[0] != '\0') {
		if (selinux_put(&c, SELINUX_RANGE, asked, err) == -1)
			return -1;
		memcpy(out, c.part[SELINUX_RANGE], SELINUX_LEVEL);
		return 0;
	}
	b += b >= a; /* two different ones */
	if (snprintf(out, SELINUX_LEVEL, "%.64s:c%u,c%u", c.part[SELINUX_RANGE],
		a < b ? a : b, a < b ? b : a) >= SELINUX_LEVEL)
		return cerr_set(err, CERR_INTERNAL, "SELinux level");
	return 0;
}
