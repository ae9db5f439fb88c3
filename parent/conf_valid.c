#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/conf_valid.h"

#define CONF_ALNUM                                                             \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define CONF_PATH_LEN	   1023
#define CONF_DIR_LEN	   255
#define CONF_NAME_LEN	   64
#define CONF_ARGUMENT_LEN  255
#define CONF_ACCOUNT_LEN   32
#define CONF_LOCATION_LEN  255
#define CONF_REFERENCE_LEN 511
#define CONF_EXCEPT_LEN	   4000
#define CONF_SUBNET_MIN	   8
#define CONF_SUBNET_MAX	   29

/* Some characters of set and no other. */
static bool
conf_valid_only(const char *s, const char *set)
{
	return *s != '\0' && s[strspn(s, set)] == '\0';
}

const char *
conf_valid_path(const char *s)
{
	size_t len = strlen(s);

	if (*s != '/')
		return "must be an absolute path";
	if (len > CONF_PATH_LEN)
		return "is too long";
	if (len > 1 && s[len - 1] == '/')
		return "must not end with a slash";
	for (const char *p = s; *p != '\0'; p++) {
		if (p[0] == '/' && p[1] == '/')
			return "must not have empty components";
		if (strncmp(p, "/..", 3) == 0 && (p[3] == '/' || p[3] == '\0'))
			return "must not have .. components";
		if (strncmp(p, "/.", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return "must not have . components";
	}
	return NULL;
}

const char *
conf_valid_dir(const char *s)
{
	const char *wrong = conf_valid_path(s);

	if (wrong != NULL)
		return wrong;
	if (s[1] == '\0')
		return "must not be the root directory";
	if (strlen(s) > CONF_DIR_LEN)
		return "is too long";
	if (!conf_valid_only(s, CONF_ALNUM "/._-+@"))
		return "has a character other than letters, digits, /._-+@";
	return NULL;
}

const char *
conf_valid_sockpath(const char *s)
{
	const char *wrong = conf_valid_dir(s);

	if (wrong != NULL)
		return wrong;
	if (strlen(s) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "is too long for a socket";
	return NULL;
}

const char *
conf_valid_name(const char *s)
{
	if (!isalnum((unsigned char)*s) || strlen(s) > CONF_NAME_LEN ||
	    !conf_valid_only(s, CONF_ALNUM "._-"))
		return "is not a name of letters, digits, ._-";
	return NULL;
}

static bool
conf_valid_graph(const char *s)
{
	while (isgraph((unsigned char)*s))
		s++;
	return *s == '\0';
}

const char *
conf_valid_argument(const char *s)
{
	if (*s == '\0' || strlen(s) > CONF_ARGUMENT_LEN)
		return "is empty or too long";
	return conf_valid_graph(s)
		   ? NULL
		   : "has a character that is not printable ASCII";
}

const char *
conf_valid_account(const char *s)
{
	if (*s == '-' || strlen(s) > CONF_ACCOUNT_LEN ||
	    !conf_valid_only(s, CONF_ALNUM "._-"))
		return "is not a user or group name";
	return NULL;
}

const char *
conf_valid_subnet(const char *s)
{
	static const char wrong[] = "is not an IPv4 subnet like 10.88.0.0/16";
	char host[INET_ADDRSTRLEN];
	const char *slash = strchr(s, '/');
	struct in_addr addr;
	unsigned int bits;

	if (slash == NULL || (size_t)(slash - s) >= sizeof(host))
		return wrong;
	(void)snprintf(host, sizeof(host), "%.*s", (int)(slash - s), s);
	if (inet_pton(AF_INET, host, &addr) != 1)
		return wrong;
	if (conf_valid_number(slash + 1, 10, CONF_SUBNET_MIN, CONF_SUBNET_MAX,
		&bits) == -1)
		return "must have a prefix length from 8 to 29";
	if ((ntohl(addr.s_addr) & (UINT32_MAX >> bits)) != 0)
		return "has host bits set";
	return NULL;
}

const char *
conf_valid_address(const char *s)
{
	struct in6_addr addr;

	if (inet_pton(AF_INET, s, &addr) != 1 &&
	    inet_pton(AF_INET6, s, &addr) != 1)
		return "is not a numeric IPv4 or IPv6 address";
	return NULL;
}

/* A host name, an IPv4 address, or an IPv6 address in brackets. */
static const char *
conf_valid_host(const char *s, size_t len)
{
	static const char set[] = CONF_ALNUM ".-";

	if (len > 2 && s[0] == '[' && s[len - 1] == ']')
		return strspn(s + 1, "0123456789abcdefABCDEF:.") == len - 2
			   ? NULL
			   : "has a malformed IPv6 address";
	if (len == 0 || strspn(s, set) < len || *s == '-' || *s == '.')
		return "does not start with a host name";
	return NULL;
}

static const char *
conf_valid_port(const char *s, size_t len)
{
	char text[6];
	unsigned int port;

	if (len >= sizeof(text))
		return "has a port that is too long";
	memcpy(text, s, len);
	text[len] = '\0';
	if (conf_valid_number(text, 10, 1, UINT16_MAX, &port) == -1)
		return "has a port that is not from 1 to 65535";
	return NULL;
}

const char *
conf_valid_name_of_host(const char *s)
{
	if (strlen(s) > CONF_LOCATION_LEN)
		return "is too long";
	return conf_valid_host(s, strlen(s)) == NULL
		   ? NULL
		   : "is not the name of a host, without a port";
}

/* HOST[:PORT] of len bytes. */
static const char *
conf_valid_place(const char *s, size_t len)
{
	size_t host = len;
	const char *wrong;

	for (size_t i = len; i-- > 0 && s[i] != ']';) {
		if (s[i] == ':')
			host = i;
	}
	wrong = conf_valid_host(s, host);
	if (wrong == NULL && host < len)
		wrong = conf_valid_port(s + host + 1, len - host - 1);
	return wrong;
}

const char *
conf_valid_location(const char *s)
{
	size_t len = strcspn(s, "/");
	const char *wrong;

	if (strstr(s, "://") != NULL)
		return "must not have a scheme; say insecure for http";
	if (strlen(s) > CONF_LOCATION_LEN)
		return "is too long";
	wrong = conf_valid_place(s, len);
	if (wrong != NULL || s[len] == '\0')
		return wrong;
	if (conf_valid_path(s + len) != NULL || s[len + 1] == '\0' ||
	    !conf_valid_only(s + len, CONF_ALNUM "/._-"))
		return "has a malformed path";
	return NULL;
}

const char *
conf_valid_prefix(const char *s)
{
	if (strncmp(s, "*.", 2) == 0)
		return conf_valid_host(s + 2, strlen(s + 2));
	return conf_valid_location(s);
}

const char *
conf_valid_host_port(const char *s)
{
	return strchr(s, '/') != NULL ? "must not have a path"
				      : conf_valid_location(s);
}

const char *
conf_valid_path_or_none(const char *s)
{
	return strcmp(s, "none") == 0 ? NULL : conf_valid_path(s);
}

const char *
conf_valid_short_mode(const char *s)
{
	static const char *const modes[] = { "files", "enforcing", "permissive",
		"disabled" };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(s, modes[i]) == 0)
			return NULL;
	}
	return "is none of files, enforcing, permissive, disabled";
}

/* imaged looks closer at both. */
const char *
conf_valid_short_name(const char *s)
{
	size_t name = strcspn(s, "=");

	if (name == 0 || s[name] != '=')
		return "is not NAME=REGISTRY/NAME, without tags";
	if (strspn(s, CONF_ALNUM "/._-") != name)
		return "does not start with a name";
	return conf_valid_location(s + name + 1);
}

/* The URL needs a path, if only "/": what begins like a host is another. */
const char *
conf_valid_foreign(const char *s)
{
	static const char wrong[] =
	    "is not REGISTRY=URL, the URL http or https and with a path";
	char place[CONF_REFERENCE_LEN + 1];
	size_t len = strcspn(s, "=");
	const char *host = strstr(s, "://");

	if (s[len] == '\0' || len >= sizeof(place) || host == NULL)
		return wrong;
	(void)snprintf(place, sizeof(place), "%.*s", (int)len, s);
	if (strcmp(place, "*") != 0 && conf_valid_location(place) != NULL)
		return conf_valid_location(place);
	if (strncmp(s + len, "=https://", 9) != 0 &&
	    strncmp(s + len, "=http://", 8) != 0)
		return wrong;
	len = strcspn(host + 3, "/");
	return len == 0 || host[3 + len] == '\0' || strpbrk(s, "@?# \t") != NULL
		   ? wrong
		   : NULL;
}

static const char *
conf_valid_reference(const char *s)
{
	if (strlen(s) > CONF_REFERENCE_LEN ||
	    !conf_valid_only(s, CONF_ALNUM "/._-:@[]"))
		return "is not an image reference";
	return NULL;
}

/* The stars that a pattern may have are left out; others are no reference's. */
const char *
conf_valid_pattern(const char *s)
{
	char bare[CONF_REFERENCE_LEN + 1];
	size_t len = strlen(s);

	if (len > CONF_REFERENCE_LEN)
		return "is not an image reference or pattern";
	if (len > 2 && s[len - 1] == '*') {
		len--;
		if (*s == '*') {
			s++;
			len--;
		}
	}
	(void)snprintf(bare, sizeof(bare), "%.*s", (int)len, s);
	return conf_valid_reference(bare) == NULL
		   ? NULL
		   : "is not an image reference or pattern";
}

/* What follows the scheme, which may be missing; NULL if it is no proxy's. */
static const char *
conf_after_scheme(const char *s)
{
	static const char *const schemes[] = { "http://", "https://",
		"socks4://", "socks4a://", "socks5://", "socks5h://" };

	if (strstr(s, "://") == NULL)
		return s;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = strlen(schemes[i]);

		if (strncmp(s, schemes[i], n) == 0)
			return s + n;
	}
	return NULL;
}

const char *
conf_valid_proxy(const char *s)
{
	const char *host = conf_after_scheme(s), *at;
	size_t len;

	if (strlen(s) > CONF_PATH_LEN)
		return "is too long";
	if (host == NULL)
		return "has a scheme other than http, https, socks4, socks4a, "
		       "socks5, socks5h";
	if (!conf_valid_graph(s))
		return "has a character that is not printable ASCII";
	len = strcspn(host, "/");
	if (host[len] != '\0' && host[len + 1] != '\0')
		return "has a path";
	at = memrchr(host, '@', len);
	if (at != NULL) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return conf_valid_place(host, len);
}

const char *
conf_valid_except(const char *s)
{
	if (strlen(s) > CONF_EXCEPT_LEN)
		return "is too long";
	return s[strspn(s, CONF_ALNUM ".-_:/*[], \t")] == '\0'
		   ? NULL
		   : "is not a list of hosts and networks";
}

int
conf_valid_number(const char *s, int base, unsigned int min, unsigned int max,
    unsigned int *value)
{
	unsigned long n;

	if (strlen(s) > 10 ||
	    !conf_valid_only(s, base == 8 ? "01234567" : "0123456789"))
		return -1;
	n = strtoul(s, NULL, base);
	if (n < min || n > max)
		return -1;
	*value = (unsigned int)n;
	return 0;
}

const char *
conf_valid_yes(const char *s)
{
	return strcmp(s, "yes") == 0 || strcmp(s, "no") == 0
		   ? NULL
		   : "is neither yes nor no";
}

const char *
conf_valid_checkpoint(const char *s)
{
	return strcmp(s, "no") == 0 || strcmp(s, "dump") == 0 ||
		       strcmp(s, "restore") == 0
		   ? NULL
		   : "is neither no, dump nor restore";
}

const char *
conf_valid_seccomp(const char *s)
{
	return strcmp(s, "runtime") == 0 || strcmp(s, "unconfined") == 0
		   ? NULL
		   : "is neither runtime nor unconfined";
}

const char *
conf_valid_profile(const char *s)
{
	if (strlen(s) > CONF_DIR_LEN)
		return "is too long";
	return conf_valid_only(s, CONF_ALNUM "/._-+@") ? NULL
						       : "is no profile's name";
}

static bool
conf_valid_limit(const char *s, const char **end, long long *value)
{
	char *after;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*value = strtoll(s, &after, 10);
	*end = after;
	return errno == 0;
}

const char *
conf_valid_ulimit(const char *s)
{
	static const char *const names[] = { "as", "core", "cpu", "data",
		"fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
		"nproc", "rss", "rtprio", "rttime", "sigpending", "stack" };
	size_t len = strcspn(s, "="), i = 0;
	long long soft, hard;
	const char *end;

	while (i < sizeof(names) / sizeof(names[0]) &&
	       (strlen(names[i]) != len || strncmp(names[i], s, len) != 0))
		i++;
	if (i == sizeof(names) / sizeof(names[0]))
		return "is no resource of setrlimit(2)";
	if (s[len] != '=' || !conf_valid_limit(s + len + 1, &end, &soft) ||
	    *end != ':' || !conf_valid_limit(end + 1, &end, &hard) ||
	    *end != '\0' || soft > hard)
		return "is not NAME=SOFT:HARD";
	return NULL;
}
