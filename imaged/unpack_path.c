#include <stdbool.h>
#include <string.h>

#include "imaged/unpack_path.h"

#define UNPACK_WH	 ".wh."
#define UNPACK_WH_LEN	 4
#define UNPACK_WH_AUFS	 ".wh..wh."
#define UNPACK_WH_OPAQUE ".wh..wh..opq"

const char *
unpack_path_print(const char *name, char *buf, size_t size)
{
	size_t n = 0;

	for (; *name != '\0' && n + 1 < size; name++)
		buf[n++] = (char)(*name >= ' ' && *name <= '~' ? *name : '?');
	buf[n] = '\0';
	return buf;
}

static int
unpack_path_bad(const char *name, const char *why, struct cerr *err)
{
	char shown[200];

	return cerr_set(err, CERR_INVALID_ARGUMENT, "layer entry \"%s\": %s",
	    unpack_path_print(name, shown, sizeof(shown)), why);
}

/* What is wrong with a component, or NULL. */
static const char *
unpack_path_check(const char *c, size_t len)
{
	if (len > UNPACK_COMPONENT_MAX)
		return "a name longer than 255 bytes";
	if (len == 2 && memcmp(c, "..", 2) == 0)
		return "\"..\" in its path";
	return NULL;
}

static bool
unpack_path_dot(const char *c, size_t len)
{
	return len == 1 && c[0] == '.';
}

static const char *
unpack_path_append(struct unpack_path *p, size_t *n, const char *c, size_t len)
{
	if (*n + (*n > 0) + len >= sizeof(p->full))
		return "a path longer than 4095 bytes";
	p->parent_len = *n;
	if (*n > 0)
		p->full[(*n)++] = '/';
	p->base = p->full + *n;
	memcpy(p->full + *n, c, len);
	*n += len;
	p->full[*n] = '\0';
	return NULL;
}

static const char *
unpack_path_split(const char *name, struct unpack_path *p)
{
	size_t n = 0, len;
	const char *why;

	p->full[0] = '\0';
	p->base = p->full;
	p->parent_len = 0;
	for (const char *c = name; *c != '\0'; c += len) {
		c += strspn(c, "/");
		len = strcspn(c, "/");
		if (len == 0 || unpack_path_dot(c, len))
			continue;
		why = unpack_path_check(c, len);
		if (why == NULL)
			why = unpack_path_append(p, &n, c, len);
		if (why != NULL)
			return why;
	}
	return NULL;
}

/* A whiteout's prefix in a directory's name has no meaning, aufs's but one. */
static const char *
unpack_path_classify_parent(struct unpack_path *p)
{
	const char *c = p->full, *end = p->full + p->parent_len;

	while (c < end) {
		if (strncmp(c, UNPACK_WH_AUFS, sizeof(UNPACK_WH_AUFS) - 1) ==
		    0) {
			p->kind = UNPACK_NAME_IGNORED;
			return NULL;
		}
		if (strncmp(c, UNPACK_WH, UNPACK_WH_LEN) == 0)
			return "a whiteout as a directory";
		c += strcspn(c, "/") + 1;
	}
	return NULL;
}

static const char *
unpack_path_classify(struct unpack_path *p)
{
	const char *why = unpack_path_classify_parent(p);

	if (why != NULL || p->kind == UNPACK_NAME_IGNORED)
		return why;
	if (strncmp(p->base, UNPACK_WH, UNPACK_WH_LEN) != 0)
		return NULL;
	if (strcmp(p->base, UNPACK_WH_OPAQUE) == 0) {
		p->kind = UNPACK_NAME_OPAQUE;
		return NULL;
	}
	if (strncmp(p->base, UNPACK_WH_AUFS, sizeof(UNPACK_WH_AUFS) - 1) == 0) {
		p->kind = UNPACK_NAME_IGNORED;
		return NULL;
	}
	p->kind = UNPACK_NAME_WHITEOUT;
	p->target = p->base + UNPACK_WH_LEN;
	if (*p->target == '\0' || strcmp(p->target, ".") == 0 ||
	    strcmp(p->target, "..") == 0)
		return "a whiteout of nothing";
	return NULL;
}

int
unpack_path_parse(const char *name, struct unpack_path *p, struct cerr *err)
{
	const char *why;

	p->kind = UNPACK_NAME_PLAIN;
	p->target = NULL;
	why = unpack_path_split(name, p);
	if (why == NULL)
		why = unpack_path_classify(p);
	return why == NULL ? 0 : unpack_path_bad(name, why, err);
}
