#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "netd/result.h"

#define RESULT_INTERFACES_MAX 256
#define RESULT_TRY_LATER      11 /* CNI error code: temporary */
#define RESULT_BAD_CONFIG     7	 /* CNI error code: invalid configuration */

/* "ADDRESS/PREFIX" to the canonical ADDRESS. */
static int
result_address(const char *cidr, char ip[RESULT_IP_SIZE], struct cerr *err)
{
	const char *slash = strchr(cidr, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - cidr);
	unsigned char raw[sizeof(struct in6_addr)];
	int family = memchr(cidr, ':', n) != NULL ? AF_INET6 : AF_INET;
	char *end;
	long prefix;

	if (n == 0 || n >= RESULT_IP_SIZE)
		goto bad;
	memcpy(ip, cidr, n);
	ip[n] = '\0';
	prefix = strtol(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end != '\0' ||
	    prefix > (family == AF_INET ? 32 : 128) ||
	    inet_pton(family, ip, raw) != 1 ||
	    inet_ntop(family, raw, ip, RESULT_IP_SIZE) == NULL)
		goto bad;
	return 0;
bad:
	return cerr_set(err, CERR_INTERNAL, "\"%.64s\" is not an address",
	    cidr);
}

static int
result_check_interfaces(const json_t *result, json_t **list, struct cerr *err)
{
	const char *s;
	json_t *v;
	size_t i;

	if (json_want(result, "interfaces", JSON_ARRAY, false, list, err) == -1)
		return -1;
	if (json_array_size(*list) > RESULT_INTERFACES_MAX)
		return cerr_set(err, CERR_INTERNAL, "too many interfaces");
	json_array_foreach(*list, i, v) {
		if (json_want_str(v, "name", true, &s, err) == -1 ||
		    json_want_str(v, "sandbox", false, &s, err) == -1)
			return -1;
	}
	return 0;
}

/* Which interface an address belongs to: *index is -1 if none is named. */
static int
result_interface(const json_t *ip, size_t count, int *index, struct cerr *err)
{
	json_t *v;

	*index = -1;
	if (json_want(ip, "interface", JSON_INTEGER, false, &v, err) == -1)
		return -1;
	if (v == NULL)
		return 0;
	if (json_integer_value(v) < 0 ||
	    json_integer_value(v) >= (json_int_t)count)
		return cerr_set(err, CERR_INTERNAL,
		    "an address names an interface that is not listed");
	*index = (int)json_integer_value(v);
	return 0;
}

static bool
result_belongs(const json_t *interfaces, int index, const char *ifname)
{
	const json_t *i;
	const char *sandbox;

	if (index == -1)
		return true;
	i = json_array_get(interfaces, (size_t)index);
	sandbox = json_string_value(json_object_get(i, "sandbox"));
	return sandbox != NULL && *sandbox != '\0' &&
	       strcmp(json_string_value(json_object_get(i, "name")), ifname) ==
		   0;
}

static bool
result_has_ip(const struct result_ips *ips, const char *ip)
{
	for (size_t i = 0; i < ips->n; i++) {
		if (strcmp(ips->ip[i], ip) == 0)
			return true;
	}
	return false;
}

static int
result_add_ip(const json_t *entry, const json_t *interfaces, const char *ifname,
    struct result_ips *ips, struct cerr *err)
{
	const char *cidr;
	char ip[RESULT_IP_SIZE];
	int index;

	if (json_want_str(entry, "address", true, &cidr, err) == -1 ||
	    result_address(cidr, ip, err) == -1 ||
	    result_interface(entry, json_array_size(interfaces), &index, err) ==
		-1)
		return -1;
	if (!result_belongs(interfaces, index, ifname) ||
	    result_has_ip(ips, ip))
		return 0;
	if (ips->n == RESULT_IPS_MAX)
		return cerr_set(err, CERR_INTERNAL, "too many addresses");
	memcpy(ips->ip[ips->n++], ip, sizeof(ip));
	return 0;
}

int
result_ips_get(const json_t *result, const char *ifname, struct result_ips *ips,
    struct cerr *err)
{
	json_t *interfaces, *list, *v;
	size_t i;

	ips->n = 0;
	if (result_check_interfaces(result, &interfaces, err) == -1 ||
	    json_want(result, "ips", JSON_ARRAY, false, &list, err) == -1)
		return -1;
	json_array_foreach(list, i, v) {
		if (result_add_ip(v, interfaces, ifname, ips, err) == -1)
			return -1;
	}
	return 0;
}

static int
result_check(const json_t *result, const char *version, struct cerr *err)
{
	struct result_ips ips;
	const char *v;

	if (json_want_str(result, "cniVersion", true, &v, err) == -1)
		return -1;
	if (strcmp(v, version) != 0)
		return cerr_set(err, CERR_INTERNAL,
		    "cniVersion \"%.32s\" where %s was asked for", v, version);
	return result_ips_get(result, "", &ips, err);
}

json_t *
result_parse(const char *plugin, const char *version, const void *buf,
    size_t len, struct cerr *err)
{
	json_t *result;
	struct cerr why;

	result = json_read_bounded("result", buf, len, RESULT_SIZE_MAX, &why);
	if (result != NULL && result_check(result, version, &why) == 0)
		return result;
	json_decref(result);
	(void)cerr_set(err, CERR_INTERNAL, "plugin %s: bad result: %s", plugin,
	    why.text);
	return NULL;
}

static enum cerr_code
result_code(json_int_t code)
{
	if (code == RESULT_TRY_LATER)
		return CERR_UNAVAILABLE;
	return code == RESULT_BAD_CONFIG ? CERR_FAILED_PRECONDITION
					 : CERR_INTERNAL;
}

/* 0 if the plugin printed an error object. */
static int
result_error_object(const char *plugin, const char *command, const void *out,
    size_t len, struct cerr *err)
{
	json_t *doc =
	    json_read_bounded("error", out, len, RESULT_SIZE_MAX, NULL);
	json_t *code = json_object_get(doc, "code");
	const char *msg = json_string_value(json_object_get(doc, "msg"));
	const char *details =
	    json_string_value(json_object_get(doc, "details"));
	int rc = -1;

	if (json_is_integer(code) && msg != NULL) {
		(void)cerr_set(err, result_code(json_integer_value(code)),
		    "plugin %s: %s: %.600s%s%.200s (code %lld)", plugin,
		    command, msg, details != NULL && *details ? ": " : "",
		    details != NULL ? details : "",
		    (long long)json_integer_value(code));
		rc = 0;
	}
	json_decref(doc);
	return rc;
}

void
result_error(const char *plugin, const char *command, int exit_code,
    const void *out, size_t out_len, const char *errout, struct cerr *err)
{
	char how[48];

	if (result_error_object(plugin, command, out, out_len, err) == 0)
		return;
	(void)snprintf(how, sizeof(how),
	    exit_code > 128 ? "killed by signal %d" : "exit code %d",
	    exit_code > 128 ? exit_code - 128 : exit_code);
	(void)cerr_set(err, CERR_INTERNAL, "plugin %s: %s: %s%s%.*s", plugin,
	    command, how, *errout != '\0' ? ": " : "",
	    (int)strcspn(errout, "\r\n"), errout);
}
