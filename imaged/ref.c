#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "imaged/ref.h"

#define REF_DEFAULT_DOMAIN "docker.io"
#define REF_LOWER	   "abcdefghijklmnopqrstuvwxyz"
#define REF_UPPER	   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define REF_DIGIT	   "0123456789"
#define REF_ALNUM	   REF_LOWER REF_DIGIT

static int
ref_fail(const char *s, const char *why, struct cerr *err)
{
	return cerr_set(err, CERR_INVALID_ARGUMENT,
	    "image reference \"%.512s\": %s", s, why);
}

/* Bytes of one separator at s: ".", "_", "__" or dashes; 0 if none. */
static size_t
ref_separator(const char *s)
{
	if (s[0] == '.')
		return 1;
	if (s[0] == '_')
		return s[1] == '_' ? 2 : 1;
	return strspn(s, "-");
}

/* A component is alphanumeric runs with single separators between them. */
static bool
ref_path_valid(const char *s)
{
	for (;;) {
		size_t n = strspn(s, REF_ALNUM);

		if (n == 0)
			return false;
		s += n;
		if (*s == '\0')
			return true;
		s += *s == '/' ? 1 : ref_separator(s);
	}
}

static bool
ref_port_valid(const char *s)
{
	size_t n = strspn(s, REF_DIGIT);
	unsigned int port = 0;

	if (n == 0 || n > 5 || s[n] != '\0')
		return false;
	while (*s != '\0')
		port = port * 10 + (unsigned int)(*s++ - '0');
	return port >= 1 && port <= 65535;
}

/* Labels of letters, digits and inner dashes; or an IPv6 address in []. */
static bool
ref_host_valid(const char *s, size_t len)
{
	static const char label[] = REF_ALNUM REF_UPPER "-";

	if (len >= 4 && s[0] == '[' && s[len - 1] == ']')
		return strspn(s + 1, REF_DIGIT "abcdefABCDEF:") == len - 2;
	for (size_t i = 0; i < len;) {
		size_t n = strspn(s + i, label);

		if (n == 0 || s[i] == '-' || s[i + n - 1] == '-')
			return false;
		i += n;
		if (i < len && (s[i] != '.' || i + 1 == len))
			return false;
		i += i < len;
	}
	return len > 0;
}

bool
ref_domain_valid(const char *s)
{
	const char *port = strrchr(s, ':');
	const char *end = strrchr(s, ']');

	if (port != NULL && end != NULL && port < end)
		port = NULL;
	if (port == NULL)
		return ref_host_valid(s, strlen(s));
	return ref_port_valid(port + 1) &&
	       ref_host_valid(s, (size_t)(port - s));
}

/* Whether what stands before the first slash names a registry. */
static bool
ref_is_domain(const char *s)
{
	return strpbrk(s, ".:[" REF_UPPER) != NULL ||
	       strcmp(s, "localhost") == 0;
}

static int
ref_set(char *dst, size_t size, const char *a, const char *b)
{
	int n = snprintf(dst, size, "%s%s", a, b);

	return n >= 0 && (size_t)n < size ? 0 : -1;
}

/* name is DOMAIN/PATH or a short form of it; it is cut up. */
static int
ref_take_name(char *name, struct ref *ref)
{
	const char *domain = REF_DEFAULT_DOMAIN, *path = name;
	char *slash = strchr(name, '/');
	bool docker;

	if (slash != NULL) {
		*slash = '\0';
		if (ref_is_domain(name)) {
			domain = name;
			path = slash + 1;
		} else {
			*slash = '/';
		}
	}
	if (strcmp(domain, "index.docker.io") == 0)
		domain = REF_DEFAULT_DOMAIN;
	docker = strcmp(domain, REF_DEFAULT_DOMAIN) == 0 &&
		 strchr(path, '/') == NULL;
	if (ref_set(ref->domain, sizeof(ref->domain), domain, "") == -1 ||
	    ref_set(ref->path, sizeof(ref->path), docker ? "library/" : "",
		path) == -1)
		return -1;
	if (strlen(ref->domain) + 1 + strlen(ref->path) > REF_NAME_MAX)
		return -1;
	return 0;
}

static bool
ref_tag_valid(const char *s)
{
	static const char word[] = REF_ALNUM REF_UPPER "_";

	return strspn(s, word) > 0 &&
	       strspn(s, REF_ALNUM REF_UPPER "_.-") == strlen(s) &&
	       strlen(s) <= REF_TAG_MAX;
}

/* Takes @DIGEST, then :TAG, off the end of text. */
static const char *
ref_take_suffixes(char *text, struct ref *ref)
{
	char *at = strchr(text, '@');
	char *colon;

	if (at != NULL) {
		*at = '\0';
		if (!digest_valid(at + 1))
			return digest_problem(at + 1);
		(void)ref_set(ref->digest, sizeof(ref->digest), at + 1, "");
	}
	colon = strrchr(text, ':');
	if (colon != NULL && strchr(colon, '/') == NULL &&
	    strchr(colon, ']') == NULL) {
		*colon = '\0';
		if (!ref_tag_valid(colon + 1))
			return "the tag is not valid";
		(void)ref_set(ref->tag, sizeof(ref->tag), colon + 1, "");
	}
	return NULL;
}

static const char *
ref_parse_text(char *text, struct ref *ref)
{
	const char *why = ref_take_suffixes(text, ref);

	if (why != NULL)
		return why;
	if (strspn(text, "0123456789abcdef") == DIGEST_HEX_LEN &&
	    text[DIGEST_HEX_LEN] == '\0')
		return "64 hexadecimal digits are an image id, not a name";
	if (ref_take_name(text, ref) == -1)
		return "longer than 255 bytes";
	if (!ref_domain_valid(ref->domain))
		return "the registry's name is not valid";
	if (!ref_path_valid(ref->path))
		return "the repository's name is not valid (lower-case "
		       "letters, digits, and single . _ - / between them)";
	if (ref->tag[0] == '\0' && ref->digest[0] == '\0')
		(void)ref_set(ref->tag, sizeof(ref->tag), "latest", "");
	return NULL;
}

bool
ref_is_short(const char *s)
{
	char first[REF_NAME_MAX + 1];
	size_t n = strcspn(s, "/");

	if (s[n] == '\0' || n >= sizeof(first))
		return s[n] == '\0';
	memcpy(first, s, n);
	first[n] = '\0';
	return !ref_is_domain(first);
}

bool
ref_location_valid(const char *s, bool suffix)
{
	char text[REF_TEXT_SIZE];
	struct ref ref = { .tag = "" };
	char *slash;

	if (ref_set(text, sizeof(text), s, "") == -1)
		return false;
	slash = strchr(text, '/');
	if (slash != NULL && suffix && ref_take_suffixes(slash, &ref) != NULL)
		return false;
	if (slash != NULL)
		*slash++ = '\0';
	return strlen(s) < sizeof(text) && ref_domain_valid(text) &&
	       (slash == NULL || ref_path_valid(slash));
}

int
ref_parse(const char *s, struct ref *ref, struct cerr *err)
{
	char text[REF_TEXT_SIZE];
	const char *why;

	memset(ref, 0, sizeof(*ref));
	if (s[0] == '\0')
		return ref_fail(s, "empty", err);
	if (ref_set(text, sizeof(text), s, "") == -1)
		return ref_fail(s, "too long", err);
	for (const char *p = s; *p != '\0'; p++) {
		if (!isgraph((unsigned char)*p))
			return cerr_set(err, CERR_INVALID_ARGUMENT,
			    "image reference has spaces or control "
			    "characters");
	}
	why = ref_parse_text(text, ref);
	return why == NULL ? 0 : ref_fail(s, why, err);
}

void
ref_name(const struct ref *ref, char out[REF_TEXT_SIZE])
{
	(void)snprintf(out, REF_TEXT_SIZE, "%s/%s", ref->domain, ref->path);
}

void
ref_text(const struct ref *ref, char out[REF_TEXT_SIZE])
{
	(void)snprintf(out, REF_TEXT_SIZE, "%s/%s%s%s%s%s", ref->domain,
	    ref->path, ref->tag[0] != '\0' ? ":" : "", ref->tag,
	    ref->digest[0] != '\0' ? "@" : "", ref->digest);
}

void
ref_tagged(const struct ref *ref, char out[REF_TEXT_SIZE])
{
	out[0] = '\0';
	if (ref->tag[0] != '\0')
		(void)snprintf(out, REF_TEXT_SIZE, "%s/%s:%s", ref->domain,
		    ref->path, ref->tag);
}

void
ref_at_digest(const struct ref *ref, const char *digest,
    char out[REF_TEXT_SIZE])
{
	(void)snprintf(out, REF_TEXT_SIZE, "%s/%s@%s", ref->domain, ref->path,
	    digest);
}
