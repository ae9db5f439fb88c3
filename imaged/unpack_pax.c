#include <string.h>

#include "imaged/unpack_pax.h"

#define PAX_XATTR     "SCHILY.xattr."
#define PAX_XATTR_LEN (sizeof(PAX_XATTR) - 1)

int
pax_number(const char **s, char stop, uint64_t *value)
{
	uint64_t v = 0;
	const char *c = *s;

	for (; *c >= '0' && *c <= '9'; c++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*c - '0'), &v))
			return -1;
	}
	if (c == *s || (*c != stop && *c != '\0'))
		return -1;
	*s = *c == '\0' ? c : c + 1;
	*value = v;
	return 0;
}

int
pax_decimal(const char *s, uint64_t *value)
{
	return pax_number(&s, '\0', value);
}

static int
pax_octal(const uint8_t *field, size_t size, uint64_t *value)
{
	uint64_t v = 0;
	size_t i = 0;

	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) {
		if (v >> 61 != 0)
			return -1;
		v = v << 3 | (uint64_t)(field[i] - '0');
	}
	for (; i < size; i++) {
		if (field[i] != ' ' && field[i] != '\0')
			return -1;
	}
	*value = v;
	return 0;
}

/* GNU base-256: the first bit marks it, the second is the sign. */
static int
pax_base256(const uint8_t *field, size_t size, int64_t *value)
{
	bool negative = (field[0] & 0x40) != 0;
	uint8_t fill = negative ? 0xff : 0;
	uint64_t v = negative ? UINT64_MAX : 0;

	for (size_t i = 0; i < size; i++) {
		uint8_t byte = field[i];

		if (i == 0)
			byte = negative ? byte | 0x80 : byte & 0x7f;
		if (i + 8 < size && byte != fill)
			return -1;
		v = v << 8 | byte;
	}
	if (((v >> 63) != 0) != negative)
		return -1;
	*value = (int64_t)v;
	return 0;
}

int
pax_field_time(const uint8_t *field, size_t size, int64_t *value)
{
	uint64_t v;

	if (field[0] & 0x80)
		return pax_base256(field, size, value);
	if (pax_octal(field, size, &v) == -1 || v > INT64_MAX)
		return -1;
	*value = (int64_t)v;
	return 0;
}

int
pax_field(const uint8_t *field, size_t size, uint64_t *value)
{
	int64_t v;

	if (pax_field_time(field, size, &v) == -1 || v < 0)
		return -1;
	*value = (uint64_t)v;
	return 0;
}

/* ---- what the records mean ---- */

static const char *
pax_set_path(struct pax *p, const char *v)
{
	p->path = v;
	return NULL;
}

static const char *
pax_set_link(struct pax *p, const char *v)
{
	p->link = v;
	return NULL;
}

static const char *
pax_set_size(struct pax *p, const char *v)
{
	p->has_size = true;
	return pax_decimal(v, &p->size) == -1 ? "bad pax size" : NULL;
}

static const char *
pax_id(const char *v, bool *has, uint32_t *id)
{
	uint64_t n;

	if (pax_decimal(v, &n) == -1 || n >= UINT32_MAX)
		return "bad pax uid or gid";
	*has = true;
	*id = (uint32_t)n;
	return NULL;
}

static const char *
pax_set_uid(struct pax *p, const char *v)
{
	return pax_id(v, &p->has_uid, &p->uid);
}

static const char *
pax_set_gid(struct pax *p, const char *v)
{
	return pax_id(v, &p->has_gid, &p->gid);
}

/* Digits after the point: nanoseconds, more are cut. */
static int
pax_fraction(const char *s, uint32_t *ns)
{
	uint32_t unit = 100000000;

	*ns = 0;
	for (; *s >= '0' && *s <= '9'; s++, unit /= 10)
		*ns += unit * (uint32_t)(*s - '0');
	return *s == '\0' ? 0 : -1;
}

static const char *
pax_set_mtime(struct pax *p, const char *v)
{
	static const char *const why = "bad pax mtime";
	bool negative = *v == '-';
	uint64_t n = 0;
	uint32_t ns = 0;
	const char *s = v + (negative ? 1 : 0);
	size_t digits = strspn(s, "0123456789");

	if (s[digits] != '.' && s[digits] != '\0')
		return why;
	if (digits > 0 && pax_number(&s, '.', &n) == -1)
		return why;
	if (digits == 0 && *s++ != '.')
		return why;
	if (n > INT64_MAX / 2 || pax_fraction(s, &ns) == -1)
		return why;
	p->has_mtime = true;
	p->mtime = negative ? -(int64_t)n : (int64_t)n;
	p->mtime_ns = ns;
	if (negative && ns > 0) {
		p->mtime--;
		p->mtime_ns = 1000000000 - ns;
	}
	return NULL;
}

static const char *
pax_set_sparse_name(struct pax *p, const char *v)
{
	p->sparse_name = v;
	return NULL;
}

static const char *
pax_set_sparse_map(struct pax *p, const char *v)
{
	p->sparse_map = v;
	return NULL;
}

static const char *
pax_set_sparse_major(struct pax *p, const char *v)
{
	p->sparse_in_data = strcmp(v, "1") == 0;
	return NULL;
}

static const char *
pax_set_sparse_size(struct pax *p, const char *v)
{
	p->has_real_size = true;
	return pax_decimal(v, &p->real_size) == -1 ? "bad sparse size" : NULL;
}

static const char *
pax_refuse_sparse(struct pax *p, const char *v)
{
	(void)p;
	(void)v;
	return "sparse format 0.0 is not supported";
}

static const struct pax_key {
	const char *name;
	const char *(*set)(struct pax *p, const char *value);
} pax_keys[] = {
	{ "path", pax_set_path },
	{ "linkpath", pax_set_link },
	{ "size", pax_set_size },
	{ "uid", pax_set_uid },
	{ "gid", pax_set_gid },
	{ "mtime", pax_set_mtime },
	{ "GNU.sparse.name", pax_set_sparse_name },
	{ "GNU.sparse.map", pax_set_sparse_map },
	{ "GNU.sparse.major", pax_set_sparse_major },
	{ "GNU.sparse.realsize", pax_set_sparse_size },
	{ "GNU.sparse.size", pax_set_sparse_size },
	{ "GNU.sparse.offset", pax_refuse_sparse },
};

/* The last of two with one name counts. */
static const char *
pax_add_xattr(struct pax *p, const char *name, const char *value, size_t len)
{
	size_t i;

	for (i = 0; i < p->nxattrs; i++) {
		if (strcmp(p->xattrs[i].name, name) == 0)
			break;
	}
	if (i == TAR_XATTRS_MAX)
		return "more than 256 extended attributes";
	if (*name == '\0' || strlen(name) > 255)
		return "bad name of an extended attribute";
	p->xattrs[i] = (struct tar_xattr){ name, (const uint8_t *)value, len };
	if (i == p->nxattrs)
		p->nxattrs++;
	return NULL;
}

/* An empty value leaves it at what the plain header says. */
static const char *
pax_record(struct pax *p, const char *key, const char *value, size_t len)
{
	if (strncmp(key, PAX_XATTR, PAX_XATTR_LEN) == 0)
		return pax_add_xattr(p, key + PAX_XATTR_LEN, value, len);
	for (size_t i = 0; i < sizeof(pax_keys) / sizeof(pax_keys[0]); i++) {
		if (strcmp(key, pax_keys[i].name) != 0)
			continue;
		if (strlen(value) != len)
			return "NUL in a pax value";
		return len == 0 ? NULL : pax_keys[i].set(p, value);
	}
	return NULL;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts all of that. */
const char *
pax_parse(struct pax *p, uint8_t *buf, size_t len)
{
	static const char *const bad = "bad pax record";
	char *s = (char *)buf, *end = s + len;
	const char *why;

	buf[len] = '\0';
	while (s < end) {
		const char *c = s;
		char *eq, *stop;
		uint64_t n;

		if (pax_number(&c, ' ', &n) == -1 || n > (uint64_t)(end - s) ||
		    n < (uint64_t)(c - s) + 2)
			return bad;
		stop = s + n - 1;
		s += c - s;
		eq = memchr(s, '=', (size_t)(stop - s));
		if (*stop != '\n' || eq == NULL ||
		    memchr(s, '\0', (size_t)(eq - s)) != NULL)
			return bad;
		*eq = '\0';
		*stop = '\0';
		why = pax_record(p, s, eq + 1, (size_t)(stop - eq - 1));
		if (why != NULL)
			return why;
		s = stop + 1;
	}
	return NULL;
}
