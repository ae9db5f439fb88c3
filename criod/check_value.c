#include <arpa/inet.h>

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "criod/check_value.h"

#define CHECK_NAME_MAX	 253
#define CHECK_LINE_MAX	 4096
#define CHECK_WORD_MAX	 255
#define CHECK_PATH_MAX	 4095
#define CHECK_PART_MAX	 255
#define CHECK_HOST_MAX	 64
#define CHECK_LABEL_MAX	 63 /* of a host name, RFC 1123 */
#define CHECK_SYSCTL_MAX 127
#define CHECK_SYSVAL_MAX 1023
#define CHECK_KEY_MAX	 1024
#define CHECK_ENV_MAX	 4096
#define CHECK_REF_MAX	 4096

static const char check_alnum[] = "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static bool
check_only(const char *s, const char *more)
{
	for (; *s != '\0'; s++) {
		if (strchr(check_alnum, *s) == NULL && strchr(more, *s) == NULL)
			return false;
	}
	return true;
}

static bool
check_has_control(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	}
	return false;
}

/* Of the path's parts, one is ".."; or, with parts_max, longer than that. */
static bool
check_has_bad_part(const char *s, bool *too_long)
{
	*too_long = false;
	while (*s != '\0') {
		size_t n = strcspn(s, "/");

		if (n == 2 && s[0] == '.' && s[1] == '.')
			return true;
		if (n > CHECK_PART_MAX)
			*too_long = true;
		s += n;
		s += strspn(s, "/");
	}
	return *too_long;
}

const char *
check_value_any(const char *s)
{
	(void)s;
	return NULL;
}

const char *
check_value_name(const char *s)
{
	if (s[0] == '\0')
		return "must not be empty";
	if (strlen(s) > CHECK_NAME_MAX)
		return "longer than 253 bytes";
	if (!check_only(s, "-_."))
		return "only letters, digits, '-', '_' and '.' may be in it";
	if (strstr(s, "..") != NULL || strcmp(s, ".") == 0)
		return "must not be or have '.' or '..' as in a path";
	return NULL;
}

const char *
check_value_opt_line(const char *s)
{
	if (strlen(s) > CHECK_LINE_MAX)
		return "longer than 4096 bytes";
	return check_has_control(s) ? "has a control character" : NULL;
}

const char *
check_value_word(const char *s)
{
	if (s[0] == '\0')
		return "must not be empty";
	if (strlen(s) > CHECK_WORD_MAX)
		return "longer than 255 bytes";
	if (check_has_control(s) || strchr(s, ' ') != NULL)
		return "has a blank or control character";
	return NULL;
}

static const char *
check_path_form(const char *s)
{
	bool too_long;

	if (strlen(s) > CHECK_PATH_MAX)
		return "longer than 4095 bytes";
	if (check_has_control(s))
		return "has a control character";
	if (check_has_bad_part(s, &too_long))
		return too_long ? "has a part longer than 255 bytes"
				: "has '..' as a part";
	return NULL;
}

const char *
check_value_path(const char *s)
{
	if (s[0] != '/')
		return "must be an absolute path";
	return check_path_form(s);
}

const char *
check_value_opt_path(const char *s)
{
	return s[0] == '\0' ? NULL : check_value_path(s);
}

const char *
check_value_opt_relative(const char *s)
{
	if (s[0] == '/')
		return "must be a relative path";
	if (s[0] != '\0' && s[strlen(s) - 1] == '/')
		return "must name a file";
	return check_path_form(s);
}

static bool
check_host_label(const char *s, size_t n)
{
	return n > 0 && n <= CHECK_LABEL_MAX && s[0] != '-' && s[n - 1] != '-';
}

const char *
check_value_opt_hostname(const char *s)
{
	static const char bad[] = "not a host name (RFC 1123)";

	if (s[0] == '\0')
		return NULL;
	if (strlen(s) > CHECK_HOST_MAX)
		return "longer than 64 bytes";
	if (!check_only(s, "-."))
		return bad;
	for (;;) {
		size_t n = strcspn(s, ".");

		if (!check_host_label(s, n))
			return bad;
		if (s[n] == '\0')
			return NULL;
		s += n + 1;
	}
}

/* A link-local server may carry a zone ("fe80::1%eth0"). */
const char *
check_value_ip(const char *s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	size_t n = strcspn(s, "%");

	if (n >= sizeof(text) || (s[n] == '%' && !check_only(s + n + 1, "-_.")))
		return "not an IP address";
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, &addr) != 1 &&
	    inet_pton(AF_INET6, text, &addr) != 1)
		return "not an IP address";
	return NULL;
}

const char *
check_value_opt_ip(const char *s)
{
	return s[0] == '\0' ? NULL : check_value_ip(s);
}

const char *
check_value_opt_cgroup(const char *s)
{
	size_t n = strlen(s);

	if (n == 0)
		return NULL;
	if (s[0] == '/')
		return n > 1000 ? "longer than 1000 bytes" : check_path_form(s);
	if (n > CHECK_PART_MAX || n < 7 || strcmp(s + n - 6, ".slice") != 0 ||
	    !check_only(s, "-_.:@\\"))
		return "neither an absolute path nor a slice";
	return NULL;
}

struct check_prefix {
	const char *text;
	bool whole;
};

/* Those that belong to a network or IPC namespace. */
static const struct check_prefix check_sysctls[] = {
	{ "kernel.shm", false },
	{ "kernel.msg", false },
	{ "kernel.sem", true },
	{ "fs.mqueue.", false },
	{ "net.", false },
};

const char *
check_value_sysctl_name(const char *s)
{
	if (strlen(s) > CHECK_SYSCTL_MAX || !check_only(s, "-_.") ||
	    strstr(s, "..") != NULL)
		return "not the name of a sysctl";
	for (size_t i = 0; i < sizeof(check_sysctls) / sizeof(check_sysctls[0]);
	     i++) {
		const struct check_prefix *p = &check_sysctls[i];

		if (p->whole ? strcmp(s, p->text) == 0
			     : strncmp(s, p->text, strlen(p->text)) == 0)
			return NULL;
	}
	return "not a sysctl of a pod's own namespaces";
}

/* Words and numbers: nothing that could end this value and begin another. */
const char *
check_value_sysctl_value(const char *s)
{
	if (strlen(s) > CHECK_SYSVAL_MAX)
		return "longer than 1023 bytes";
	return check_only(s, " \t-_.,:") ? NULL
					 : "has a character that no value has";
}

const char *
check_value_label_key(const char *s)
{
	if (s[0] == '\0')
		return "has an empty key";
	if (strlen(s) > CHECK_KEY_MAX)
		return "has a key longer than 1024 bytes";
	return check_has_control(s) ? "has a control character in a key" : NULL;
}

const char *
check_value_opt_cpuset(const char *s)
{
	return s[strspn(s, "0123456789,-")] == '\0' &&
		       strlen(s) <= CHECK_LINE_MAX
		   ? NULL
		   : "not a list of numbers";
}

const char *
check_value_unified_key(const char *s)
{
	if (s[0] == '\0' || strlen(s) > CHECK_WORD_MAX ||
	    !check_only(s, "-_.") || s[0] == '.')
		return "not the name of a cgroup file";
	return NULL;
}

const char *
check_value_page_size(const char *s)
{
	if (s[0] == '\0' || strlen(s) > 16 || !check_only(s, ""))
		return "not a page size";
	return NULL;
}

const char *
check_value_capability(const char *s)
{
	if (s[0] == '\0' || strlen(s) > 64 || !check_only(s, "_"))
		return "not the name of a capability";
	return NULL;
}

const char *
check_value_env_name(const char *s)
{
	if (s[0] == '\0')
		return "must not be empty";
	if (strlen(s) > CHECK_ENV_MAX)
		return "longer than 4096 bytes";
	return strchr(s, '=') != NULL ? "must not contain '='" : NULL;
}

const char *
check_value_opt_permissions(const char *s)
{
	return s[strspn(s, "rwm")] == '\0' && strlen(s) <= 3
		   ? NULL
		   : "made of other letters than r, w and m";
}

static bool
check_digest(const char *s)
{
	static const struct {
		const char *name;
		size_t digits;
	} kinds[] = { { "sha256:", 64 }, { "sha512:", 128 } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i].name);

		if (strncmp(s, kinds[i].name, n) == 0)
			return strlen(s + n) == kinds[i].digits &&
			       strspn(s + n, "0123456789abcdef") ==
				   kinds[i].digits;
	}
	return false;
}

/* imaged parses it; what cannot be one does not get there. */
const char *
check_value_reference(const char *s)
{
	const char *at = strchr(s, '@');

	if (s[0] == '\0')
		return "must not be empty";
	if (strlen(s) > CHECK_REF_MAX)
		return "longer than 4096 bytes";
	if (!check_only(s, "-_.:/@[]+"))
		return "not an image reference";
	return at != NULL && !check_digest(at + 1) ? "not a digest after '@'"
						   : NULL;
}

/* A number or a name; not a list of them as in an image's USER. */
const char *
check_value_opt_user(const char *s)
{
	if (strlen(s) > CHECK_WORD_MAX)
		return "longer than 255 bytes";
	if (check_has_control(s) || strpbrk(s, " :") != NULL)
		return "not a user's name";
	return NULL;
}
