#include <string.h>

#include "proto/grpc_status.h"

#define GRPC_TIMEOUT_DIGITS 8

struct grpc_unit {
	char letter;
	int64_t ms; /* milliseconds in one, or 0 */
	int64_t per_ms;
};

static const struct grpc_unit grpc_units[] = {
	{ 'H', INT64_C(3600000), 1 },
	{ 'M', INT64_C(60000), 1 },
	{ 'S', INT64_C(1000), 1 },
	{ 'm', INT64_C(1), 1 },
	{ 'u', INT64_C(1), 1000 },
	{ 'n', INT64_C(1), 1000000 },
};

#define GRPC_NUNITS (sizeof(grpc_units) / sizeof(grpc_units[0]))

int
grpc_timeout_parse(const char *s, int64_t *ms)
{
	int64_t value = 0;
	size_t digits = 0;

	while (s[digits] >= '0' && s[digits] <= '9') {
		if (digits == GRPC_TIMEOUT_DIGITS)
			return -1;
		value = value * 10 + (s[digits++] - '0');
	}
	if (digits == 0 || s[digits] == '\0' || s[digits + 1] != '\0')
		return -1;
	for (size_t i = 0; i < GRPC_NUNITS; i++) {
		const struct grpc_unit *u = &grpc_units[i];

		if (u->letter != s[digits])
			continue;
		*ms = (value * u->ms + u->per_ms - 1) / u->per_ms;
		return 0;
	}
	return -1;
}

void
grpc_text_encode(const char *text, char out[GRPC_TEXT_MAX])
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (; *text != '\0' && n + 4 <= GRPC_TEXT_MAX; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c <= 0x7e && c != '%') {
			out[n++] = *text;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
}

const char *
grpc_status_number(enum cerr_code code)
{
	static const char *const numbers[] = { "0", "1", "2", "3", "4", "5",
		"6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16" };

	return numbers[cerr_code_from((unsigned int)code)];
}

bool
grpc_content_type_ok(const char *s)
{
	static const char base[] = "application/grpc";
	static const char proto[] = "+proto";

	if (strncmp(s, base, sizeof(base) - 1) != 0)
		return false;
	s += sizeof(base) - 1;
	if (strncmp(s, proto, sizeof(proto) - 1) == 0)
		s += sizeof(proto) - 1;
	return *s == '\0' || *s == ';';
}
