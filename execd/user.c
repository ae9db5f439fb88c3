#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "execd/user.h"

#define USER_NAME_MAX 256U
#define USER_FIELDS   7 /* of a passwd line */

/* The matching entry of passwd. */
struct user_entry {
	bool found;
	uint32_t uid, gid;
	char name[USER_NAME_MAX + 1];
	char home[USER_HOME_MAX];
};

struct user_field {
	const char *s;
	size_t len;
};

int
user_parse_id(const char *s, size_t len, uint32_t *id)
{
	uint64_t v = 0;

	if (len == 0 || len > 10 || (len > 1 && s[0] == '0'))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (v >= UINT32_MAX)
		return -1;
	*id = (uint32_t)v;
	return 0;
}

/* Not empty, not like a number, no character that a file gives meaning to. */
static bool
user_name_valid(const char *s, size_t len)
{
	if (len == 0 || len > USER_NAME_MAX ||
	    (!isalpha((unsigned char)s[0]) && s[0] != '_'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) &&
		    (s[i] == '\0' || strchr("_.@-$", s[i]) == NULL))
			return false;
	}
	return true;
}

static bool
user_field_is(const struct user_field *f, const char *s, size_t len)
{
	return f->len == len && memcmp(f->s, s, len) == 0;
}

/* The next line of *t without its newline; false at the end. */
static bool
user_next_line(struct user_text *t, struct user_field *line)
{
	const char *nl;

	if (t->len == 0)
		return false;
	nl = memchr(t->buf, '\n', t->len);
	line->s = t->buf;
	line->len = nl != NULL ? (size_t)(nl - t->buf) : t->len;
	t->buf += line->len + (nl != NULL ? 1 : 0);
	t->len -= line->len + (nl != NULL ? 1 : 0);
	return true;
}

/* Splits at colons; how many fields there are, 0 if more than max. */
static size_t
user_split(const struct user_field *line, char at, struct user_field *f,
    size_t max)
{
	struct user_field rest = *line;
	size_t n = 0;
	const char *p;

	for (;;) {
		if (n == max)
			return 0;
		p = memchr(rest.s, at, rest.len);
		f[n].s = rest.s;
		f[n].len = p != NULL ? (size_t)(p - rest.s) : rest.len;
		if (p == NULL)
			return n + 1;
		rest.s = p + 1;
		rest.len -= f[n++].len + 1;
	}
}

/* A home directory is used only if it is a clean absolute path. */
static void
user_copy_home(struct user_entry *e, const struct user_field *f)
{
	e->home[0] = '\0';
	if (f->len == 0 || f->len >= sizeof(e->home) || f->s[0] != '/')
		return;
	for (size_t i = 0; i < f->len; i++) {
		if ((unsigned char)f->s[i] < 0x20 || f->s[i] == 0x7f)
			return;
	}
	memcpy(e->home, f->s, f->len);
	e->home[f->len] = '\0';
}

/* By name if name is not NULL, else by uid; the first line that fits. */
static void
user_find(struct user_text passwd, const char *name, size_t namelen,
    uint32_t uid, struct user_entry *e)
{
	struct user_field line, f[USER_FIELDS];
	uint32_t id, gid;

	e->found = false;
	while (!e->found && user_next_line(&passwd, &line)) {
		if (user_split(&line, ':', f, USER_FIELDS) != USER_FIELDS ||
		    !user_name_valid(f[0].s, f[0].len) ||
		    user_parse_id(f[2].s, f[2].len, &id) == -1 ||
		    user_parse_id(f[3].s, f[3].len, &gid) == -1)
			continue;
		if (name != NULL ? !user_field_is(&f[0], name, namelen)
				 : id != uid)
			continue;
		e->found = true;
		e->uid = id;
		e->gid = gid;
		memcpy(e->name, f[0].s, f[0].len);
		e->name[f[0].len] = '\0';
		user_copy_home(e, &f[5]);
	}
}

static int
user_find_group(struct user_text group, const char *name, size_t namelen,
    uint32_t *gid, struct cerr *err)
{
	struct user_field line, f[4];

	while (user_next_line(&group, &line)) {
		if (user_split(&line, ':', f, 4) == 4 &&
		    user_field_is(&f[0], name, namelen) &&
		    user_parse_id(f[2].s, f[2].len, gid) == 0)
			return 0;
	}
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "the image's /etc/group has no group %.*s", (int)namelen, name);
}

static int
user_add_group(struct user *u, uint32_t gid, struct cerr *err)
{
	for (size_t i = 0; i < u->ngroups; i++) {
		if (u->groups[i] == gid)
			return 0;
	}
	if (u->ngroups == USER_GROUPS_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "more than %u supplementary groups", USER_GROUPS_MAX);
	u->groups[u->ngroups++] = gid;
	return 0;
}

static bool
user_is_member(struct user_field list, const char *name)
{
	struct user_text t = { list.s, list.len };
	size_t len = strlen(name), n;
	const char *p;

	while (t.len > 0) {
		p = memchr(t.buf, ',', t.len);
		n = p != NULL ? (size_t)(p - t.buf) : t.len;
		if (n == len && memcmp(t.buf, name, len) == 0)
			return true;
		t.buf += n + (p != NULL ? 1 : 0);
		t.len -= n + (p != NULL ? 1 : 0);
	}
	return false;
}

/* The groups whose member list names the user. */
static int
user_add_memberships(struct user *u, struct user_text group, const char *name,
    struct cerr *err)
{
	struct user_field line, f[4];
	uint32_t gid;

	while (user_next_line(&group, &line)) {
		if (user_split(&line, ':', f, 4) != 4 ||
		    user_parse_id(f[2].s, f[2].len, &gid) == -1 ||
		    !user_is_member(f[3], name))
			continue;
		if (user_add_group(u, gid, err) == -1)
			return -1;
	}
	return 0;
}

static int
user_range(int64_t id, const char *field, uint32_t *out, struct cerr *err)
{
	if (id < 0 || id >= UINT32_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s: %lld is not an id", field, (long long)id);
	*out = (uint32_t)id;
	return 0;
}

/* s is "USER" of a request or an image: a number or a name, never both. */
static int
user_lookup(const struct user_in *in, const char *s, size_t len,
    const char *field, struct user_entry *e, struct cerr *err)
{
	uint32_t uid;

	if (user_parse_id(s, len, &uid) == 0) {
		user_find(in->passwd, NULL, 0, uid, e);
		e->uid = uid;
		return 0;
	}
	if (!user_name_valid(s, len))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s: \"%.*s\" is neither a user id nor a user name", field,
		    len > 64 ? 64 : (int)len, s);
	user_find(in->passwd, s, len, 0, e);
	if (!e->found)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "%s: the image's /etc/passwd has no user %.*s", field,
		    (int)len, s);
	return 0;
}

static int
user_lookup_group(const struct user_in *in, const char *s, struct user *out,
    struct cerr *err)
{
	size_t len = strlen(s);

	if (user_parse_id(s, len, &out->gid) == 0)
		return 0;
	if (!user_name_valid(s, len))
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "image USER: \"%.64s\" is neither a group id nor a group "
		    "name",
		    s);
	return user_find_group(in->group, s, len, &out->gid, err);
}

/* USER[:GROUP] of the image. */
static int
user_from_image(const struct user_in *in, struct user_entry *e,
    struct user *out, struct cerr *err)
{
	const char *colon = strchr(in->image, ':');
	size_t len =
	    colon != NULL ? (size_t)(colon - in->image) : strlen(in->image);

	if (user_lookup(in, in->image, len, "image USER", e, err) == -1)
		return -1;
	out->gid = e->found ? e->gid : 0;
	if (colon != NULL && user_lookup_group(in, colon + 1, out, err) == -1)
		return -1;
	return 0;
}

static int
user_primary(const struct user_in *in, struct user_entry *e, struct user *out,
    struct cerr *err)
{
	uint32_t uid = 0;

	if (in->has_uid && in->username[0] != '\0')
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "run_as_user and run_as_username exclude each other");
	if (!in->has_uid && in->username[0] == '\0' && in->image[0] != '\0') {
		if (user_from_image(in, e, out, err) == -1)
			return -1;
	} else if (in->username[0] != '\0') {
		if (user_lookup(in, in->username, strlen(in->username),
			"run_as_username", e, err) == -1)
			return -1;
		out->gid = e->found ? e->gid : 0;
	} else {
		if (in->has_uid &&
		    user_range(in->uid, "run_as_user", &uid, err) == -1)
			return -1;
		user_find(in->passwd, NULL, 0, uid, e);
		e->uid = uid;
		out->gid = e->found ? e->gid : 0;
	}
	out->uid = e->uid;
	if (!in->has_gid)
		return 0;
	if (!in->has_uid && in->username[0] == '\0')
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "run_as_group without run_as_user or run_as_username");
	return user_range(in->gid, "run_as_group", &out->gid, err);
}

static int
user_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
user_groups(const struct user_in *in, const struct user_entry *e,
    struct user *out, struct cerr *err)
{
	uint32_t gid = 0;

	if (user_add_group(out, out->gid, err) == -1)
		return -1;
	for (size_t i = 0; i < in->ngroups; i++) {
		if (user_range(in->groups[i], "supplemental_groups", &gid,
			err) == -1 ||
		    user_add_group(out, gid, err) == -1)
			return -1;
	}
	if (!in->strict && e->found &&
	    user_add_memberships(out, in->group, e->name, err) == -1)
		return -1;
	qsort(out->groups, out->ngroups, sizeof(*out->groups), user_compare);
	return 0;
}

int
user_resolve(const struct user_in *in, struct user *out, struct cerr *err)
{
	struct user_entry e = { 0 };

	*out = (struct user){ 0 };
	if (in->passwd.len > USER_FILE_MAX || in->group.len > USER_FILE_MAX)
		return cerr_set(err, CERR_INVALID_ARGUMENT,
		    "the image's /etc/passwd or /etc/group is too large");
	out->groups = calloc(USER_GROUPS_MAX, sizeof(*out->groups));
	if (out->groups == NULL)
		return cerr_errno(err, "groups");
	if (user_primary(in, &e, out, err) == -1 ||
	    user_groups(in, &e, out, err) == -1) {
		user_clear(out);
		return -1;
	}
	memcpy(out->home, e.home, sizeof(out->home));
	return 0;
}

void
user_clear(struct user *u)
{
	free(u->groups);
	*u = (struct user){ 0 };
}
